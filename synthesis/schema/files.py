"""Schemas as TOML files: reading with errors a person can act on, and writing."""

from __future__ import annotations

import textwrap
import tomllib
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from synthesis.errors import InputError
from synthesis.rule_words import RULES, say_rule
from synthesis.schema.schema import Schema

_HEADER = """\
# Public description of a table: everything in this file may be known by everybody.
# Bounds, categories and bins come from public knowledge (a data dictionary, a law, a form), never
# from looking at the records. minimum and maximum are the lowest and highest admissible value.
"""
DRAFT_WARNING = (
    "This draft was made by reading private rows: its categories and bounds are theirs. It must "
    "not leave this place before a person has checked every line, replaced what only the rows "
    "could tell by public knowledge, and approved it."
)
_DRAFT_HEADER = textwrap.indent(textwrap.fill(f"DRAFT. {DRAFT_WARNING}", 96), "# ") + "\n\n"


def load_schema(path: str | Path) -> Schema:
    """Read a schema from a TOML file.

    Raises:
        InputError: when the file is absent, is not TOML or breaks a rule; every problem is listed
            with its place.
    """
    content = read_schema_file(Path(path))
    if content.get("kind") == "images":
        raise InputError(
            f"schema file {path} describes images, and this takes a table; studies on images run "
            "with 'fedsynth simulate' alone so far.",
            argument="schema",
        )
    return parse_schema(content, source=f"schema file {path}")


def read_schema_file(path: Path) -> dict[str, Any]:
    """Read the content of a schema file.

    Raises:
        InputError: when it is absent or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError(
            f"schema file {path} does not exist; check the path, or draft one from a table with "
            "'fedsynth schema draft'",
            argument="schema",
        ) from error
    except PermissionError as error:
        raise InputError(
            f"schema file {path} may not be read; check its permissions", argument="schema"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"schema file {path} is not valid TOML: {error}; correct it there", argument="schema"
        ) from error


def parse_schema(content: dict[str, Any], *, source: str = "the schema") -> Schema:
    """Build a schema from parsed TOML (or JSON).

    Raises:
        InputError: when it breaks a rule; every problem is listed with its place.
    """
    try:
        return Schema.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(
            f"({number}) {_explain(detail, content)}"
            if error.error_count() > 1
            else _explain(detail, content)
            for number, detail in enumerate(error.errors(), start=1)
        )
        raise InputError(f"{source} cannot be used: {problems}", argument="schema") from error


def dump_schema(schema: Schema, *, is_draft: bool = False) -> str:
    """Write a schema as TOML; `load_schema` gives an equal schema back.

    Args:
        schema: what to write.
        is_draft: whether it was drafted from private rows; the header then says so.
    """
    content: dict[str, Any] = {"name": schema.name, "label": schema.label}
    if schema.ignore:
        content["ignore"] = list(schema.ignore)
    unit = schema.unit.model_dump(mode="json", exclude_defaults=True)
    content["unit"] = {"kind": schema.unit.kind, **unit}
    text = [_DRAFT_HEADER if is_draft else _HEADER, tomli_w.dumps(content)]
    for column in schema.columns:
        fields = column.model_dump(mode="json", exclude_defaults=True)
        ordered = {"name": fields.pop("name"), "kind": column.kind, **fields}
        text.append("\n[[columns]]\n" + tomli_w.dumps(ordered))
    return "".join(text)


def _explain(detail: Any, content: dict[str, Any]) -> str:
    """Turn one pydantic error into place and sentence."""
    place = _place(detail["loc"], content)
    kind, context = detail["type"], detail.get("ctx", {})
    sentences = RULES | {
        "union_tag_not_found": "needs a kind: categorical, ordinal, boolean, integer, continuous "
        "or datetime",
        "union_tag_invalid": f"has the kind {context.get('tag')!r}, which is not one of "
        f"{context.get('expected_tags')}",
        "string_pattern_mismatch": "must not be blank, or begin or end with a space",
        "string_too_short": "must not be empty",
        "too_short": f"needs at least {context.get('min_length')} entries",
    }
    said = sentences.get(kind) or say_rule(detail)
    return f"{place} {said}" if kind in sentences else f"{place}: {said}"


def _place(location: tuple[int | str, ...], content: dict[str, Any]) -> str:
    """Name where an error is: `column 'age', minimum`."""
    parts = [str(part) for part in location]
    if len(location) >= 2 and location[0] == "columns" and isinstance(location[1], int):
        row = content["columns"][location[1]]
        name = row.get("name") if isinstance(row, dict) else None
        # location[2] is the kind, which pydantic uses as a tag and which is no setting.
        parts = [f"column {name!r}" if name else f"column number {location[1] + 1}"]
        parts += [str(part) for part in location[3:]]
        if len(location) == 3 and location[2] not in _KINDS:
            parts.append(str(location[2]))
    return ", ".join(parts) if parts else "as a whole"


_KINDS = ("categorical", "ordinal", "boolean", "integer", "continuous", "datetime")
