"""What the generator of images draws after rounds, for the report: post-processing, and free."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from server.outcome import AnyGenerator
from server.round_models import finish_rounds
from server.study import Study
from synthesis.images.generator import ImageGenerator
from synthesis.images.pictures import PER_ROUND, choose_shown
from synthesis.images.sampling import sample_images
from synthesis.images.schema import ImageSchema
from synthesis.kinds import AnySchema
from synthesis.units import Codes

MOST_SHOWN = 8
"""Rounds that a report shows at most, however many a study has."""
_DRAWN_PER_CLASS = 40


class RoundImages:
    """Draws a few images of every class after a round, from the same latent numbers each time.

    Args:
        study: the public settings.
        schema: the public schema; of a table nothing is drawn.
        fitted: the generator before the rounds.
    """

    def __init__(self, study: Study, schema: AnySchema, fitted: AnyGenerator) -> None:
        self._study = study
        self._schema = schema
        self._fitted = fitted
        self._drawn: dict[int, Codes] = {}

    @property
    def drawn(self) -> Mapping[int, Codes]:
        """The images of rounds so far, as codes: pixels and then the class; by round."""
        return dict(self._drawn)

    def shows(self, server_round: int) -> bool:
        """Return whether a round is among those shown: all if they are few, the last in any case.

        Args:
            server_round: from 1.
        """
        if not isinstance(self._schema, ImageSchema):
            return False
        rounds = self._study.rounds
        shown = min(rounds, MOST_SHOWN)
        return server_round in {-(-number * rounds // shown) for number in range(1, shown + 1)}

    def draw(self, server_round: int, trained: nn.Module) -> None:
        """Draw images of one round.

        Args:
            server_round: one that is shown.
            trained: what the round left.
        """
        assert isinstance(self._schema, ImageSchema)
        generator = finish_rounds(self._study, self._schema, trained, self._fitted)
        assert isinstance(generator, ImageGenerator)
        number = _DRAWN_PER_CLASS * self._schema.num_classes
        codes = sample_images(generator, self._schema, number, seed=self._study.seed)
        self._drawn[server_round] = choose_shown(codes, self._schema, PER_ROUND)
