"""A public target that a release is held to: shares that somebody published, and no site sees."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from synthesis import InputError
from synthesis.kinds import AnySchema
from synthesis.mixing.margin_cells import MarginCells
from synthesis.mixing.target_file import Target
from synthesis.schema import Schema


@dataclass(frozen=True, kw_only=True, eq=False)
class PublicTarget:
    """Margins that somebody published.

    Attributes:
        margins: of columns, or of two.
        sha256: of what the file asks for.
    """

    margins: tuple[MarginCells, ...]
    sha256: str

    @classmethod
    def load(cls, path: str | Path, schema: AnySchema) -> Self:
        """Read a file in the form that ``fedsynth sample --match`` takes.

        Raises:
            InputError: if it cannot be used with this schema; the sentence says why.
        """
        if not isinstance(schema, Schema):
            raise InputError(
                "target is for tables, whose columns have shares; leave it out for images.",
                argument="target",
            )
        try:
            target = Target.of(path)
            margins = tuple(map(MarginCells.of, target.read(schema)))
        except InputError as error:  # which calls it by the option of ``sample``
            sentence = f"target{str(error).removeprefix('match')}"
            raise InputError(sentence, argument="target") from None
        return cls(margins=margins, sha256=target.digest())
