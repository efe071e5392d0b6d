"""A table with a chosen composition that is not drawn yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from synthesis.architecture import SiteGroup
from synthesis.conditions import parse_condition, restrict
from synthesis.encoding import Placed
from synthesis.errors import InputError
from synthesis.mixing.composing import Composition, hold_shares
from synthesis.mixing.interpolation import LATENT, Rows, RowsBetween
from synthesis.mixing.latent import interpolate_latent
from synthesis.mixing.mixing import Mixing
from synthesis.mixing.schedule import ScheduledSample, read_schedule
from synthesis.mixing.site_shares import weigh_sites
from synthesis.mixing.target_file import Target
from synthesis.schema import Schema
from synthesis.sharded_sample import ShardedSample, Shards, check_size

if TYPE_CHECKING:
    from synthesis.generator import Generator


@dataclass(frozen=True, kw_only=True, eq=False)
class MixedSample(Shards):
    """Rows of one composition.

    Attributes:
        rows: what draws them.
    """

    rows: Rows

    def draw_shard(self, index: int) -> list[Placed]:
        """Draw a shard as cells without a type."""
        return self.rows.draw(self.rows_of(index), self.make_rng(index))


@dataclass(frozen=True, kw_only=True, eq=False)
class MixedPart:
    """Rows of one composition, beside what they are measured against.

    Attributes:
        sample: the rows.
        plain: rows of the generator under the same conditions, apart from those.
        composition: the weights.
        asked: what was asked for, as plain values that a file can hold.
        groups: of sites, with the shares that were asked for; none if nothing was asked of them.
        apart: by the sites of each group that the generator tells apart, rows of it alone under the
            same conditions; without groups that have no such rows.
    """

    sample: MixedSample
    plain: ShardedSample
    composition: Composition
    asked: dict[str, Any]
    groups: tuple[SiteGroup, ...]
    apart: dict[tuple[str, ...], ShardedSample]

    @classmethod
    def of(
        cls,
        generator: Generator,
        schema: Schema,
        num_rows: int,
        *,
        seed: int,
        where: Sequence[str],
        mixing: Mixing,
        stream: tuple[int, ...] = (),
    ) -> Self:
        """Weigh a generator for one composition.

        Raises:
            InputError: if what is asked for cannot be had.
        """
        check_size(num_rows, seed)
        make_plain = partial(
            ShardedSample.of, schema=schema, num_rows=num_rows, seed=seed, where=where
        )
        plain, apart = make_plain(generator), _tell_apart(generator, make_plain)
        strength = 1.0 if mixing.strength is None else mixing.strength
        target = None if mixing.match is None else Target.of(mixing.match)
        if mixing.mix is not None:
            generator = weigh_sites(generator, mixing.site_shares)
        if mixing.interpolate == LATENT:
            generator = interpolate_latent(generator, strength=strength, seed=seed)
        compose = partial(
            Composition.of,
            schema=schema,
            where=where,
            margins=target.read(schema) if target else (),
            balance=mixing.balance,
            parity=mixing.pair,
        )
        is_mixed = mixing.mix is not None
        composition = hold_shares(generator, compose) if is_mixed else compose(generator)
        rows: Rows = composition.rows
        if mixing.interpolate not in (None, LATENT):
            rows = _lie_between(rows, schema, where, str(mixing.interpolate), strength)
        sample = MixedSample(schema=schema, num_rows=num_rows, seed=seed, stream=stream, rows=rows)
        return cls(
            sample=sample,
            plain=plain,
            composition=composition,
            asked={
                "rows": num_rows,
                "where": list(where),
                "match": target and {"sha256": target.digest(), **target.to_dict()},
                **_plain_wishes(mixing),
                "strength": strength if mixing.interpolate else None,
            },
            groups=generator.settings.groups if is_mixed else (),
            apart=apart,
        )


def _lie_between(
    rows: Rows, schema: Schema, where: Sequence[str], method: str, strength: float
) -> RowsBetween:
    left = restrict(schema, [parse_condition(text) for text in where])
    return RowsBetween(schema=schema, rows=rows, left=left, method=method, strength=strength)


def _tell_apart(
    generator: Generator, make_plain: Callable[[Generator], ShardedSample]
) -> dict[tuple[str, ...], ShardedSample]:
    groups = generator.settings.groups
    found = {}
    for group in groups if len(groups) > 1 else ():
        if group.sites:
            with suppress(InputError):  # a condition that this group never meets
                found[group.sites] = make_plain(weigh_sites(generator, {group.sites[0]: 1.0}))
    return found


def _plain_wishes(mixing: Mixing) -> dict[str, Any]:
    return {
        "mix": dict(mixing.site_shares) or None,
        "balance": mixing.balance,
        "parity": mixing.pair and list(mixing.pair),
        "interpolate": mixing.interpolate,
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class Mixed:
    """A table with a chosen composition, or several one after the other.

    Attributes:
        sample: the rows.
        parts: by the name of the period, or of no name, what they consist of.
    """

    sample: Shards
    parts: dict[str, MixedPart]

    @property
    def probability(self) -> float:
        """How probable the conditions are under the generator; 1 for a schedule."""
        part = self.parts.get("")
        return 1.0 if part is None else part.composition.rows.probability

    @classmethod
    def of(
        cls,
        generator: Generator,
        schema: Schema,
        num_rows: int | None,
        *,
        mixing: Mixing,
        seed: int = 0,
        where: Sequence[str] = (),
    ) -> Self:
        """Prepare a table.

        Args:
            generator: the generator.
            schema: its schema.
            num_rows: rows, >= 1; None with a schedule.
            mixing: what is asked.
            seed: the same seed gives the same rows.
            where: conditions that every row meets; none with a schedule.

        Raises:
            InputError: if what is asked for cannot be had.
        """
        if mixing.schedule is not None:
            return cls._of_schedule(generator, schema, num_rows, mixing, seed, where)
        if num_rows is None:
            raise InputError("rows are needed; say how many, or give a schedule.", argument="rows")
        part = MixedPart.of(generator, schema, num_rows, seed=seed, where=where, mixing=mixing)
        return cls(sample=part.sample, parts={"": part})

    @classmethod
    def _of_schedule(
        cls,
        generator: Generator,
        schema: Schema,
        num_rows: int | None,
        mixing: Mixing,
        seed: int,
        where: Sequence[str],
    ) -> Self:
        for name, is_given in (("rows", num_rows is not None), ("where", bool(where))):
            if is_given:
                raise InputError(
                    f"schedule goes without {name}: every period says its own in the file; leave "
                    f"{name} out.",
                    argument="schedule",
                )
        path = Path(str(mixing.schedule))
        schedule = read_schedule(path)
        extended = schedule.add_column(schema)
        parts = {}
        for number, period in enumerate(schedule.periods):
            try:
                parts[period.name] = MixedPart.of(
                    generator,
                    schema,
                    period.rows,
                    seed=seed,
                    where=period.where,
                    mixing=period.to_mixing(path.parent),
                    stream=(number,),
                )
            except InputError as error:
                raise InputError(
                    f"schedule: period {period.name!r}: {error}", argument=error.argument
                ) from None
        samples = tuple(part.sample for part in parts.values())
        rows = sum(sample.num_rows for sample in samples)
        sample = ScheduledSample(schema=extended, num_rows=rows, seed=seed, parts=samples)
        return cls(sample=sample, parts=parts)
