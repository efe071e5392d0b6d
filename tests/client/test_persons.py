"""A site that protects persons: all rows of one move a release no more than a record may."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_persons import PERSONS, draw_persons, make_table, write_person_site
from tiny_sites import make_request, write_site
from tiny_world import SCHEMA, make_generator

from client import sketching, training
from client.site import Site
from client.sketching import release_sketch
from client.training import train_round
from privacy import Part, SeededRandomness, Unit, trainer
from privacy.private_step import PrivateStep
from synthesis import InputError
from synthesis.discriminator import Discriminator
from synthesis.kinds import kind_of
from synthesis.layout import SketchLayout
from synthesis.tables import write_table

LAYOUT = SketchLayout.from_schema(PERSONS)
POOLED = torch.full((LAYOUT.dimension,), 5.0)
CLIP = 1.0


def one_more(table: pd.DataFrame, rows: int, seed: int, *, alike: bool) -> pd.DataFrame:
    """The table and a person, last by id, with rows from all over the range of codes.

    The new rows lie anywhere between the others, which keep their order, and so their draws.
    """
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, SCHEMA.sizes, (rows, len(SCHEMA.sizes))).astype(np.int16)
    codes = np.repeat(codes[:1], rows, axis=0) if alike else codes
    new = make_table(codes, ["zzz"] * rows)
    places = np.concatenate([np.sort(rng.random(len(table))), rng.random(rows)])
    return pd.concat([table, new]).iloc[np.argsort(places)].reset_index(drop=True)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Site]:
    home = tmp_path_factory.mktemp("pair")
    return tuple(write_person_site(home / n, draw_persons(12)) for n in ("before", "after"))


PERSON = {
    "rows": st.integers(1, 50),
    "others": st.integers(0, 12),
    "seed": st.integers(0, 2**31),
    "alike": st.booleans(),
}


def use(pair: tuple[Site, Site], rows: int, others: int, seed: int, alike: bool) -> None:
    """Give both sites the same persons, and the second one more."""
    table = draw_persons(others, seed=seed % 7) if others else draw_persons(1).iloc[:0]
    write_table(table, pair[0].folder / "rows.parquet")
    write_table(one_more(table, rows, seed, alike=alike), pair[1].folder / "rows.parquet")


def exact_sketch(site: Site, study: str) -> tuple[np.ndarray, float]:
    """What the mechanism is given, and the sensitivity it is told."""
    seen = []

    def watched(values, *, sensitivity, **_):
        seen.append((values, sensitivity))
        return values

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sketching, "gaussian_mechanism", watched)
        patch.setattr(sketching, "reserve_study", lambda s, r: (r.make_plan(), study))
        patch.setattr("privacy.Ledger.mark", lambda *_: None)
        release_sketch(site, make_request())
    return seen[0]


@settings(max_examples=40, deadline=None)
@given(**PERSON)
def test_a_person_moves_the_released_counts_by_at_most_the_sensitivity(
    pair, rows, others, seed, alike
) -> None:
    use(pair, rows, others, seed, alike)
    (before, sensitivity), (after, _) = (exact_sketch(site, "s") for site in pair)
    # Squares of multiples of 2**-20 are exact here; the root of their sum need not be.
    assert float(((after - before) ** 2).sum()) <= sum(block.scale**2 for block in LAYOUT.blocks)
    assert sensitivity == LAYOUT.sensitivity


class Everyone:
    """In place of the trainer: every unit's coin is in."""

    def __init__(self) -> None:
        self.batches: list[torch.Tensor] = []

    def train(self, n_units: int, take_rows, draw_fakes, *, steps: int) -> None:
        self.batches += [take_rows(torch.arange(n_units)) for _ in range(steps)]


def batches_of(site: Site, steps: int = 1) -> list[torch.Tensor]:
    """Whole batches; the draws of earlier persons are the same."""
    everyone = Everyone()
    rows = SeededRandomness(2).stream("rows")
    request = make_request(discriminator_steps=steps)
    to_rows = partial(kind_of(site.schema).to_rows, rng=torch.Generator())
    training._train_discriminator(site, request, everyone, lambda number: None, to_rows, rows)
    return everyone.batches


def summed_gradient(real: torch.Tensor) -> torch.Tensor:
    step = PrivateStep(
        Discriminator(sum(SCHEMA.sizes), rng=torch.Generator().manual_seed(0)),
        lambda parameters: torch.optim.SGD(parameters, lr=1.0),
        noise_multiplier=0.0,
        max_grad_norm=CLIP,
        expected_batch_size=8,
        fake_batch_size=8,
        stream=SeededRandomness(0).stream("noise"),
    )
    fake = make_generator().draw_hard_rows(8, torch.Generator().manual_seed(3))
    step.sum_clipped_gradients(real, fake.detach())
    return torch.cat([p.grad.flatten().double() for p in step.discriminator.parameters()])


@settings(max_examples=40, deadline=None)
@given(**PERSON)
def test_a_person_moves_a_step_by_at_most_one_clip(pair, rows, others, seed, alike) -> None:
    use(pair, rows, others, seed, alike)
    (before,), (after,) = (batches_of(site) for site in pair)
    assert len(after) == len(before) + 1 == others + 1  # persons, not rows
    torch.testing.assert_close(after[:-1], before)
    moved = summed_gradient(after) - summed_gradient(before)
    assert float(moved.norm()) <= CLIP * (1 + 1e-5)  # single precision


def test_persons_and_not_rows_have_coins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = write_person_site(tmp_path / "s", draw_persons(30, most=9))
    numbers = []

    def watched(n_units: int, **settings):
        numbers.append(n_units)
        return original(n_units, **settings)

    original = trainer.poisson_batches
    monkeypatch.setattr(trainer, "poisson_batches", watched)
    release_sketch(site, make_request())
    play(site, 1)
    assert numbers == [30]


def test_the_rows_of_a_person_take_turns(tmp_path: Path) -> None:
    table = make_table(np.array([[0, 0, 0, 0], [5, 1, 1, 1]], dtype=np.int16), ["p", "p"])
    site = write_person_site(tmp_path / "s", table)
    batches = torch.cat(batches_of(site, 40))
    assert 8 <= int(batches[:, 0].sum()) <= 32


def play(site: Site, server_round: int):
    return train_round(
        site,
        make_request(),
        make_generator(),
        server_round=server_round,
        pooled_sketch=POOLED if server_round == 1 else None,
        pooled_noise_std=3.0,
    )


@pytest.mark.parametrize("persons", [0, 1, 12])
@pytest.mark.parametrize("holdout", [0.0, 0.5])
def test_a_study_runs_whatever_the_number_of_persons(
    tmp_path: Path, persons: int, holdout: float
) -> None:
    table = draw_persons(12)
    table = table[table["patient"].isin(sorted(set(table["patient"]))[:persons])]
    site = write_person_site(tmp_path / "s", table, holdout=holdout)
    statistics = release_sketch(site, make_request()).statistics
    assert np.isfinite(statistics).all()
    for server_round in (1, 2):
        weights = play(site, server_round).state_dict().values()
        assert all(bool(torch.isfinite(weight).all()) for weight in weights)
    parts = [site.read_units(part).n_units for part in Part]
    assert sum(parts) == persons


def test_the_ledger_is_opened_for_the_unit_of_the_schema(tmp_path: Path) -> None:
    persons = write_person_site(tmp_path / "persons", draw_persons(3))
    assert persons.ledger.header.unit is Unit.PERSON
    assert write_site(tmp_path / "records").ledger.header.unit is Unit.RECORD


def test_a_ledger_for_another_unit_is_refused(tmp_path: Path) -> None:
    assert write_site(tmp_path / "s").ledger.header.unit is Unit.RECORD
    with pytest.raises(InputError, match=r"opened with \(record\)"):
        _ = write_person_site(tmp_path / "s", draw_persons(3)).ledger


def test_one_record_without_an_id_changes_no_other_persons_id(tmp_path: Path) -> None:
    """Whole numbers in Parquet stay whole beside an empty cell, else everyone would move."""
    ids = [2**60 + i for i in range(6)]
    codes = np.zeros((7, len(SCHEMA.sizes)), dtype=np.int16)
    before = write_person_site(tmp_path / "a", make_table(codes[:6], ids))
    after = write_person_site(tmp_path / "b", make_table(codes, pd.array([*ids, None], "Int64")))
    assert after.read_units(Part.TRAINING).ids == before.read_units(Part.TRAINING).ids
    assert before.read_units(Part.TRAINING).ids == tuple(map(str, ids))
