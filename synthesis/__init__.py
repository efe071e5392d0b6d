"""What is synthesised: schema, tables, encoding, conditions, generators and their quality.

This package knows data and models and nothing of privacy, networks or sites: it reads a table by a
public schema, turns it into codes and back, and imports none of the other packages.
"""

from synthesis.encoding import conform, decode, encode
from synthesis.errors import InputError

__all__ = [
    "InputError",
    "conform",
    "decode",
    "encode",
]
