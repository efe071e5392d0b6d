"""The options of ``fedsynth site init`` that say where the data live."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from client.data_source import SqlSource
from synthesis import InputError
from synthesis.rule_words import say_finding


@dataclass(frozen=True)
class SourceOptions:
    """What was asked for on the command line; meanings and order are those of the options."""

    data: str
    query: str | None = None
    dataset: str | None = None
    user: str | None = None
    password_file: Path | None = None
    user_env: str | None = None
    password_env: str | None = None


def make_source(asked: SourceOptions) -> str | SqlSource:
    """Return a path or a database source, with paths that hold wherever the site's folder is.

    Raises:
        InputError: if the options do not belong together, or one cannot be used.
    """
    if "://" not in asked.data:
        _check_no_database_options(asked)
        return str(Path(asked.data).resolve())
    if asked.query is None or asked.dataset is None:
        raise InputError(
            "query and dataset must be given with the URL of a database: --query 'SELECT ...' (or "
            "@FILE) and --dataset NAME, a public name for the ledger.",
            argument="query" if asked.query is None else "dataset",
        )
    settings = {
        "url": _resolve_file(asked.data),
        "query": _read_query(asked.query),
        "dataset": asked.dataset,
        "user": asked.user,
        "password_file": None
        if asked.password_file is None
        else str(asked.password_file.resolve()),
        "user_env": asked.user_env,
        "password_env": asked.password_env,
    }
    try:
        return SqlSource.model_validate(settings)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = str(first["loc"][0]) if first["loc"] else "data"
    found = say_finding({**first, "loc": (place,)})
    raise InputError(f"{found}.", argument=place)


def _check_no_database_options(asked: SourceOptions) -> None:
    for name in ("query", "dataset", "user", "password_file", "user_env", "password_env"):
        if getattr(asked, name) is not None:
            raise InputError(
                f"{name} must be left out unless data is the URL of a database, such as "
                "postgresql+psycopg://host/database.",
                argument=name,
            )


def _resolve_file(url: str) -> str:
    kind, separator, path = url.partition(":///")
    return f"{kind}{separator}{Path(path).resolve()}" if kind == "sqlite" and path else url


def _read_query(text: str) -> str:
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError(
            f"query file {text[1:]} must be a text file in UTF-8, and it cannot be read; check the "
            "path.",
            argument="query",
        ) from None
