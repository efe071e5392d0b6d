"""Book-keeping: for every kind of layer the clipped sum is that of records taken one by one."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_kinds import KINDS, ROUGH, Aside, PositionsFirst, networks
from opacus.accountants import RDPAccountant
from opacus.grad_sample import GradSampleModule
from opacus.validators import ModuleValidator
from private_steps import (
    FAKES,
    WIDTH,
    draw_fakes,
    flat_gradient,
    make_discriminator,
    make_step,
    one_by_one,
)
from private_trainers import make_trainer
from torch import Tensor, nn

from privacy import layer_gradients
from privacy.record_probes import check_gradients

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
POISON = [math.nan, math.inf, -math.inf, 3e38, 1e30]


def check_exact(network: nn.Module, real: Tensor, fake: Tensor, clip: float) -> None:
    wanted = one_by_one(network, real, fake, clip)
    step = make_step(copy.deepcopy(network), clip=clip, fake_batch_size=len(fake))
    step.sum_clipped_gradients(real, fake)
    found = flat_gradient(step.discriminator).double()
    assert float((found - wanted).norm()) <= 1e-5 * float(wanted.norm()) + 1e-12


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_the_sum_is_that_of_records_taken_one_by_one(kind: str, data: st.DataObject) -> None:
    network, width = data.draw(networks(kind))
    number = data.draw(st.sampled_from([0, 1, 2, 9]))
    size = data.draw(st.sampled_from([0.1, 3.0, 1e4]))
    real = size * draw_fakes(number, width, seed=5)
    if number and data.draw(st.booleans()):
        real[0, -1] = data.draw(st.sampled_from(POISON))
    fake = draw_fakes(3, width)
    if size > ROUGH.get(kind, math.inf) or data.draw(st.booleans()):
        network, real, fake = network.double(), real.double(), fake.double()
    check_exact(network, real, fake, data.draw(st.sampled_from([1e-3, 0.1, 10.0])))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=1, deadline=None)
@given(data=st.data())
def test_many_records_are_exact(kind: str, data: st.DataObject) -> None:
    network, width = data.draw(networks(kind))
    real = draw_fakes(257, width, seed=5)
    real[[3, 200], 0] = torch.tensor([math.nan, 1e5])
    fake = draw_fakes(FAKES, width)
    if kind in ROUGH:
        network, real, fake = network.double(), real.double(), fake.double()
    check_exact(network, real, fake, 0.1)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_network_of_known_layers_passes_the_comparison_with_autograd(kind, data) -> None:
    check_gradients(*data.draw(networks(kind)))


@pytest.mark.parametrize("gram_cost", [0, 10**9])
def test_both_ways_to_a_norm_and_every_size_of_chunk_are_exact(gram_cost, monkeypatch) -> None:
    monkeypatch.setattr(layer_gradients, "_GRAM_COST", gram_cost)
    monkeypatch.setattr(layer_gradients, "_CHUNK", 3 * 600)
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Unflatten(1, (2, 6, 6)),
        nn.Conv2d(2, 4, 3, padding=1, groups=2),
        nn.GroupNorm(2, 4),
        nn.LeakyReLU(0.2),
        nn.Conv2d(4, 6, 3, stride=2),
        nn.Flatten(2),
        nn.Linear(4, 5),
        nn.Flatten(),
        nn.Linear(30, 1),
    )
    check_exact(network, draw_fakes(20, 72, seed=1), draw_fakes(7, 72), 0.1)


def test_terms_that_cancel_do_not_hide_a_record_from_the_clip(monkeypatch) -> None:
    """In float32 the Gram form of this norm can be anything, so that a clip would let it pass."""
    monkeypatch.setattr(layer_gradients, "_GRAM_COST", 0)
    layer = nn.Linear(30, 30, bias=False)
    inputs = torch.randn(50, 1, 30, generator=torch.Generator().manual_seed(1))
    given, grads = torch.cat([inputs, inputs], dim=1), torch.ones(50, 2, 30)
    grads[:, 1] = -1.001
    wanted = torch.einsum("ntp,ntd->npd", grads.double(), given.double()).flatten(1).norm(dim=1)
    found = layer_gradients.square_norms(layer, given, grads).sqrt()
    torch.testing.assert_close(found.double(), wanted, rtol=1e-3, atol=0)


def test_no_gradient_of_a_weight_is_computed_by_the_backward_pass() -> None:
    network = make_discriminator()
    fired: list[int] = []
    for parameter in network.parameters():
        parameter.register_hook(lambda grad: fired.append(1))
    make_step(network).step(draw_fakes(4), draw_fakes())
    assert not fired


def test_a_network_is_left_without_hooks_and_may_serve_two_steps() -> None:
    network = make_discriminator()
    make_step(network).step(draw_fakes(3), draw_fakes())
    make_step(network).step(draw_fakes(3), draw_fakes())
    assert not any(layer._forward_hooks for layer in network.modules())


def test_weights_that_need_no_gradient_are_left_alone() -> None:
    network = make_discriminator()
    network[0].requires_grad_(False)
    before = copy.deepcopy(network.state_dict())
    make_step(network, noise=1.0).step(draw_fakes(4, seed=1), draw_fakes())
    assert network[0].weight.grad is None
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]) == name.startswith("0.")


def test_a_weight_that_no_loss_depends_on_gets_noise_alone() -> None:
    network = make_discriminator()
    network.spare = nn.Linear(3, 3)
    network.forward = lambda rows: network[2](network[1](network[0](rows)))
    step = make_step(network, noise=1.0)
    step.sum_clipped_gradients(draw_fakes(4, seed=1), draw_fakes())
    assert not network.spare.weight.grad.any()
    before = network.spare.weight.detach().clone()
    step.step(draw_fakes(4, seed=1), draw_fakes())
    assert (network.spare.weight != before).all()


class Stranger(nn.Linear):
    """A subclass may do anything with its weight."""


@pytest.mark.parametrize(
    "layer",
    [nn.PReLU(), Stranger(WIDTH, WIDTH), nn.Bilinear(3, 3, 3), nn.EmbeddingBag(4, WIDTH)],
)
def test_layers_without_per_record_gradients_are_refused_before_data_come(layer) -> None:
    with pytest.raises(ValueError, match=f"right for {type(layer).__name__};"):
        make_step(nn.Sequential(layer, nn.Linear(WIDTH, 1)))


def test_a_network_with_nothing_to_train_is_refused() -> None:
    with pytest.raises(ValueError, match="it has none"):
        make_step(make_discriminator().requires_grad_(False))


def test_a_function_that_the_user_registered_with_opacus_is_used(monkeypatch) -> None:
    samplers = GradSampleModule.GRAD_SAMPLERS
    monkeypatch.setitem(samplers, Stranger, samplers[nn.Linear])
    torch.manual_seed(1)
    network = nn.Sequential(Stranger(WIDTH, 4), nn.Tanh(), nn.Linear(4, 1))
    check_exact(network, draw_fakes(6, seed=2), draw_fakes(), 0.1)


@pytest.mark.parametrize("network", [Aside(WIDTH), PositionsFirst(6, 1), PositionsFirst(1, 6)])
def test_weights_used_in_ways_that_hooks_do_not_see_are_refused_before_data_come(network) -> None:
    with pytest.raises(ValueError, match=r"not\s+those of autograd|along the first dimension"):
        make_trainer(network)


def test_an_input_that_is_changed_after_its_layer_is_refused() -> None:
    class Changed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 1)

        def forward(self, rows: Tensor) -> Tensor:
            rows = rows.clone()
            hidden = self.first(rows)
            rows += 1.0
            return self.last(hidden + rows)

    with pytest.raises(ValueError, match="changed it in place"):
        make_step(Changed()).step(draw_fakes(3), draw_fakes())


@pytest.mark.parametrize(
    "network",
    [
        make_discriminator(),
        nn.Sequential(
            nn.Unflatten(1, (1, WIDTH)), nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(8, 1)
        ),
    ],
)
def test_the_step_works_with_opacus_validator_optimiser_and_accountant(network) -> None:
    assert ModuleValidator.is_valid(network)
    step, accountant = make_step(network, noise=1.3), RDPAccountant()
    step.optimizer.attach_step_hook(accountant.get_optimizer_hook_fn(sample_rate=0.1))
    for rows in (4, 0, 2):
        step.step(draw_fakes(rows), draw_fakes())
    assert accountant.history == [(1.3, 0.1, 3)]
    assert accountant.get_epsilon(1e-5) > 0


@pytest.mark.parametrize("kind", ["linear", "deep convolution"])
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_a_device_gives_the_same_sum_and_takes_noise(kind: str, data: st.DataObject) -> None:
    network, width = data.draw(networks(kind))
    real, fake = draw_fakes(9, width, seed=1), draw_fakes(FAKES, width)
    here, there = make_step(copy.deepcopy(network)), make_step(copy.deepcopy(network).cuda())
    here.sum_clipped_gradients(real, fake)
    there.sum_clipped_gradients(real.cuda(), fake.cuda())
    torch.testing.assert_close(
        flat_gradient(here.discriminator),
        flat_gradient(there.discriminator).cpu(),
        rtol=1e-3,
        atol=1e-5,
    )
    make_step(there.discriminator, noise=1.0).step(real.cuda(), fake.cuda())
    check_gradients(there.discriminator, width)


def test_a_double_precision_discriminator_can_be_trained_as_a_whole() -> None:
    make_trainer(make_discriminator().double()).train(
        3, lambda units: draw_fakes(len(units)).double(), lambda number: draw_fakes(number).double()
    )
