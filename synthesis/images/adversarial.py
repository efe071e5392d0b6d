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
_LESSON_IMAGES = 6000
_PART = 500  # images at a time
_LESSONS = 100
_LESSON_SIZE = 256
_LEARNING_RATE = 0.02


def teach_labels(generator: ImageGenerator, *, rng: torch.Generator) -> None:
    """Let the labeller know the classes of what the generator draws, before any real image.

    It is where the sites' private steps begin, which so have the less to do.

    Args:
        generator: fitted to the sketch; its labeller is trained in place, and used from now on.
        rng: draws images, and which a step sees.
    """
    generator.labels_again.zero_()  # what is drawn has the class that it is drawn for
    labeller = generator.labeller
    with torch.no_grad():
        drawn = [generator.draw(_PART, rng) for _ in range(_LESSON_IMAGES // _PART)]
        seen = torch.cat([labeller.look(images) for images, _ in drawn])
        labels = torch.cat([labels for _, labels in drawn])
    optimizer = torch.optim.Adam(labeller.parameters(), lr=_LEARNING_RATE)
    for _ in range(_LESSONS):
        some = torch.randint(len(seen), (_LESSON_SIZE,), generator=rng)
        optimizer.zero_grad()
        functional.cross_entropy(labeller.head(seen[some]), labels[some]).backward()
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
        rng: draws latent numbers and classes.
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
        rows = to_rows(images, labels, schema.num_classes)
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
