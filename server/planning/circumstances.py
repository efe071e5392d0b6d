"""Where a study would run: the public facts that its settings do not tell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from synthesis.architecture import GeneratorSettings
from synthesis.errors import InputError
from synthesis.layout import SketchLayout
from synthesis.schema import Schema


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """A schema and the sites that would hold tables of it.

    Attributes:
        schema: the public description.
        units: declared rows, or persons, of each site that take part; never a private count.
        basis: where ``units`` come from, in words that end a sentence.
    """

    schema: Schema
    units: tuple[int, ...]
    basis: str

    def __post_init__(self) -> None:
        check_units(self.units)

    @cached_property
    def architecture(self) -> GeneratorSettings:
        """What the global generator is made of."""
        return GeneratorSettings.for_schema(self.schema)

    @cached_property
    def layout(self) -> SketchLayout:
        """Which counts a site sums up."""
        return SketchLayout.from_schema(self.schema)

    @property
    def num_sites(self) -> int:
        """Sites that would take part."""
        return len(self.units)

    @property
    def total_units(self) -> int:
        """Rows, or persons, of all sites."""
        return sum(self.units)

    @property
    def units_per_site(self) -> int:
        """Average rows, or persons, of a site, from which a study follows what it declares."""
        return self.total_units // self.num_sites

    @property
    def noun(self) -> str:
        """What is counted: rows or persons."""
        return "persons" if self.schema.unit.kind == "person" else "rows"


def check_units(units: tuple[int, ...]) -> None:
    """Raise InputError unless something is declared for every site."""
    if not units or min(units) < 1:
        raise InputError(
            f"rows must be at least 1 for every site, got {', '.join(map(str, units))}; declare "
            "an order of magnitude.",
            argument="rows",
        )
