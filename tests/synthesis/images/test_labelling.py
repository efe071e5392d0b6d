"""The discriminator of images tells classes, and the generator labels what it draws by it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from image_generators import SCHEMA, make_generator
from torch.nn import functional

from synthesis import InputError
from synthesis.adversarial import GeneratorStepSettings
from synthesis.images.adversarial import improve_image_generator, mislabel, teach_labels
from synthesis.images.discriminator import ImageDiscriminator
from synthesis.images.generator import ImageGenerator, ImageGeneratorSettings, to_rows
from synthesis.images.sampling import sample_images
from synthesis.kinds.images import ImageKind


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_discriminator(seed: int = 0, *, may_flip: bool = False) -> ImageDiscriminator:
    return ImageDiscriminator(SCHEMA.shape, SCHEMA.num_classes, may_flip=may_flip, rng=seeded(seed))


def give_labels(generator: ImageGenerator, odds: list[float]) -> None:
    """Let the labeller see the same in every image: the class with the largest of these."""
    head = generator.labeller.head
    with torch.no_grad():
        head.weight.zero_()
        head.bias.copy_(torch.tensor(odds))
        generator.labels_again.fill_(1.0)


def test_the_loss_of_a_real_image_is_the_cross_entropy_of_its_class() -> None:
    discriminator, images = make_discriminator(), torch.rand(30, *SCHEMA.shape, generator=seeded())
    labels = torch.arange(30) % 3
    odds = discriminator(to_rows(images, labels, 3))
    scores = discriminator.score(images)
    torch.testing.assert_close(
        functional.binary_cross_entropy_with_logits(odds, torch.ones(30), reduction="none"),
        functional.cross_entropy(scores, labels, reduction="none"),
    )
    not_it = functional.binary_cross_entropy_with_logits(odds, torch.zeros(30), reduction="none")
    probabilities = scores.softmax(1)[torch.arange(30), labels]
    torch.testing.assert_close(not_it, -torch.log1p(-probabilities))


@pytest.mark.parametrize("may_flip", [False, True])
def test_what_is_seen_of_an_image_has_norm_1_and_is_of_it_alone(may_flip: bool) -> None:
    discriminator = make_discriminator(may_flip=may_flip)
    images = torch.rand(8, *SCHEMA.shape, generator=seeded())
    seen = discriminator.look(images)
    torch.testing.assert_close(seen.norm(dim=1), torch.ones(8))
    torch.testing.assert_close(seen[3:4], discriminator.look(images[3:4]))  # each by itself
    flat = discriminator.look(torch.zeros_like(images[:1]))
    assert flat.isfinite().all() and float(flat.norm()) <= 1.0
    assert sum(weight.numel() for weight in discriminator.parameters()) == 3 * (seen.shape[1] + 1)


@pytest.mark.parametrize("may_flip", [False, True])
def test_an_image_and_its_mirror_image_look_alike_where_they_mean_the_same(may_flip: bool) -> None:
    discriminator = make_discriminator(may_flip=may_flip)
    images = torch.rand(8, *SCHEMA.shape, generator=seeded())
    images.requires_grad_()
    seen, mirrored = discriminator.look(images), discriminator.look(images.flip(3))
    apart = (seen - mirrored).norm(dim=1)
    assert bool((apart < 1e-5).all()) if may_flip else bool((apart > 0.01).all())
    discriminator.score(images).sum().backward()  # a generator can follow every view
    assert images.grad is not None and bool((images.grad.flatten(1).norm(dim=1) > 0).all())


def test_generator_and_sites_look_as_the_schema_says() -> None:
    both_ways = SCHEMA.model_copy(update={"may_flip": True})
    images = torch.rand(8, *SCHEMA.shape, generator=seeded())
    for schema in (SCHEMA, both_ways):
        generator = ImageGenerator(ImageGeneratorSettings.for_schema(schema), rng=seeded())
        judge = ImageKind(schema).make_discriminator(seeded())
        torch.testing.assert_close(judge.look(images), generator.labeller.look(images))
    assert not torch.allclose(judge.look(images), make_discriminator().look(images))


def test_fakes_have_every_class_but_their_own() -> None:
    labels = torch.arange(3000) % 5
    wrong = mislabel(labels, 5, seeded())
    assert bool((wrong != labels).all())
    pairs = torch.bincount(labels * 5 + wrong, minlength=25).view(5, 5)
    assert int(pairs[~torch.eye(5, dtype=torch.bool)].min()) > 100


@pytest.mark.slow
def test_before_the_rounds_the_labeller_learns_what_the_generator_draws() -> None:
    generator, _ = make_generator(scale=0.3)
    assert not generator.is_labelling
    images, labels = generator.draw(1000, seeded(1))
    teach_labels(generator, rng=seeded(2))
    assert generator.is_labelling
    seen = generator.labeller.score(images).argmax(1)
    assert float((seen == labels).float().mean()) > 0.9
    again, told = generator.draw(1000, seeded(1))
    torch.testing.assert_close(again, images)
    assert bool((told == seen).all())


def test_a_class_that_is_asked_for_is_what_the_labeller_sees() -> None:
    generator, _ = make_generator(scale=0.3)
    teach_labels(generator, rng=seeded(2))
    codes = sample_images(generator, SCHEMA, 1500, seed=0, only="b")
    assert codes.shape == (1500, SCHEMA.num_pixels + 1)
    assert set(codes[:, -1]) == {1}
    images = torch.from_numpy(codes[:, :-1] / np.float32(255)).unflatten(1, SCHEMA.shape)
    seen = generator.labeller.score(images).argmax(1)
    assert float((seen == 1).float().mean()) > 0.98  # but for rounding to 255 steps


def test_a_class_that_is_never_drawn_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    generator, _ = make_generator()
    give_labels(generator, [1.0, 0.0, 0.0])
    monkeypatch.setattr("synthesis.images.sampling._MOST_TRIES", 3)
    with pytest.raises(InputError, match=r"of 3,000 images 0 were of this one where 5 are needed"):
        sample_images(generator, SCHEMA, 5, seed=0, only="c")


def test_a_round_begins_with_the_global_labeller_and_ends_with_the_new_one() -> None:
    kind, (generator, _) = ImageKind(SCHEMA), make_generator()
    discriminator = kind.make_discriminator(seeded(5))
    kind.begin_round(discriminator, generator)
    for mine, theirs in zip(
        discriminator.parameters(), generator.labeller.parameters(), strict=True
    ):
        assert torch.equal(mine, theirs)
    trained = make_discriminator(7)
    images = generator.draw(20, seeded())[0]
    found = improve_image_generator(
        generator, trained, SCHEMA, GeneratorStepSettings(steps=0), rng=seeded()
    )
    assert torch.equal(found.labeller.head.weight, trained.head.weight)
    torch.testing.assert_close(found.draw(20, seeded())[0], images)


def test_a_proximal_term_holds_the_generator_to_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthesis.images.adversarial.LEAST_SEEN", 0.0)

    def moved(proximal: float) -> float:
        generator, _ = make_generator()
        before = torch.nn.utils.parameters_to_vector(generator.refine.parameters()).detach().clone()
        settings = GeneratorStepSettings(steps=5, batch_size=20, proximal=proximal)
        found = improve_image_generator(
            generator, make_discriminator(7), SCHEMA, settings, rng=seeded()
        )
        after = torch.nn.utils.parameters_to_vector(found.refine.parameters()).detach()
        return float((after - before).norm())

    free, loose, tight = map(moved, (0.0, 1.0, 1e4))
    assert free > loose > tight > 0
