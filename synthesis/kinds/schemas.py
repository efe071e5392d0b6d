"""Schemas of any kind as TOML files; one of images says ``kind = "images"``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import tomli_w
from pydantic import ValidationError

from synthesis.errors import InputError
from synthesis.images.schema import ImageSchema
from synthesis.rule_words import say_finding
from synthesis.schema import Schema, dump_schema, parse_schema
from synthesis.schema.files import read_schema_file

AnySchema: TypeAlias = Schema | ImageSchema

_HEADER = """\
# Public description of images: everything in this file may be known by everybody.
"""


def load_any_schema(path: str | Path) -> AnySchema:
    """Read a schema of tables or of images from a TOML file.

    Raises:
        InputError: when the file is absent, is not TOML or breaks a rule.
    """
    return parse_any_schema(read_schema_file(Path(path)), source=f"schema file {path}")


def parse_any_schema(content: dict[str, Any], *, source: str = "the schema") -> AnySchema:
    """Build a schema from parsed TOML (or JSON).

    Raises:
        InputError: when it breaks a rule.
    """
    if content.get("kind") != "images":
        return parse_schema(content, source=source)
    try:
        return ImageSchema.model_validate(content)
    except ValidationError as error:
        said = "; ".join(map(say_finding, error.errors()))
        raise InputError(f"{source} cannot be used: {said}", argument="schema") from error


def dump_any_schema(schema: AnySchema) -> str:
    """Write a schema as TOML; ``load_any_schema`` gives an equal schema back."""
    if isinstance(schema, ImageSchema):
        return _HEADER + tomli_w.dumps(schema.model_dump(mode="json"))
    return dump_schema(schema)
