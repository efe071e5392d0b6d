"""The fit of the global generator to the pooled sketch, once over all lives of the coordinator."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray

from privacy import SeededRandomness
from server.checkpoint import Checkpoint
from server.conversation import OnEvent
from server.outcome import PhaseRecord
from server.study import Study
from synthesis.architecture import GeneratorSettings
from synthesis.fitting import FitSettings, choose_device, fit_to_sketch
from synthesis.generator import Generator
from synthesis.schema import Schema
from synthesis.targets import SketchTargets


def fit_once(
    study: Study,
    schema: Schema,
    targets: SketchTargets,
    checkpoint: Checkpoint,
    on_event: OnEvent,
) -> tuple[Generator, PhaseRecord]:
    """Return the generator that an earlier life fitted, or fit one now and keep it.

    Args:
        study: the public settings.
        schema: the public schema.
        targets: what the pooled sketch says.
        checkpoint: where the fit is kept.
        on_event: told how far the fit is, or that it was kept.

    Returns:
        The generator, and how long its fit took.
    """
    generator = Generator(
        GeneratorSettings.for_schema(schema), rng=SeededRandomness(study.seed).torch("generator")
    )
    found = checkpoint.find_fit()
    if found is not None:
        weights, seconds = found
        load_weights(generator, weights)
        on_event({"event": "phase-kept", "phase": "fit"})
    else:
        started = time.monotonic()
        generator = _fit(generator, study, targets, on_event)
        seconds = time.monotonic() - started
        checkpoint.keep_fit(weights_of(generator), seconds)
    return generator, PhaseRecord(name="fit", seconds=seconds)


def _fit(
    generator: Generator, study: Study, targets: SketchTargets, on_event: OnEvent
) -> Generator:
    return fit_to_sketch(
        generator,
        targets,
        FitSettings(steps=study.fit_steps),
        rng=SeededRandomness(study.seed).numpy("members"),
        device=choose_device(),
        on_step=lambda done, total: on_event(
            {"event": "fit-progress", "done": done, "total": total}
        ),
    )


def weights_of(generator: Generator) -> dict[str, NDArray[Any]]:
    """Return the weights of a generator as arrays, by name."""
    return {name: weight.numpy() for name, weight in generator.state_dict().items()}


def load_weights(generator: Generator, weights: Mapping[str, NDArray[Any]]) -> None:
    """Give a generator weights that ``weights_of`` returned."""
    generator.load_state_dict({name: torch.from_numpy(w.copy()) for name, w in weights.items()})
