"""What the generator of images draws after every round, for the report: post-processing, free."""

from __future__ import annotations

from torch import nn

from server.autoencoding import finish_rounds
from server.outcome import AnyGenerator
from server.study import Study
from synthesis.images.generator import ImageGenerator
from synthesis.images.pictures import choose_shown
from synthesis.images.sampling import sample_images
from synthesis.images.schema import ImageSchema
from synthesis.kinds import AnySchema
from synthesis.units import Codes

PER_CLASS = 3
"""Images of a class that are shown of each round."""
_DRAWN_PER_CLASS = 40


class RoundImages:
    """Draws a few images of every class after each round, from the same latent numbers each time.

    Args:
        study: the public settings.
        schema: the public schema; of a table nothing is drawn.
        fitted: the generator before the rounds.
    """

    def __init__(self, study: Study, schema: AnySchema, fitted: AnyGenerator) -> None:
        self._study = study
        self._schema = schema
        self._fitted = fitted
        self._drawn: list[Codes] = []

    @property
    def drawn(self) -> tuple[Codes, ...]:
        """The images of each round so far, as codes: pixels and then the class."""
        return tuple(self._drawn)

    def draw(self, trained: nn.Module) -> None:
        """Draw images of one more round.

        Args:
            trained: what the round left.
        """
        if not isinstance(self._schema, ImageSchema):
            return
        generator = finish_rounds(self._study, self._schema, trained, self._fitted)
        assert isinstance(generator, ImageGenerator)
        number = _DRAWN_PER_CLASS * self._schema.num_classes
        codes = sample_images(generator, self._schema, number, seed=self._study.seed)
        self._drawn.append(choose_shown(codes, self._schema, PER_CLASS))
