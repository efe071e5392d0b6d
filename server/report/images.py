"""Images in a report: figures and grids, real beside synthetic in simulations only."""

from typing import Annotated, Literal

from pydantic import Field

from server.report.parts import Count, NotNegative, Part, Share

PNG_PREFIX = "data:image/png;base64,"


class ImageRow(Part):
    """How one collection of images does beside real ones."""

    kind: Literal["real", "sketch", "final"]
    """Real training images, the generator before the rounds, or after them."""
    accuracy: Share
    """Share of real test images whose class a classifier trained on this collection tells."""
    accuracy_low: Share
    """Lower end of its 95 % interval."""
    accuracy_high: Share
    """Upper end of its 95 % interval."""
    frechet: NotNegative
    """Frechet distance (FID) to real test images, in features of the extractor; 0 is best."""
    kernel: float
    """Kernel distance (KID) likewise, unbiased, so it may fall a little below 0."""


class Copies(Part):
    """Whether synthetic images are images that were trained on; a duplicate check, no more."""

    closer_to_train: Share
    """Share of synthetic images closer to an image trained on than to as many held out."""
    low: Share
    """Lower end of its 95 % interval; about one half lies inside if nothing is remembered."""
    high: Share
    """Upper end of its 95 % interval."""
    copies: Count
    """Synthetic images that are an image trained on, pixel by pixel."""


class ImageFigures(Part):
    """Figures measured on real images without noise; only a simulation has them."""

    mark: Literal["simulation: drawn from real rows"] = "simulation: drawn from real rows"
    """Warns whoever reads this part alone."""
    train_images: Count
    """Real images of all sites together."""
    test_images: Count
    """Real images that nothing was trained on."""
    extractor: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the extractor, which has seen public digits only."""
    rows: tuple[ImageRow, ...]
    """One entry per collection compared."""
    copies: Copies
    """Of the published images."""


_Png = Annotated[str, Field(pattern=r"^data:image/png;base64,[A-Za-z0-9+/=]+$")]


class Grid(Part):
    """A picture with a line of images for every class."""

    kind: Literal["real", "synthetic", "sketch", "nearest"]
    """What it shows; real and nearest images exist in simulations alone."""
    png: _Png
    """The picture."""


class RoundGrid(Part):
    """What the generator drew after one round: a few images of every class, a line for each."""

    server_round: Count
    """From 1."""
    png: _Png
    """The picture."""


class Images(Part):
    """What the images of a release look like."""

    shape: tuple[Count, Count, Count]
    """Channels, height and width."""
    classes: tuple[str, ...]
    """Names of the classes, from the top of a grid to its foot."""
    grids: tuple[Grid, ...]
    """Pictures."""
    rounds: tuple[RoundGrid, ...] = ()
    """Pictures of some rounds, all from the same latent numbers."""
    figures: ImageFigures | None = None
    """None where nobody may see all real images."""

    @property
    def shows_real(self) -> bool:
        """Whether a real image is among the pictures."""
        return any(grid.kind in ("real", "nearest") for grid in self.grids)
