"""Groups of sites in one generator: the mixture of a generator for each, by their shares."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_world import SCHEMA, draw_codes, make_generator, make_layout

from synthesis.architecture import GeneratorSettings, SiteGroup
from synthesis.fitting import SketchLoss
from synthesis.generator import Generator
from synthesis.layout import compute_sketch
from synthesis.mixing.composing import Composition
from synthesis.schema import Categorical, Integer, Schema
from synthesis.starting_shares import make_starting_shares
from synthesis.targets import SketchTargets, make_targets

WIDE = Schema(  # income has a base for every class
    name="wide",
    columns=(
        Integer(name="income", minimum=0, maximum=300, bins=100),
        Categorical(name="outcome", categories=("well", "ill", "unknown")),
    ),
    label="outcome",
)
SCHEMAS = [SCHEMA, WIDE]


def make_one(schema: Schema, seed: int) -> Generator:
    generator = make_generator(schema, num_anchors=6, num_members=2, seed=seed)
    with torch.no_grad():
        generator.base.normal_(generator=torch.Generator().manual_seed(seed))
    return generator


def join(schema: Schema, **shares: float) -> Generator:
    """Join a generator for each letter, so that the same letter is the same generator."""
    groups = [SiteGroup(share=share, sites=(name,)) for name, share in shares.items()]
    return Generator.join([make_one(schema, ord(name[0])) for name in shares], groups)


def pair_of(generator: Generator) -> np.ndarray:
    """Shares of the codes of the first column with the classes."""
    tables = generator.make_tables()
    codes = tables.draw(400_000, np.random.default_rng(0))
    sizes = generator.settings.sizes
    first = 0 if generator.settings.label_index else 1
    flat = np.ravel_multi_index(
        codes[:, [first, generator.settings.label_index]].T.astype(int),
        (sizes[first], generator.settings.num_classes),
    )
    return np.bincount(flat, minlength=sizes[first] * generator.settings.num_classes) / len(codes)


def targets_of(schema: Schema) -> SketchTargets:
    layout = make_layout(schema)
    codes = draw_codes(800, schema=schema)
    sketch = compute_sketch(layout, codes.astype(np.int16), np.ones(800))
    return make_targets(layout, sketch, 3.0)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_joined_generators_are_their_mixture(schema: Schema) -> None:
    parts = [pair_of(make_one(schema, ord(name))) for name in "ab"]
    found = pair_of(join(schema, a=0.8, b=0.2))
    assert np.abs(parts[0] - parts[1]).sum() > 0.5
    assert np.abs(found - (0.8 * parts[0] + 0.2 * parts[1])).sum() < 0.02


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_weight_is_worth_as_much_as_a_copy(schema: Schema) -> None:
    """Loss and price of shares 2/3 and 1/3 are those of three equal groups, two of them alike."""
    loss = SketchLoss(targets_of(schema))
    weighted, copied = join(schema, a=2 / 3, b=1 / 3), join(schema, a=1 / 3, a2=1 / 3, b=1 / 3)
    several = (weighted, copied, join(schema, a=0.5, b=0.5))
    for score in (loss, loss.penalised):
        with torch.no_grad():
            *values, other = (float(score(each.mixture())) for each in several)
        assert values[0] == pytest.approx(values[1], rel=1e-4)
        assert abs(other - values[0]) > 1e-3 * values[0]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_joined_generator_splits_into_what_it_was_joined_from(schema: Schema) -> None:
    joined = join(schema, a=0.9, b=0.1)
    for name, found in zip("ab", joined.split(), strict=True):
        own = make_one(schema, ord(name))
        assert found.settings == own.settings
        for key, weight in own.state_dict().items():
            assert torch.equal(found.state_dict()[key], weight)


@pytest.mark.parametrize("schema", SCHEMAS)
def test_one_group_is_what_there_was_before_groups(schema: Schema) -> None:
    alone = make_one(schema, ord("a"))
    joined = join(schema, a=1.0)
    codes = [each.sample_codes(500, np.random.default_rng(1)) for each in (alone, joined)]
    assert np.array_equal(*codes)
    hard = [each.draw_hard_rows(50, torch.Generator().manual_seed(1)) for each in (alone, joined)]
    assert torch.equal(*hard)


def test_other_shares_leave_the_networks_as_they_are() -> None:
    generator = join(SCHEMA, a=0.8, b=0.2)
    only_b = generator.regrouped([SiteGroup(share=0.0), SiteGroup(share=1.0)])
    assert np.abs(pair_of(only_b) - pair_of(make_one(SCHEMA, ord("b")))).sum() < 0.02
    assert generator.settings.groups[0].share == 0.8
    assert only_b.base is generator.base


def test_rows_under_margins_begin_at_the_shares() -> None:
    generator = join(SCHEMA, a=0.8, b=0.2)
    rows = Composition.of(generator, SCHEMA).rows
    assert rows.share_out(2) == pytest.approx([0.8, 0.2])


def test_a_joined_generator_neither_starts_again_nor_is_trained() -> None:
    joined = join(SCHEMA, a=0.5, b=0.5)
    with pytest.raises(ValueError, match="joined from those of each"):
        joined.start_at(make_starting_shares(targets_of(SCHEMA)))
    with pytest.raises(ValueError, match="one group at a time"):
        joined.draw_hard_rows(5, torch.Generator())


@pytest.mark.parametrize("shares", [(0.5,), (0.5, 0.6), (-0.5, 1.5), (float("nan"), 0.5)])
def test_shares_that_are_none(shares: tuple[float, ...]) -> None:
    groups = [SiteGroup(share=share) for share in shares]
    with pytest.raises(ValueError, match="shares >= 0 that add to 1"):
        GeneratorSettings.for_schema(SCHEMA, groups=groups, num_members=2)


def test_groups_have_members_alike() -> None:
    groups = [SiteGroup(share=0.5), SiteGroup(share=0.5)]
    with pytest.raises(ValueError, match="got 3 for 2 groups"):
        GeneratorSettings.for_schema(SCHEMA, groups=groups, num_members=3)
