"""What is synthesised: schema, tables, encoding, conditions, generators and their quality.

This package knows data and models and nothing of privacy, networks or sites: it reads a table by a
public schema, turns it into codes and back, and imports none of the other packages. Models are
imported from their own modules, so that reading a schema does not wait for torch.
"""

from synthesis.conditions import Condition, Restriction, parse_condition, restrict
from synthesis.encoding import conform, decode, encode
from synthesis.errors import InputError, SourceUnavailable
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
