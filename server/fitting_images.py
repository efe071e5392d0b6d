"""The start of the global generator of images from the pooled sketch."""

from __future__ import annotations

import time

from privacy import SeededRandomness
from server.checkpoint import Checkpoint
from server.conversation import OnEvent
from server.outcome import PhaseRecord
from server.study import Study
from server.weights import load_weights, weights_of
from strategies.aggregation import PooledSketch
from synthesis.images.adversarial import teach_labels
from synthesis.images.detailing import estimate_details, teach_details
from synthesis.images.gaussians import LABELLED_VARIETY, estimate_gaussians
from synthesis.images.generator import ImageGenerator, ImageGeneratorSettings
from synthesis.images.schema import ImageSchema
from synthesis.images.sketch import ImageLayout
from synthesis.kinds import IMAGES


def fit_images_once(
    study: Study,
    schema: ImageSchema,
    pooled: PooledSketch,
    checkpoint: Checkpoint,
    on_event: OnEvent,
) -> tuple[ImageGenerator, PhaseRecord, float]:
    """Return the generator that an earlier life made, or make it now and keep it.

    Args:
        study: the public settings.
        schema: the public schema.
        pooled: sum of all sketches.
        checkpoint: where it is kept.
        on_event: told that it was kept.

    Returns:
        The generator, how long that took, and how many images the sketches suggest.
    """
    layout = ImageLayout.from_schema(schema)
    generator = ImageGenerator(
        ImageGeneratorSettings.for_schema(schema),
        rng=SeededRandomness(study.seed).torch("generator"),
    )
    found = checkpoint.find_fit()
    if found is not None:
        weights, seconds = found
        load_weights(generator, weights)
        on_event({"event": "phase-kept", "phase": "fit"})
    else:
        started = time.monotonic()
        noise_std = pooled.noise_variance**0.5 * layout.sensitivity
        is_labelled = study.rounds > 0 and study.model == IMAGES
        variety = LABELLED_VARIETY if is_labelled else 1.0
        gaussians = estimate_gaussians(layout, pooled.values, noise_std, variety=variety)
        generator.start_at(gaussians)
        details = estimate_details(layout, pooled.values, noise_std)
        rng = SeededRandomness(study.seed).torch("details")
        teach_details(generator, layout, details, steps=study.fit_steps, rng=rng)
        if is_labelled:
            rng = SeededRandomness(study.seed).torch("labels")
            teach_labels(generator, rng=rng)
        seconds = time.monotonic() - started
        checkpoint.keep_fit(weights_of(generator), seconds)
    return generator, PhaseRecord(name="fit", seconds=seconds), layout.estimate_rows(pooled.values)
