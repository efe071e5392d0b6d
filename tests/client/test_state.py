"""What a site remembers between rounds: as if it had never stopped."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from client.state import StudyState
from privacy import PrivateStep, RandomStream, SeededRandomness
from synthesis.discriminator import Discriminator

WIDTH = 7


def make(seed: int, noise: RandomStream) -> tuple[Discriminator, PrivateStep]:
    discriminator = Discriminator(WIDTH, hidden=5, rng=torch.Generator().manual_seed(seed))
    step = PrivateStep(
        discriminator,
        partial(torch.optim.Adam, lr=1e-2, betas=(0.5, 0.9)),
        noise_multiplier=0.8,
        max_grad_norm=1.0,
        expected_batch_size=6,
        fake_batch_size=4,
        stream=noise,
    )
    return discriminator, step


def draw_batches(number: int) -> list[tuple[Tensor, Tensor]]:
    rng = torch.Generator().manual_seed(3)
    return [
        (torch.randn(size % 4, WIDTH, generator=rng), torch.randn(4, WIDTH, generator=rng))
        for size in range(number)
    ]


def test_a_stop_between_rounds_changes_nothing(tmp_path: Path) -> None:
    batches = draw_batches(9)
    whole, step = make(1, SeededRandomness(2).stream("noise"))
    for real, fake in batches:
        step.step(real, fake)

    noise, state = SeededRandomness(2).stream("noise"), StudyState(tmp_path, "study")
    for number, part in enumerate((batches[:4], batches[4:7], batches[7:]), start=1):
        # another seed each time: all that counts must come from disk
        first = part[0] is batches[0]
        discriminator, step = make(1 if first else 77, noise)
        found = step.optimizer.original_optimizer
        assert state.restore_training(number, discriminator, found) is not first
        for real, fake in part:
            step.step(real, fake)
        state.save_training(number, discriminator, found)
    for name, weight in whole.state_dict().items():
        assert torch.equal(discriminator.state_dict()[name], weight)


def test_moments_and_step_counts_come_back_exactly(tmp_path: Path) -> None:
    discriminator, step = make(1, SeededRandomness(2).stream("noise"))
    for real, fake in draw_batches(3):
        step.step(real, fake)
    state, kept = StudyState(tmp_path, "s"), step.optimizer.original_optimizer
    state.save_training(1, discriminator, kept)
    other, fresh = make(5, SeededRandomness(2).stream("noise"))
    found = fresh.optimizer.original_optimizer
    assert state.restore_training(2, other, found)
    for index, moments in kept.state_dict()["state"].items():
        assert set(moments) == {"step", "exp_avg", "exp_avg_sq"}
        for name, value in moments.items():
            assert torch.equal(found.state_dict()["state"][index][name], value)
    assert found.state_dict()["param_groups"] == kept.state_dict()["param_groups"]


def test_without_state_nothing_changes(tmp_path: Path) -> None:
    discriminator, step = make(1, SeededRandomness(2).stream("noise"))
    before = {name: weight.clone() for name, weight in discriminator.state_dict().items()}
    state = StudyState(tmp_path, "s")
    assert not state.restore_training(1, discriminator, step.optimizer.original_optimizer)
    assert all(torch.equal(discriminator.state_dict()[name], before[name]) for name in before)
    assert step.optimizer.original_optimizer.state_dict()["state"] == {}


def test_the_pooled_sketch_comes_back(tmp_path: Path) -> None:
    pooled = torch.randn(20)
    StudyState(tmp_path, "s").save_pooled_sketch(pooled)
    assert torch.equal(StudyState(tmp_path, "s").load_pooled_sketch(), pooled)


def test_without_a_first_round_there_is_no_sketch(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        StudyState(tmp_path, "s").load_pooled_sketch()


@pytest.mark.parametrize("study", ["../../escape", "/etc/x", "a" * 300, "..", "é:+"])
def test_an_identifier_from_outside_never_becomes_a_path(tmp_path: Path, study: str) -> None:
    StudyState(tmp_path / "site", study).save_pooled_sketch(torch.ones(1))
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert file.parent.parent == tmp_path / "site" / "state"


def test_studies_do_not_share_state(tmp_path: Path) -> None:
    StudyState(tmp_path, "one").save_pooled_sketch(torch.ones(1))
    with pytest.raises(FileNotFoundError):
        StudyState(tmp_path, "two").load_pooled_sketch()


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    discriminator, step = make(1, SeededRandomness(2).stream("noise"))
    StudyState(tmp_path, "s").save_training(1, discriminator, step.optimizer.original_optimizer)
    names = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert names == ["training-1.safetensors"]


def steps_of(optimizer: torch.optim.Optimizer) -> float:
    return float(optimizer.state_dict()["state"][0]["step"])


def test_a_round_that_begins_again_starts_from_the_state_before_it(tmp_path: Path) -> None:
    """Whatever an interrupted round left behind, its steps are not taken twice."""
    state = StudyState(tmp_path, "s")
    discriminator, step = make(1, SeededRandomness(2).stream("noise"))
    optimizer, batches = step.optimizer.original_optimizer, draw_batches(3)
    for number in (1, 2, 3):  # one step in each round
        step.step(*batches[number - 1])
        state.save_training(number, discriminator, optimizer)
    for number, steps in ((3, 2.0), (4, 3.0), (9, 3.0)):
        other, fresh = make(5, SeededRandomness(2).stream("noise"))
        found = fresh.optimizer.original_optimizer
        assert state.restore_training(number, other, found)
        assert steps_of(found) == steps


def test_a_first_round_that_begins_again_starts_from_nothing(tmp_path: Path) -> None:
    state = StudyState(tmp_path, "s")
    discriminator, step = make(1, SeededRandomness(2).stream("noise"))
    step.step(*draw_batches(1)[0])
    state.save_training(1, discriminator, step.optimizer.original_optimizer)
    other, fresh = make(5, SeededRandomness(2).stream("noise"))
    assert not state.restore_training(1, other, fresh.optimizer.original_optimizer)


def test_only_the_last_two_rounds_stay_on_the_disk(tmp_path: Path) -> None:
    """The last one to go on from, and the one before it to begin the last one again."""
    state = StudyState(tmp_path, "s")
    discriminator, step = make(1, SeededRandomness(2).stream("noise"))
    for number in (9, 10, 11):
        state.save_training(number, discriminator, step.optimizer.original_optimizer)
    names = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert names == ["training-10.safetensors", "training-11.safetensors"]
