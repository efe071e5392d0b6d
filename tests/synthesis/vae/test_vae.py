"""Autoencoders: they begin as the sketch's generator, learn, and end as generators."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from vae_data import IMAGES, TABLE, draw_codes, make_bound, make_vae, sharp_generator

from synthesis.architecture import GeneratorSettings
from synthesis.generator import Generator
from synthesis.images.generator import ImageGenerator, cut
from synthesis.images.model_files import load_image_generator, save_image_generator
from synthesis.kinds.vae import VaeKind
from synthesis.model_files import load_generator, save_generator
from synthesis.rows import to_one_hot
from synthesis.vae import PretrainSettings, fit_on_public_rows
from synthesis.vae.bound import compute_divergence
from synthesis.vae.images import ImageBound, ImageVae
from synthesis.vae.tables import CODES, LATENT, TableBound, TableVae

NO_STEPS = PretrainSettings(steps=0)


def table_generator(seed: int = 0) -> Generator:
    settings = GeneratorSettings.for_schema(TABLE, num_members=2, num_anchors=8, hidden=16)
    generator = Generator(settings, rng=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        generator.base.copy_(torch.randn(generator.base.shape, generator=torch.Generator()))
        for weight in generator.network.parameters():
            weight.mul_(3.0)
    return generator


def test_the_divergence_is_that_of_gaussians_from_the_standard_normal() -> None:
    mean, log_variance = torch.randn(4, 3), torch.randn(4, 3)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    wanted = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(compute_divergence(mean, log_variance), wanted.sum(1))


def test_an_autoencoder_of_images_begins_with_the_posterior_of_the_sketch() -> None:
    """By Bayes' rule for a linear Gaussian model, in one line of matrices per class."""
    generator = sharp_generator()
    vae = VaeKind(IMAGES).start(generator, NO_STEPS, seed=0)
    assert isinstance(vae, ImageVae)
    bound = ImageBound(vae)
    latent = torch.randn(40, vae.settings.directions, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(40) % 2
    drawn = vae.means[labels] + torch.einsum("nd,nds->ns", latent, vae.factors[labels])
    drawn = (drawn / drawn.norm(dim=1, keepdim=True).clamp(min=1.0)).detach()
    classes = torch.nn.functional.one_hot(labels, 2).float()
    images = vae.settings.frequencies.to_images(drawn)
    mean, log_variance = bound._encode(images, classes)
    for row in range(40):
        factors = vae.factors[labels[row]].detach()  # (directions, size)
        precision = factors @ factors.T / 3e-4 + torch.eye(len(factors))
        wanted = torch.linalg.solve(precision, factors @ (drawn[row] - vae.means[labels[row]]))
        torch.testing.assert_close(mean[row], wanted / 3e-4, rtol=1e-3, atol=1e-3)
        variances = torch.linalg.inv(precision).diagonal()
        torch.testing.assert_close(log_variance[row].exp(), variances, rtol=1e-3, atol=1e-6)


def test_before_the_rounds_the_decoder_draws_the_images_of_the_sketch() -> None:
    generator, rng = sharp_generator(), torch.Generator()
    decoder = VaeKind(IMAGES).finish(
        VaeKind(IMAGES).start(generator, NO_STEPS, seed=0), generator, seed=0
    )
    assert type(decoder) is ImageGenerator
    with torch.no_grad():
        expected, found = (each.draw(5, rng.manual_seed(3)) for each in (generator, decoder))
    torch.testing.assert_close(found, expected)


def test_the_loss_of_an_image_uses_what_the_generator_draws() -> None:
    vae = make_vae(IMAGES)
    vae.start_at_generator(sharp_generator())
    latent, labels = torch.randn(6, vae.settings.directions), torch.arange(6) % 2
    classes = torch.nn.functional.one_hot(labels, 2).float()
    torch.testing.assert_close(
        cut(ImageBound(vae)._decode(latent, classes)), vae(latent, labels), rtol=1e-4, atol=1e-5
    )


def test_a_step_of_training_moves_the_shared_weights_and_lowers_the_loss() -> None:
    for schema in (IMAGES, TABLE):
        kind = VaeKind(schema)
        vae = make_vae(schema)
        bound = kind.bound(vae)
        rows = kind.to_rows(draw_codes(schema, 60), torch.Generator().manual_seed(0))
        before = copy.deepcopy(vae.state_dict())
        first = float(bound(rows).detach().mean())
        fit_on_public_rows(
            bound, lambda number, rows=rows: rows[:number], PretrainSettings(steps=60)
        )
        assert float(bound(rows).detach().mean()) < 0.9 * first
        moved = [name for name, old in before.items() if (vae.state_dict()[name] != old).any()]
        assert set(moved) == {name for name, _ in bound.named_parameters()}


def test_the_generator_of_a_table_says_what_the_decoder_says() -> None:
    vae = make_vae(TABLE)
    assert isinstance(vae, TableVae)
    with torch.no_grad():
        vae.base.copy_(torch.randn(vae.base.shape, generator=torch.Generator().manual_seed(2)))
    rows = to_one_hot(draw_codes(TABLE, CODES), TABLE.sizes)
    generator = vae.to_generator(rows, torch.Generator().manual_seed(5))
    noise = torch.randn(CODES, LATENT, generator=torch.Generator().manual_seed(5))
    bound = TableBound(vae)
    losses = bound(torch.cat([rows, noise], dim=1))
    divergence = bound.find_codes(rows, noise)[1]
    columns = generator.mixture().columns
    own = rows.split(list(TABLE.sizes), dim=1)
    at = TABLE.label_index
    label = own[at].argmax(1)
    told = torch.zeros(CODES)
    for column, table in zip(own, columns, strict=True):
        each = table if table.ndim == 2 else table[label, torch.arange(CODES)]
        told -= (each * column).sum(1).log()
    torch.testing.assert_close(losses, divergence + told, rtol=1e-3, atol=1e-3)


def test_an_autoencoder_learns_a_table_from_rows_that_a_generator_draws() -> None:
    kind, fitted = VaeKind(TABLE), table_generator()
    usual = kind.start(fitted, PretrainSettings(steps=400, batch_size=300), seed=0)
    made = kind.finish(usual, fitted, seed=0)
    assert isinstance(made, Generator)
    wanted, found = (each.sample_codes(20_000, np.random.default_rng(1)) for each in (fitted, made))
    for first in range(3):
        for second in range(first):
            sizes = TABLE.sizes[first], TABLE.sizes[second]
            shares = []
            for codes in (wanted, found):
                place = codes[:, first].astype(int) * sizes[1] + codes[:, second]
                shares.append(np.bincount(place, minlength=sizes[0] * sizes[1]) / len(codes))
            assert 0.5 * np.abs(shares[0] - shares[1]).sum() < 0.15


def test_conditions_are_met_and_files_give_the_same_generator_back(tmp_path) -> None:
    kind, fitted = VaeKind(TABLE), table_generator()
    made = kind.finish(kind.start(fitted, PretrainSettings(steps=5), seed=0), fitted, seed=0)
    assert isinstance(made, Generator)
    save_generator(tmp_path, made, TABLE)
    again, _ = load_generator(tmp_path)
    only = {1: np.array([False, True, False])}
    drawn = [
        each.sample_codes(50, np.random.default_rng(0), allowed=only) for each in (made, again)
    ]
    np.testing.assert_array_equal(*drawn)
    assert set(drawn[0][:, 1]) == {1}


def test_a_decoder_of_images_is_kept_and_read_like_any_generator(tmp_path) -> None:
    vae = make_vae(IMAGES)
    assert isinstance(vae, ImageVae)
    save_image_generator(tmp_path, vae.decoder(), IMAGES)
    again, _ = load_image_generator(tmp_path)
    assert again.settings == vae.settings
    mine, kept = vae.state_dict(), again.state_dict()
    assert not kept["refiner.last.weight"].any()  # it adds nothing, as in the bound
    for name, weight in kept.items():
        assert name.startswith("refiner.") or torch.equal(weight, mine[name])


def test_the_same_seed_gives_the_same_autoencoder() -> None:
    kind, fitted = VaeKind(TABLE), table_generator()
    several = [kind.start(fitted, PretrainSettings(steps=3), seed=seed) for seed in (1, 1, 2)]
    first, again, other = (
        torch.cat([w.flatten() for w in each.state_dict().values()]) for each in several
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("wrong", [{"steps": -1}, {"batch_size": 0}, {"learning_rate": 0.0}])
def test_numbers_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="steps must be >= 0"):
        PretrainSettings(**({"steps": 1} | wrong))


def test_another_number_of_public_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="rows must be 2048"):
        make_vae(TABLE).to_generator(torch.zeros(3, sum(TABLE.sizes)), torch.Generator())


def test_every_row_brings_noise_of_its_own() -> None:
    kind, _ = make_bound(TABLE)
    rows = kind.to_rows(np.zeros((4, 3), dtype=np.int16), torch.Generator().manual_seed(0))
    assert rows.shape == (4, kind.width)
    assert len({tuple(row[-LATENT:].tolist()) for row in rows}) == 4
