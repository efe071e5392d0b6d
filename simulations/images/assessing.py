"""Figures and pictures of synthetic images against real ones, which only a simulation has."""

from __future__ import annotations

import time

import numpy as np

from server.outcome import AnyGenerator, StudyOutcome
from server.report import Copies, ImageFigures, ImageRow, Phase, build_images
from simulations.images.sites import SimulatedImages
from simulations.reporting import Assessment
from synthesis.images.generator import ImageGenerator
from synthesis.images.pictures import choose_shown
from synthesis.images.quality import (
    accuracy,
    extract_features,
    extractor_digest,
    find_nearest,
    frechet_distance,
    kernel_distance,
    train_classifier,
)
from synthesis.images.sampling import sample_images
from synthesis.units import Codes

MOST_LEARNED = 60_000
"""Images that a classifier learns from at most, of each collection."""
MOST_COMPARED = 10_000
MOST_SEARCHED = 1_000
"""Published images that are looked for among those trained on."""


def assess_images(
    outcome: StudyOutcome, sites: SimulatedImages, synthetic: Codes, *, seed: int, started: float
) -> Assessment:
    """Score the release, the sketch alone and real images by the same measures.

    Args:
        outcome: the finished study.
        sites: the real images.
        synthetic: the published images.
        seed: of what is drawn.
        started: when the phase began, by the monotonic clock.
    """
    schema, train = sites.schema, sites.train
    shuffled = train[np.random.default_rng(seed).permutation(len(train))]
    sketch = _sample(outcome.sketch_generator, sites, len(synthetic), seed)
    rows = [_score("real", shuffled, sites, seed=seed)]
    if outcome.rounds:
        rows.append(_score("sketch", sketch, sites, seed=seed))
    rows.append(_score("final" if outcome.rounds else "sketch", synthetic, sites, seed=seed))
    nearest = find_nearest(synthetic[:MOST_SEARCHED], train, sites.test, schema, seed=seed)
    beside = {"real": choose_shown(shuffled, schema)}
    if outcome.rounds:
        beside["sketch"] = choose_shown(sketch, schema)
    beside["nearest"] = _find_nearest_images(choose_shown(synthetic, schema), train)
    images = build_images(
        schema,
        synthetic,
        rounds=outcome.round_images,
        beside=beside,
        figures=ImageFigures(
            train_images=len(train),
            test_images=len(sites.test),
            extractor=extractor_digest(),
            rows=tuple(rows),
            copies=Copies(
                closer_to_train=nearest.closer_to_train.value,
                low=nearest.closer_to_train.low,
                high=nearest.closer_to_train.high,
                copies=nearest.train_copies,
            ),
        ),
    )
    phase = Phase(name="sample and score", seconds=time.monotonic() - started)
    return Assessment(images=images, phases=(phase,))


def _sample(generator: AnyGenerator, sites: SimulatedImages, number: int, seed: int) -> Codes:
    assert isinstance(generator, ImageGenerator)
    return sample_images(generator, sites.schema, number, seed=seed)


def _score(kind: str, codes: Codes, sites: SimulatedImages, *, seed: int) -> ImageRow:
    schema, test = sites.schema, sites.test
    classifier = train_classifier(codes[:MOST_LEARNED], schema, seed=seed)
    told = accuracy(classifier, test, schema)
    number = min(len(codes), len(test), MOST_COMPARED)
    features, real = (extract_features(each[:number], schema) for each in (codes, test))
    return ImageRow.model_validate(
        {
            "kind": kind,
            "accuracy": told.value,
            "accuracy_low": told.low,
            "accuracy_high": told.high,
            "frechet": frechet_distance(features, real),
            "kernel": kernel_distance(features, real, seed=seed).value,
        }
    )


def _find_nearest_images(shown: Codes, train: Codes) -> Codes:
    """Return the image trained on that is closest to each one shown, under its class."""
    found = np.empty_like(shown)
    real = train[:, :-1].astype(np.float32)
    squares = np.square(real).sum(1)
    for place, image in enumerate(shown[:, :-1].astype(np.float32)):
        found[place, :-1] = train[np.argmin(squares - 2 * real @ image), :-1]
    found[:, -1] = shown[:, -1]
    return found
