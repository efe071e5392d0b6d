"""What generator and discriminator of images learn from each other: free post-processing."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.nn import functional

from synthesis.adversarial import GeneratorStepSettings, square_distance
from synthesis.images.discriminator import ImageDiscriminator
from synthesis.images.generator import ImageGenerator, to_rows
from synthesis.images.schema import ImageSchema

LEAST_SEEN = 0.75
"""Share of fakes that a discriminator must know before the generator follows it."""
_FAKES_ASKED = 500
_LESSONS = 450
_LESSON_SIZE = 128
_LEARNING_RATE = 2e-3


def teach_labels(generator: ImageGenerator, schema: ImageSchema, *, rng: torch.Generator) -> None:
    """Let the labeller know the classes of what the generator draws, before any real image.

    It is where the sites' private steps begin, which so have the less to do.

    Args:
        generator: fitted to the sketch; its labeller is trained in place, and used from now on.
        schema: of the images.
        rng: draws images and shifts.
    """
    generator.labels_again.zero_()  # what is drawn has the class that it is drawn for
    optimizer = torch.optim.Adam(generator.labeller.parameters(), lr=_LEARNING_RATE)
    for _ in range(_LESSONS):
        with torch.no_grad():
            images, labels = generator.draw(_LESSON_SIZE, rng)
        optimizer.zero_grad()
        scores = generator.labeller.score(move(images, schema, rng))
        functional.cross_entropy(scores, labels).backward()
        optimizer.step()
    generator.labels_again.fill_(1.0)


def mislabel(labels: Tensor, num_classes: int, rng: torch.Generator) -> Tensor:
    """Return another class for each, all others alike likely."""
    moved = torch.randint(1, num_classes, labels.shape, generator=rng)
    return (labels + moved) % num_classes


def improve_image_generator(
    generator: ImageGenerator,
    discriminator: ImageDiscriminator,
    schema: ImageSchema,
    settings: GeneratorStepSettings,
    *,
    rng: torch.Generator,
) -> ImageGenerator:
    """Label with the discriminator, train the generator to look real, and return its average.

    Args:
        generator: the start; trained in place.
        discriminator: trained under DP-SGD; not changed.
        schema: of the images.
        settings: steps, batch size and weights.
        rng: draws latent numbers, classes and shifts.
    """
    generator.labeller.load_state_dict(discriminator.state_dict())
    if not sees_fakes(generator, discriminator, schema, rng):
        return generator
    weights: list[Tensor] = list(generator.refine.parameters())
    optimizer = torch.optim.Adam(weights, lr=settings.learning_rate, betas=(0.5, 0.9))
    start = [weight.detach().clone() for weight in weights]
    average = copy.deepcopy(generator)
    for step in range(settings.steps):
        optimizer.zero_grad()
        images, labels = generator.draw(settings.batch_size, rng)
        rows = to_rows(move(images, schema, rng), labels, schema.num_classes)
        loss = functional.softplus(-discriminator(rows)).mean()
        if settings.proximal > 0:
            loss = loss + settings.proximal / 2 * square_distance(weights, start)
        loss.backward()
        optimizer.step()
        update(average, generator, decay=min(0.9, step / (step + 5)))
    return average


@torch.no_grad()
def sees_fakes(
    generator: ImageGenerator,
    discriminator: ImageDiscriminator,
    schema: ImageSchema,
    rng: torch.Generator,
) -> bool:
    """Return whether a discriminator knows fakes for what they are, which costs nothing to ask.

    One that does not has nothing to teach yet, and would only lead the generator astray.
    """
    images, labels = generator.draw(_FAKES_ASKED, rng)
    logits = discriminator(to_rows(images, labels, schema.num_classes))
    return float((logits < 0).float().mean()) >= LEAST_SEEN


@torch.no_grad()
def update(average: ImageGenerator, current: ImageGenerator, *, decay: float) -> None:
    """Move the running average of weights a step towards the current ones."""
    for kept, new in zip(average.parameters(), current.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


def move(images: Tensor, schema: ImageSchema, rng: torch.Generator) -> Tensor:
    """Shift every image by itself, and mirror it by a coin where the schema allows that.

    Real images and fakes are moved alike, so a discriminator learns from more than it saw, and
    never that something was moved (Zhao et al. 2020, "Differentiable Augmentation"). One image
    stays one image, so a record still moves a step by one clip.

    Args:
        images: ``(n, channels, height, width)``.
        schema: of the images.
        rng: draws how each is moved.
    """
    number, _, height, width = images.shape
    down, across = (
        torch.randint(-(side // 14), side // 14 + 1, (number,), generator=rng)
        for side in (height, width)
    )
    lines = torch.arange(height)[None] - down[:, None]  # (n, height)
    places = torch.arange(width)[None] - across[:, None]
    if schema.may_flip:
        mirrored = torch.rand(number, generator=rng) < 0.5
        places = torch.where(mirrored[:, None], width - 1 - places, places)
    inside = ((0 <= lines) & (lines < height))[:, :, None] & ((0 <= places) & (places < width))[
        :, None, :
    ]
    flat = lines.clamp(0, height - 1)[:, :, None] * width + places.clamp(0, width - 1)[:, None, :]
    moved = images.flatten(2).gather(2, flat.flatten(1)[:, None].expand(-1, images.shape[1], -1))
    kept: Tensor = moved.unflatten(2, (height, width)) * inside[:, None]
    return kept
