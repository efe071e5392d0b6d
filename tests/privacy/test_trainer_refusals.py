"""Every known mistake is refused when the trainer is built, with its own reason."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch
from bad_discriminators import (
    AttentionOverRows,
    Base,
    CentredByHand,
    CentredInTrainingOnly,
    ClosedGate,
    FirstBatchScale,
    MinibatchDiscrimination,
    OneForAll,
    OwnDice,
    Packed,
    PaddedPacks,
    RunningMean,
    SharedByNumber,
    WithBuffer,
    with_batch_norm,
    with_dropout,
    with_embedding,
    with_frozen_shrunk_bag,
    with_group_norm,
    with_instance_norm,
    with_layer_norm,
    with_shrunk_embedding,
)
from opacus.data_loader import DPDataLoader
from opacus.utils.uniform_sampler import UniformWithReplacementSampler
from private_steps import draw_fakes
from private_trainers import ROWS, make_trainer
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from privacy import GaussianEvent, SystemRandomness
from privacy.known_mistakes import KNOWN_MISTAKES


def loaders() -> dict[str, object]:
    data = TensorDataset(ROWS)
    sampler = RandomSampler(data)
    return {
        "shuffled": DataLoader(data, batch_size=8, shuffle=True),
        "in order": DataLoader(data, batch_size=8),
        "batch sampler": DataLoader(data, batch_sampler=BatchSampler(sampler, 8, drop_last=False)),
        "sampler": sampler,
        "batches": BatchSampler(sampler, 8, drop_last=True),
    }


LOADERS = ["shuffled", "in order", "batch sampler", "sampler", "batches"]


@pytest.mark.parametrize(
    ("discriminator", "reason"),
    [
        (with_batch_norm, "BatchNorm scales each record by the others"),
        (with_instance_norm, "InstanceNorm with running statistics keeps"),
        (with_shrunk_embedding, "an embedding with max_norm shrinks the weights that records"),
        (with_frozen_shrunk_bag, "an embedding with max_norm shrinks the weights that records"),
        (with_embedding, None),
        (WithBuffer, "a buffer can carry what one record left behind"),
        (CentredByHand, "the values of other rows changed a row's logit"),
        (CentredInTrainingOnly, "the values of other rows changed a row's logit"),
        (ClosedGate, "the values of other rows changed a row's logit"),
        (MinibatchDiscrimination, "the values of other rows changed a row's logit"),
        (AttentionOverRows, "the values of other rows changed a row's logit"),
        (SharedByNumber, "the number of rows changed a row's logit"),
        (RunningMean, "rows seen in an earlier call changed a row's logit"),
        (FirstBatchScale, "rows seen in an earlier call changed a row's logit"),
        (OwnDice, "same logits for the same rows"),
        (Packed, "1 gave an error; packing several records"),
        (partial(Packed, 1), None),
        (PaddedPacks, r"2 gave shape \(1, 1\); packing several records"),
        (OneForAll, r"2 gave shape \(1,\); packing several records"),
        (with_dropout, None),
        (with_layer_norm, None),
        (with_group_norm, None),
        (Base, None),
    ],
)
def test_networks_that_mix_records_are_refused_and_others_are_not(discriminator, reason) -> None:
    if reason is None:
        make_trainer(discriminator())
        return
    with pytest.raises(ValueError, match=reason):
        make_trainer(discriminator())


def test_trying_out_leaves_the_network_and_torch_as_they_were() -> None:
    discriminator = with_dropout()
    before, state = copy.deepcopy(discriminator.state_dict()), torch.get_rng_state()
    make_trainer(discriminator)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[k], v) for k, v in discriminator.state_dict().items())
    assert all(part.training for part in discriminator.modules())


@pytest.mark.parametrize("kind", LOADERS)
def test_a_loader_is_refused_because_its_batches_are_not_poisson(kind: str) -> None:
    with pytest.raises(ValueError, match="non-Poisson"):
        make_trainer(loader=loaders()[kind])
    with pytest.raises(ValueError, match=r"take_rows must not be a loader: .* non-Poisson"):
        make_trainer().train(len(ROWS), loaders()[kind], draw_fakes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["loader", "sampler", "any_name_at_all"])
def test_opacus_own_loader_is_refused_because_of_its_rate(name: str) -> None:
    loader = DPDataLoader(TensorDataset(ROWS), sample_rate=0.2)
    with pytest.raises(ValueError, match="rate derived from the row count"):
        make_trainer(**{name: loader})
    sampler = UniformWithReplacementSampler(num_samples=40, sample_rate=0.2)
    with pytest.raises(ValueError, match="coins come from a generator"):
        make_trainer(**{name: sampler})


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gradient_penalty", "a gradient penalty on real rows"),
        ("gradient_penalty_weight", "a gradient penalty on real rows"),
        ("lambda_gp", "a gradient penalty on real rows"),
        ("pac", "packing several records into one sample"),
        ("packing", "packing several records into one sample"),
        ("early_stopping", "by a metric on real rows is a release of its own"),
        ("patience", "by a metric on real rows is a release of its own"),
        ("best_checkpoint", "by a metric on real rows is a release of its own"),
        ("select_by", "by a metric on real rows is a release of its own"),
        ("epochs", "derives the sample rate or the number of steps from the row count"),
        ("batch_size", "derives the sample rate or the number of steps from the row count"),
        ("num_examples", "derives the sample rate or the number of steps from the row count"),
        ("noise_multiplier", "it stands in the reserved event"),
        ("sample_rate", "it stands in the reserved event"),
        ("steps", "it stands in the reserved event"),
        ("poisson_sampling", "non-Poisson"),
        ("shuffle", "non-Poisson"),
        ("loader", "non-Poisson"),
        ("data_loader", "non-Poisson"),
        ("train_loader", "non-Poisson"),
        ("sampler", "non-Poisson"),
        ("batch_sampler", "non-Poisson"),
        ("seed", "seeded noise can be subtracted"),
    ],
)
def test_settings_that_are_known_mistakes_are_refused_with_the_reason(name, reason) -> None:
    with pytest.raises(ValueError, match=f"^{name} must not be given here: .*{reason}"):
        make_trainer(**{name: 1})
    assert reason in KNOWN_MISTAKES[name]


def test_a_setting_nobody_knows_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        make_trainer(colour="red")


@pytest.mark.parametrize("name", ["expected_batch_size", "fake_batch_size"])
@pytest.mark.parametrize("value", [0.2 * len(ROWS), 8.0, 0, -1, True, None, "8", torch.tensor(8)])
def test_sizes_must_be_declared_whole_numbers(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"{name} must be a whole number >= 1.*declare a public"):
        make_trainer(**{name: value})


def test_seeded_noise_is_refused_outside_a_simulation() -> None:
    with pytest.raises(ValueError, match=r"outside a simulation.*subtract the noise"):
        make_trainer(simulation=False)
    make_trainer(simulation=False, randomness=SystemRandomness())
    make_trainer(simulation=True, randomness=SystemRandomness())


def test_an_event_of_another_kind_is_refused() -> None:
    event = GaussianEvent(noise_multiplier=1.0, purpose="sketch")
    with pytest.raises(ValueError, match="must be the SampledGaussianEvent"):
        make_trainer(event=event)


@pytest.mark.parametrize(
    "mistake",
    [
        {"discriminator": with_batch_norm()},
        {"discriminator": Packed()},
        {"discriminator": CentredByHand()},
        {"gradient_penalty": 10.0},
        {"expected_batch_size": 8.5},
        {"simulation": False},
    ],
)
def test_a_refusal_comes_before_any_row_is_touched(mistake: dict) -> None:
    """The table is not even an argument of what refuses, and never reaches what trains."""
    touched: list[Tensor] = []

    def take_rows(units: Tensor) -> Tensor:
        touched.append(units)
        return ROWS[units]

    with pytest.raises(ValueError):
        make_trainer(**mistake).train(len(ROWS), take_rows, draw_fakes)
    assert touched == []
