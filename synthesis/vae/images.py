"""An autoencoder of images: the generator of the sketch as decoder, and an encoder beside it.

The first stage of the generator is a linear Gaussian model of an image's cosine coefficients given
its class, and of such a model the posterior of the latent numbers is known (Tipping and Bishop
1999). The encoder starts there: what the sketch says, and no training, makes a whole autoencoder.
Training then moves the encoder from there, and the second stage of the decoder.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from synthesis.images.generator import ImageGenerator, ImageGeneratorSettings, cut
from synthesis.vae.bound import MOST_LOG_VARIANCE, compute_divergence, draw_latent

__all__ = ["VAE_HIDDEN", "ImageBound", "ImageVae"]

VAE_HIDDEN = 8
"""Channels of the decoder's second stage: noise on its weights grows with their number."""
PIXEL_VARIANCE = 0.03
"""Variance of a pixel around what the decoder draws, on a scale from 0 to 1."""
CODE_VARIANCE = 3e-4
"""Variance of a scaled coefficient around what the first stage says."""


class ImageVae(ImageGenerator):
    """A generator of images with an encoder: what sites and coordinator send each other.

    Args:
        settings: architecture of the decoder.
        rng: draws its initial weights; public randomness.
    """

    def __init__(self, settings: ImageGeneratorSettings, *, rng: torch.Generator) -> None:
        super().__init__(settings, rng=rng)
        known = settings.directions + settings.num_classes
        self.encoder = nn.Linear(known, 2 * settings.directions)
        nn.init.zeros_(self.encoder.weight)
        nn.init.zeros_(self.encoder.bias)

    @torch.no_grad()
    def start_at_generator(self, generator: ImageGenerator) -> None:
        """Take over the first stage of a generator that was fitted to a sketch."""
        for name in ("means", "factors", "shares", "curve"):
            getattr(self, name).copy_(getattr(generator, name))

    @torch.no_grad()
    def decoder(self) -> ImageGenerator:
        """Return the generator alone, which is what is published."""
        alone = ImageGenerator(self.settings, rng=torch.Generator().manual_seed(0))
        mine, idle = self.state_dict(), alone.state_dict()
        alone.load_state_dict(
            {name: (idle if name.startswith("refiner.") else mine)[name] for name in idle}
        )
        return alone

    def refine_rough(self, rough: Tensor, labels: Tensor) -> Tensor:
        """Return the images of what the first stage draws; the bound knows no refiner."""
        refined: Tensor = rough + self.refine(rough)
        return cut(refined)


class ImageBound(nn.Module):
    """The negative evidence lower bound of each image: what is made smaller, privately or not.

    It shares the weights that are trained with the autoencoder and holds the rest as numbers, for
    the private step lets a network have no buffers.

    Args:
        vae: trained in place.
    """

    def __init__(self, vae: ImageVae) -> None:
        super().__init__()
        self.encoder, self.refine = vae.encoder, vae.refine
        self._settings = vae.settings
        self._means, self._factors = vae.means.detach().clone(), vae.factors.detach().clone()
        self._curve = vae.curve.clone()
        variances = self._factors.square().sum(2)  # (classes, directions)
        self._gains = 1.0 / (variances + CODE_VARIANCE)
        self._log_variances = torch.log(CODE_VARIANCE * self._gains)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the loss of each row ``(n,)``.

        Args:
            rows: pixels, class as one-hot, and standard normal numbers for the latent draw,
                ``(n, pixels + classes + directions)``.
        """
        settings = self._settings
        shape = settings.frequencies.shape
        pixels = rows.shape[1] - settings.num_classes - settings.directions
        flat, classes, noise = rows.split([pixels, settings.num_classes, settings.directions], 1)
        images = flat.unflatten(1, shape)
        mean, log_variance = self._encode(images, classes)
        drawn = cut(self._decode(draw_latent(mean, log_variance, noise), classes))
        errors = (drawn - images).square().flatten(1).sum(1) / (2.0 * PIXEL_VARIANCE)
        losses: Tensor = errors + compute_divergence(mean, log_variance)
        return losses

    def _encode(self, images: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of each posterior, ``(n, directions)`` each."""
        found = self._settings.frequencies.to_weighted(images)
        apart = found - classes @ self._means
        # The factors of a class, given by its one-hot numbers, without looking at other rows.
        shares = torch.einsum("kds,ns->nkd", self._factors, apart)
        mean = torch.einsum("nkd,nk->nd", shares * self._gains, classes)
        told = torch.cat([mean, classes], dim=1)
        moved, widened = self.encoder(told).chunk(2, dim=1)
        log_variance = classes @ self._log_variances + widened
        return mean + moved, log_variance.clamp(-MOST_LOG_VARIANCE, MOST_LOG_VARIANCE)

    def _decode(self, latent: Tensor, classes: Tensor) -> Tensor:
        drawn = torch.einsum("nd,nk,kds->ns", latent, classes, self._factors)
        found = classes @ self._means + drawn
        haze, contrast = self._curve
        rough = (self._settings.frequencies.to_images(found) - haze) * contrast
        refined: Tensor = rough + self.refine(rough)
        return refined
