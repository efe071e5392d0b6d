"""What is synthesised: schema, tables, encoding, conditions, generators and their quality.

This package knows data and models and nothing of privacy, networks or sites: it reads a table by a
public schema, turns it into codes and back, and imports none of the other packages. Models are
imported from their own modules, so that reading a schema does not wait for torch; what reads tables
is imported at the first use of its name, so that it does not wait for pandas either.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from synthesis.errors import InputError, SourceUnavailable

if TYPE_CHECKING:
    from synthesis.conditions import Condition, Restriction, parse_condition, restrict
    from synthesis.encoding import conform, decode, encode
    from synthesis.tables import read_table, write_table

__all__ = [
    "Condition",
    "InputError",
    "Restriction",
    "SourceUnavailable",
    "conform",
    "decode",
    "encode",
    "parse_condition",
    "read_table",
    "restrict",
    "write_table",
]

_HOMES = {
    "Condition": "synthesis.conditions",
    "Restriction": "synthesis.conditions",
    "conform": "synthesis.encoding",
    "decode": "synthesis.encoding",
    "encode": "synthesis.encoding",
    "parse_condition": "synthesis.conditions",
    "read_table": "synthesis.tables",
    "restrict": "synthesis.conditions",
    "write_table": "synthesis.tables",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a name when it is first asked for."""
        if name not in _HOMES:
            raise AttributeError(f"module 'synthesis' has no attribute {name!r}")
        globals()[name] = getattr(import_module(_HOMES[name]), name)
        return globals()[name]

    def __dir__() -> list[str]:
        """List the public names also before they are imported."""
        return sorted({*globals(), *__all__})
