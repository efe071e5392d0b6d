"""The public, declared description of a table, and everything that follows from it alone.

Column kinds, bounds, categories and bins belong here, with reading and writing them as TOML,
checking a table against them and drafting one from local data. Nothing here is fitted on private
rows, except the draft, which a person must approve.

What reads tables is imported at the first use of its name, so that a plan does not wait for pandas.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from synthesis.schema.columns import (
    Boolean,
    Categorical,
    Column,
    Continuous,
    Datetime,
    Integer,
    LevelColumn,
    NumberColumn,
    Ordinal,
)
from synthesis.schema.files import DRAFT_WARNING, dump_schema, load_schema, parse_schema
from synthesis.schema.grid import Grid
from synthesis.schema.schema import Schema, UnitOfPrivacy

if TYPE_CHECKING:
    from synthesis.schema.checking import Violation, check_table
    from synthesis.schema.drafting import draft_schema
    from synthesis.schema.reading import Rule

__all__ = [
    "DRAFT_WARNING",
    "Boolean",
    "Categorical",
    "Column",
    "Continuous",
    "Datetime",
    "Grid",
    "Integer",
    "LevelColumn",
    "NumberColumn",
    "Ordinal",
    "Rule",
    "Schema",
    "UnitOfPrivacy",
    "Violation",
    "check_table",
    "draft_schema",
    "dump_schema",
    "load_schema",
    "parse_schema",
]

_HOMES = {
    "Rule": "synthesis.schema.reading",
    "Violation": "synthesis.schema.checking",
    "check_table": "synthesis.schema.checking",
    "draft_schema": "synthesis.schema.drafting",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a name that needs pandas when it is first asked for."""
        if name not in _HOMES:
            raise AttributeError(f"module 'synthesis.schema' has no attribute {name!r}")
        globals()[name] = getattr(import_module(_HOMES[name]), name)
        return globals()[name]

    def __dir__() -> list[str]:
        """List the public names also before they are imported."""
        return sorted({*globals(), *__all__})
