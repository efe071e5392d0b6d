"""What went wrong with a database, in fixed sentences.

The texts of drivers quote hosts, users, statements and cells, so none of them is ever repeated:
only the code that the SQL standard gives to the error, or the name of its class.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from synthesis.errors import InputError, SourceUnavailable

__all__ = ["explain_sql_error"]

_QUERY, _LOGIN = "query", "user"
# Beginning of the code -> the setting to mend and what is wrong with it; the longest one counts.
_MENDABLE: Final[Mapping[str, tuple[str, str]]] = {
    "0A": (_QUERY, "query asks for what the database cannot do in a reading; use one plain SELECT"),
    "22": (
        _QUERY,
        "query must not fail on any record, and it does on some; leave conversions out, for the "
        "schema decides which records take part",
    ),
    "25006": (_QUERY, "query must only read, and it tries to write; use one plain SELECT"),
    "28": (_LOGIN, "the database refuses the login; check user, password and database"),
    "3D": ("url", "the database that url names does not exist on its server"),
    "42": (_QUERY, "query is refused by the database; try it there by hand"),
    "42501": (_QUERY, "query reads what the user may not; GRANT SELECT on it"),
    "42601": (_QUERY, "query is not valid SQL; try it in the database by hand"),
    "42703": (_QUERY, "query names a column that is not there; check its spelling"),
    "42P01": (_QUERY, "query names a table that is not there; check its spelling and schema"),
    "SQLITE_AUTH": (_QUERY, "query must only read, and it tries to write; use one plain SELECT"),
    "SQLITE_CANTOPEN": ("url", "the database file cannot be opened; check its path and mode"),
    "SQLITE_CORRUPT": ("url", "the database file is damaged; restore it"),
    "SQLITE_ERROR": (_QUERY, "query names what is not there or is not valid SQL; try it by hand"),
    "SQLITE_NOTADB": ("url", "the file that url names is not an SQLite database"),
    "SQLITE_READONLY": (
        _QUERY,
        "query must only read, and it tries to write; use one plain SELECT",
    ),
}
_TIMED_OUT: Final = {"57014", "SQLITE_INTERRUPT"}
# A refused login has no code on the client's side; the words are looked for and never repeated.
_REFUSED = re.compile(
    r"authentication failed|(role|database) .* does not exist|pg_hba\.conf|no password supplied"
)
_CERTIFICATE = re.compile(r"root certificate|certificate verify failed|server certificate for")


def explain_sql_error(error: Exception) -> InputError | SourceUnavailable:
    """Return the error to raise instead of one from SQLAlchemy or a driver."""
    if isinstance(error, ModuleNotFoundError):
        return InputError(
            "url needs a database driver that is not installed; for PostgreSQL install "
            "'fedsynth[postgresql]'",
            argument="url",
        )
    if isinstance(error, UnicodeDecodeError):
        return InputError(
            "query returns text that is no UTF-8; give the database the encoding UTF8",
            argument=_QUERY,
        )
    cause = getattr(error, "orig", None) or error
    code = _code_of(cause)
    if code in _TIMED_OUT:
        return SourceUnavailable(
            f"the database took too long ({code}); raise statement_timeout_s or make the query "
            "lighter"
        )
    for length in range(len(code), 1, -1):
        if code[:length] in _MENDABLE:
            argument, sentence = _MENDABLE[code[:length]]
            return InputError(f"{sentence} ({code})", argument=argument)
    if not code and _CERTIFICATE.search(str(cause)):
        return InputError(
            "the database's certificate cannot be checked or does not hold; give the authority's "
            "file with sslrootcert= in url",
            argument="url",
        )
    if not code and _REFUSED.search(str(cause)):
        return InputError(_MENDABLE["28"][1], argument=_LOGIN)
    return SourceUnavailable(
        f"the database cannot be reached or broke off ({code or type(cause).__name__}); see that "
        "its server runs, and try again"
    )


def _code_of(error: object) -> str:
    """Return the code of the SQL standard, SQLite's name for it, or nothing."""
    return getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None) or ""
