"""Every mechanism that a site runs, with its noise off, as the sensitivity test wants it.

Counts are made by the very functions whose result a site hands to the noise, and steps by the
private step itself on the discriminator that sites train.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from client.evaluating import count_for_evaluation
from privacy import PrivateStep, RandomStream, SeededRandomness
from privacy.audits.sensitivity import Draw, Release
from simulations.audits.rows import draw_codes
from synthesis.discriminator import Discriminator, make_discriminator_optimizer
from synthesis.evaluation import EvaluationLayout, ScoreNetwork
from synthesis.kinds.tables import count_for_sketch
from synthesis.layout import Counts, SketchLayout
from synthesis.rows import to_one_hot
from synthesis.schema import Schema
from synthesis.units import Units

__all__ = [
    "MOST_ROWS",
    "Mechanism",
    "draw_table_codes",
    "make_counts",
    "make_discriminator_step",
    "make_step",
    "spoil_a_row",
]

MOST_ROWS = 4096
"""Rows of a step's batch that the test draws at most; more only take longer."""

_MOST_RECORDS = 8
_MOST_ROWS_OF_A_PERSON = 12
_NEW_PERSON = 10**6
_SCALES = (-1.0, 3.0)
_BAD_SHARE = 0.05

_Count = Callable[[Units], Counts]


@dataclass(frozen=True, kw_only=True)
class Mechanism:
    """One mechanism, ready to be tried.

    Attributes:
        name: what it is, for people.
        unit: what is added or removed: ``record`` or ``person``.
        claimed: L2 sensitivity that the ledger charges.
        release: records to the exact quantity that noise is added to.
        draw_records: draws a small table.
        draw_adversary: draws the rows of one unit more.
    """

    name: str
    unit: str
    claimed: float
    release: Release
    draw_records: Draw
    draw_adversary: Draw


def make_counts(schema: Schema, randomness: SeededRandomness) -> Iterator[Mechanism]:
    """Yield the sketch and the three counts of the hold-out, for records and for persons."""
    sketch, layout = SketchLayout.from_schema(schema), EvaluationLayout.from_schema(schema)
    network = ScoreNetwork(layout, rng=randomness.torch("score-network"))
    nothing = Units.from_records(np.empty((0, len(schema.sizes)), dtype=np.int16))
    counted: list[tuple[str, _Count, float]] = [
        ("sketch", lambda units: count_for_sketch(sketch, units)[0], sketch.sensitivity)
    ]
    for purpose, (_, claimed) in count_for_evaluation(layout, network, nothing).items():
        counted.append((purpose, _counter(layout, network, purpose), claimed))
    for name, count, claimed in counted:
        for unit in ("record", "person"):
            is_person = unit == "person"
            yield Mechanism(
                name=name,
                unit=unit,
                claimed=claimed,
                release=_release_counts(count, is_person=is_person),
                draw_records=_few_rows(schema.sizes),
                draw_adversary=_one_unit(schema.sizes, is_person=is_person),
            )


def make_step(
    schema: Schema, *, clip: float, batch: int, randomness: SeededRandomness, path: tuple[str, ...]
) -> Mechanism:
    """Return one discriminator step: the sum of clipped gradients of a batch and as many fakes.

    Args:
        schema: decides how wide the discriminator is.
        clip: norm that a row's gradient is clipped to.
        batch: declared batch size and number of fakes.
        randomness: draws weights and fakes.
        path: names this step among the streams.
    """
    sizes, rng = schema.sizes, randomness.numpy(*path, "fakes")
    return make_discriminator_step(
        Discriminator(sum(sizes), rng=randomness.torch(*path, "weights")),
        to_one_hot(draw_codes(sizes, batch, rng), sizes),
        clip=clip,
        stream=randomness.stream(*path, "no-noise"),
        draw_records=lambda rng: _real_rows(sizes, _draw(0, batch, rng), rng),
        draw_adversary=lambda rng: _worst_row(sizes, rng),
    )


def make_discriminator_step(
    discriminator: nn.Module,
    fakes: Tensor,
    *,
    clip: float,
    stream: RandomStream,
    draw_records: Draw,
    draw_adversary: Draw,
) -> Mechanism:
    """Return one step of any discriminator.

    Args:
        discriminator: as a site trains it.
        fakes: of every step, ``(batch, width)``; as many as the declared batch size.
        clip: norm that a row's gradient is clipped to.
        stream: of the noise, of which none is drawn.
        draw_records: draws real rows.
        draw_adversary: draws one row more.
    """
    step = PrivateStep(
        discriminator,
        make_discriminator_optimizer,
        noise_multiplier=0.0,
        max_grad_norm=clip,
        expected_batch_size=len(fakes),
        fake_batch_size=len(fakes),
        stream=stream,
    )

    def release(rows: Tensor) -> Tensor:
        step.sum_clipped_gradients(rows, fakes)
        gradients = [weight.grad for weight in step.discriminator.parameters()]
        return torch.cat([each.flatten() for each in gradients if each is not None])

    return Mechanism(
        name=f"discriminator step, clip {clip:g}, batch {len(fakes)}",
        unit="record",  # of a person, one row is drawn
        claimed=clip,
        release=release,
        draw_records=draw_records,
        draw_adversary=draw_adversary,
    )


def _counter(layout: EvaluationLayout, network: ScoreNetwork, purpose: str) -> _Count:
    return lambda units: count_for_evaluation(layout, network, units)[purpose][0]


def _release_counts(count: _Count, *, is_person: bool) -> Release:
    """Rows are ``(n, 1 + n_columns)``: the person first, and then the codes."""

    def release(rows: Tensor) -> Tensor:
        codes = rows[:, 1:].numpy().astype(np.int16)
        if is_person:
            return torch.from_numpy(
                count(Units.from_persons(codes, [str(person) for person in rows[:, 0].tolist()]))
            )
        return torch.from_numpy(count(Units.from_records(codes)))

    return release


def _few_rows(sizes: tuple[int, ...]) -> Draw:
    def draw(rng: torch.Generator) -> Tensor:
        number = _draw(0, _MOST_RECORDS, rng)
        persons = torch.randint(0, 3, (number, 1), generator=rng)
        return torch.cat([persons, draw_table_codes(sizes, number, rng)], dim=1)

    return draw


def _one_unit(sizes: tuple[int, ...], *, is_person: bool) -> Draw:
    """One row, or a person with several: equal ones in half of the trials, which add up most."""

    def draw(rng: torch.Generator) -> Tensor:
        number = _draw(1, _MOST_ROWS_OF_A_PERSON, rng) if is_person else 1
        codes = draw_table_codes(sizes, number, rng)
        if _draw(0, 1, rng):
            codes = codes[:1].expand(number, -1)
        return torch.cat([torch.full((number, 1), _NEW_PERSON), codes], dim=1)

    return draw


def _worst_row(sizes: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """A row such as tables have, or one such as they have not."""
    return _real_rows(sizes, 1, rng) if _draw(0, 1, rng) else spoil_a_row(sum(sizes), rng)


def spoil_a_row(width: int, rng: torch.Generator) -> Tensor:
    """Draw a row ``(1, width)`` from tiny to huge, or one that holds a number that is not finite.

    Args:
        width: of the rows that the discriminator reads.
        rng: draws it.
    """
    low, high = _SCALES
    scale = 10 ** (low + (high - low) * float(torch.rand(1, generator=rng)))
    row = scale * torch.randn(1, width, generator=rng)
    if float(torch.rand(1, generator=rng)) < _BAD_SHARE:
        row[0, _draw(0, width - 1, rng)] = (math.nan, math.inf)[_draw(0, 1, rng)]
    return row


def _real_rows(sizes: tuple[int, ...], number: int, rng: torch.Generator) -> Tensor:
    return to_one_hot(draw_table_codes(sizes, number, rng).numpy(), sizes)


def draw_table_codes(sizes: tuple[int, ...], number: int, rng: torch.Generator) -> Tensor:
    """Draw rows of codes ``(number, columns)``, each code of a column as likely as any other."""
    return (torch.rand(number, len(sizes), generator=rng) * torch.tensor(sizes)).long()


def _draw(lowest: int, highest: int, rng: torch.Generator) -> int:
    return int(torch.randint(lowest, highest + 1, (1,), generator=rng))
