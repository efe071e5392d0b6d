"""The sums of columns and all slopes of the loss, against autograd on whole distributions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from schema_strategies import every_code, schemas
from tiny_world import CODES_2000, make_generator, make_layout
from torch import Tensor

from synthesis import fitting, pair_error
from synthesis.architecture import SiteGroup
from synthesis.column_sums import TINY, ColumnSums
from synthesis.columns import GivenColumn, PlainColumn
from synthesis.fitting import SketchLoss
from synthesis.generator import Generator, Mixture
from synthesis.layout import SketchLayout, compute_sketch
from synthesis.targets import SketchTargets, make_targets, perturb

TWO_THIRDS = (SiteGroup(share=2 / 3), SiteGroup(share=1 / 3))


def plain_loss(targets: Sequence[SketchTargets], mixture: Mixture) -> Tensor:
    """The penalised loss as it is defined, block by block, every class and part written out."""
    first, members = targets[0], len(targets)
    weights = mixture.weights if members == 1 else torch.ones_like(mixture.weights)
    label = (mixture.label * weights[:, None]).unflatten(0, (members, -1))
    label = label / label.shape[1]
    fine = []  # (members, classes, parts, codes)
    for each in mixture.features:
        whole = each.probabilities.expand(label.shape[2], -1, -1)
        fine.append(whole.unflatten(1, (members, -1)).transpose(0, 1))
    pooled = [
        columns @ torch.eye(int(groups.max()) + 1, dtype=columns.dtype)[torch.from_numpy(groups)]
        for columns, groups in zip(fine, first.layout.groups, strict=True)
    ]
    error = label.new_zeros(())
    for number, block in enumerate(first.layout.blocks):
        if len(block.features) == 2:
            moments = torch.einsum(
                "mpc,mcpa,mcpb->mcab", label, *(pooled[f] for f in block.features)
            )
        else:
            moments = torch.einsum("mpc,mcpa->mca", label, fine[block.features[0]])
        if not block.is_given_label:
            moments = moments.sum(1, keepdim=True)
        told = torch.from_numpy(np.stack([each.blocks[number] for each in targets]))
        error = error + (torch.from_numpy(first.weights[number]) * (moments - told) ** 2).sum()
    scale = 1 / first.expected_loss / members
    price = 2 * fitting.DEPENDENCE_PRICE * first.rows * scale
    return error * scale + price * _dependence(label, fine)


def _dependence(label: Tensor, fine: Sequence[Tensor]) -> Tensor:
    """Information of the latent code about every column given the label, summed over members."""
    total = label.new_zeros(())
    for columns in fine:
        entropy = (columns * torch.log(columns + TINY)).sum(3)
        joint = torch.einsum("mpc,mcpa->mca", label, columns)
        given_label = joint / (joint.sum(2, keepdim=True) + TINY)
        told = (label.mT * entropy).sum()
        total = total + told - (joint * torch.log(given_label + TINY)).sum()
    return total


def slopes_of(generator: Generator, loss: Tensor) -> Tensor:
    slopes = torch.autograd.grad(loss, list(generator.parameters()))
    return torch.cat([each.double().flatten() for each in slopes])


def check_slopes(generator: Generator, targets: Sequence[SketchTargets]) -> None:
    loss = SketchLoss(*targets).penalised(generator.mixture())
    found = slopes_of(generator, loss)
    exact = generator.double()
    wanted = plain_loss(targets, exact.mixture())
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)
    slopes = slopes_of(exact, wanted)
    assert (found - slopes).norm() <= 1e-5 * slopes.norm()


def targets_of(layout: SketchLayout, codes: np.ndarray, noise_std: float = 3.0) -> SketchTargets:
    noise = np.random.default_rng(0).normal(0, noise_std, layout.dimension)
    return make_targets(layout, compute_sketch(layout, codes) + noise, noise_std)


@settings(max_examples=25, deadline=None)
@given(
    schemas(max_columns=6),
    st.integers(1, 5),
    st.integers(1, 3),
    st.sampled_from([1, 8, 1000]),
    st.booleans(),
    st.integers(0, 99),
)
def test_slopes_are_those_of_the_plain_loss(schema, anchors, members, strip, alike, seed) -> None:
    """With columns given the label or not, in groups of codes, and any number of strips."""
    layout = SketchLayout.from_schema(schema, max_groups=6)
    rng = np.random.default_rng(seed)
    told = perturb(targets_of(layout, every_code(schema, rng)), members, rng)
    generator = make_generator(schema, num_anchors=anchors, num_members=members, seed=seed)
    if alike:
        told = told[:1]
    with patch.multiple(pair_error, ONE_STRIP=strip, STRIP=strip):
        check_slopes(generator, told)


@pytest.mark.parametrize("is_given_label", [False, True])
@pytest.mark.parametrize("members", [1, 4])
@pytest.mark.parametrize("max_groups", [10, 40])
def test_slopes_of_groups_of_sites(is_given_label: bool, members: int, max_groups: int) -> None:
    generator = make_generator(num_members=4, groups=TWO_THIRDS)
    forms = generator.settings.forms
    assert forms[0].is_given_label and not forms[1].is_given_label
    if not is_given_label:
        forms = tuple(replace(form, is_given_label=False) for form in forms)
    other = Generator(replace(generator.settings, forms=forms), rng=torch.Generator())
    with torch.no_grad():
        other.base.normal_(generator=torch.Generator().manual_seed(1))
    targets = targets_of(make_layout(max_groups=max_groups), CODES_2000)
    check_slopes(other, perturb(targets, members, np.random.default_rng(0)))


def make_columns(groups: int, dtype: torch.dtype) -> list[Tensor]:
    """Logits and base of a column of 7 codes in 3 classes and 12 parts."""
    rng = torch.Generator().manual_seed(0)
    shapes = ((12, 7), (groups, 3, 7))
    return [torch.randn(*shape, generator=rng).to(dtype).requires_grad_() for shape in shapes]


@pytest.mark.parametrize(("groups", "members"), [(1, 1), (1, 4), (3, 1), (2, 4), (4, 2), (3, 2)])
@pytest.mark.parametrize("is_pooled", [False, True])
def test_sums_of_a_given_column_have_their_slopes(groups, members, is_pooled) -> None:
    rng = torch.Generator().manual_seed(1)
    label = torch.rand(members, 12 // members, 3, generator=rng).double().requires_grad_()
    plain = torch.rand(12, 2, generator=rng).double().requires_grad_()
    pool = torch.eye(3).double()[[0, 0, 1, 1, 1, 2, 2]] if is_pooled else None

    def add_up(logits: Tensor, base: Tensor, label: Tensor, plain: Tensor) -> tuple[Tensor, ...]:
        columns = (GivenColumn(logits=logits, base=base), PlainColumn(probabilities=plain))
        sums = ColumnSums.of(columns, label, [pool, None])
        return (*sums.pooled, sums.joint, sums.negative_entropy)

    assert torch.autograd.gradcheck(add_up, (*make_columns(groups, torch.float64), label, plain))


@pytest.mark.parametrize(("logit", "base"), [(1, 1), (100, 1), (1, 10), (100, 10)])
def test_sums_of_a_given_column_are_those_of_its_probabilities(logit: int, base: int) -> None:
    """Even where parts lie far apart, and classes further than any fit takes them."""
    logits, bases = make_columns(2, torch.float32)
    column = GivenColumn(logits=logit * logits, base=base * bases)
    label = torch.rand(1, 12, 3, generator=torch.Generator().manual_seed(1))
    sums = ColumnSums.of([column], label, [None])
    fine = column.probabilities
    torch.testing.assert_close(sums.pooled[0], fine, rtol=1e-4, atol=1e-6)
    joint = torch.einsum("pc,cpx->cx", label[0], fine)
    torch.testing.assert_close(sums.joint[0], joint, rtol=1e-4, atol=1e-5)
    entropy = torch.special.entr(fine).sum(2).T
    torch.testing.assert_close(sums.negative_entropy, -entropy, rtol=1e-4, atol=1e-4)


def test_no_weights_make_a_sum_or_a_slope_that_is_no_number() -> None:
    logits, bases = (1e4 * each for each in make_columns(2, torch.float32))
    column = GivenColumn(logits=logits.requires_grad_(), base=bases.requires_grad_())
    label = torch.rand(1, 12, 3, generator=torch.Generator().manual_seed(1))
    sums = ColumnSums.of([column], label, [None])
    told = (sums.pooled[0].sum(), sums.joint.sum(), sums.negative_entropy.sum())
    slopes = torch.autograd.grad(sum(told), (column.logits, column.base))
    assert all(bool(each.isfinite().all()) for each in (*told, *slopes))
