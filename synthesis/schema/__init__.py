"""The public, declared description of a table, and everything that follows from it alone.

Column kinds, bounds, categories and bins belong here, with reading and writing them as TOML,
checking a table against them and drafting one from local data. Nothing here is fitted on private
rows, except the draft, which a person must approve.
"""

from synthesis.schema.checking import Violation, check_table
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
from synthesis.schema.drafting import draft_schema
from synthesis.schema.files import DRAFT_WARNING, dump_schema, load_schema, parse_schema
from synthesis.schema.grid import Grid
from synthesis.schema.reading import Rule
from synthesis.schema.schema import Schema, UnitOfPrivacy

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
