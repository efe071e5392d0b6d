"""One private step of an autoencoder, with its noise off, as the sensitivity test wants it."""

from __future__ import annotations

import torch
from torch import Tensor

from client.autoencoding import make_vae_optimizer
from privacy import PrivateStep, SeededRandomness
from privacy.record_losses import take_losses
from simulations.audits.image_mechanisms import draw_images
from simulations.audits.mechanisms import Mechanism, draw_table_codes, spoil_a_row
from synthesis.images.schema import ImageSchema
from synthesis.kinds import AnySchema
from synthesis.kinds.vae import VaeKind

__all__ = ["make_vae_step"]

_SPREAD = 0.1
"""Standard deviation of what is added to every weight, for some of them start at zero."""


def make_vae_step(
    schema: AnySchema,
    *,
    clip: float,
    batch: int,
    randomness: SeededRandomness,
    path: tuple[str, ...],
) -> Mechanism:
    """Return one step: the sum of clipped gradients of the losses of a batch; there are no fakes.

    Args:
        schema: decides how large the autoencoder is.
        clip: norm that a record's gradient is clipped to.
        batch: declared batch size.
        randomness: draws weights.
        path: names this step among the streams.
    """
    kind, rng = VaeKind(schema), randomness.torch(*path, "weights")
    vae = kind.make(rng)
    with torch.no_grad():
        for weight in vae.parameters():
            weight.add_(_SPREAD * torch.randn(weight.shape, generator=rng))
    step = PrivateStep(
        kind.bound(vae),
        make_vae_optimizer,
        noise_multiplier=0.0,
        max_grad_norm=clip,
        expected_batch_size=batch,
        fake_batch_size=0,
        stream=randomness.stream(*path, "no-noise"),
        losses=take_losses,
    )

    def draw(number: int, rng: torch.Generator) -> Tensor:
        if isinstance(schema, ImageSchema):
            codes = draw_images(schema, number, rng)
        else:
            codes = draw_table_codes(schema.sizes, number, rng)
        return kind.to_rows(codes.numpy(), rng)

    def draw_adversary(rng: torch.Generator) -> Tensor:
        is_usual = bool(torch.randint(2, (1,), generator=rng))
        return draw(1, rng) if is_usual else spoil_a_row(kind.width, rng)

    def release(rows: Tensor) -> Tensor:
        step.sum_clipped_gradients(rows, rows.new_zeros(0, kind.width))
        gradients = [weight.grad for weight in step.discriminator.parameters()]
        return torch.cat([each.flatten() for each in gradients if each is not None])

    return Mechanism(
        name=f"autoencoder step, clip {clip:g}, batch {batch}",
        unit="record",  # of a person, one row is drawn
        claimed=clip,
        release=release,
        draw_records=lambda rng: draw(int(torch.randint(batch + 1, (1,), generator=rng)), rng),
        draw_adversary=draw_adversary,
    )
