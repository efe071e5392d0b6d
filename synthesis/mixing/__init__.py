"""The composition of synthetic rows: target margins, balance, parity, rows between rows, schedules.

All of it is post-processing of a generator, so none of it costs privacy, and none of it reads a
table: what it takes are a generator, its public schema and what somebody asks for.
"""

from synthesis.mixing.mixing import Mixing

__all__ = ["Mixing"]
