"""Autoencoders of the public digits, from sites to a release that is verified and drawn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from server.attestation import verify_release
from simulations.images import run_image_simulation
from simulations.settings import SimulationSettings
from synthesis.images.model_files import load_image_generator
from synthesis.images.sampling import sample_images
from synthesis.vae.images import VAE_HIDDEN

ASKED = {
    "model": "vae",
    "epsilon": 10.0,
    "fit_steps": 20,
    "rounds": 2,
    "discriminator_steps": 6,
}


@pytest.mark.slow
def test_autoencoders_end_in_a_release_like_any_other(tmp_path: Path) -> None:
    settings = SimulationSettings(demo="digits", rows=300)
    result = run_image_simulation(ASKED, settings, out=tmp_path / "release")
    assert verify_release(tmp_path / "release").holds
    assert result.study.adversarial_share == 0.3
    assert result.study.max_grad_norm == 1000.0
    assert [row.kind for row in result.report.images.figures.rows] == ["real", "sketch", "final"]
    generator, schema = load_image_generator(tmp_path / "release")
    assert generator.settings.hidden == VAE_HIDDEN
    drawn = sample_images(generator, schema, 300, seed=0)
    np.testing.assert_array_equal(drawn, result.synthetic)
    only = sample_images(generator, schema, 20, seed=0, only="3")
    assert set(only[:, -1]) == {3}
    for site in result.report.sites:
        assert {event.purpose: event.steps for event in site.events}["training"] == 12
