"""The attack of a site's own discriminator, which is never published (after LOGAN)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from client.site import Site
from client.state import StudyState
from simulations.attacks.matching import MatchedRows
from synthesis.attacks import Trial
from synthesis.discriminator import Discriminator, make_discriminator_optimizer
from synthesis.rows import to_one_hot
from synthesis.schema import Schema
from synthesis.units import Codes

INSIDER = "a site's unpublished discriminator"
_PART = 500  # rows at a time


@dataclass(frozen=True, kw_only=True, eq=False)
class Insider:
    """Somebody who sees a site's discriminator, with rows to try.

    Attributes:
        sizes: codes of every column.
        discriminator: as the last round left it.
        rows: of the same site.
    """

    sizes: tuple[int, ...]
    discriminator: Discriminator
    rows: MatchedRows = field(repr=False)

    def attack(self) -> Trial:
        """Try how real the discriminator finds each row: it has seen the members.

        Reference: Hayes et al. 2019, LOGAN, white box.
        """
        return Trial.of_scores(
            INSIDER, self._score(self.rows.members), self._score(self.rows.others)
        )

    @torch.no_grad()
    def _score(self, rows: Codes) -> NDArray[np.float64]:
        parts = [
            self.discriminator(to_one_hot(rows[start : start + _PART], self.sizes))
            for start in range(0, len(rows), _PART)
        ]
        return np.asarray(torch.cat(parts).double().numpy())


def load_discriminator(site: Site, study: str, *, rounds: int) -> Discriminator | None:
    """Return the discriminator that a site keeps of a study; None if it trained none."""
    assert isinstance(site.schema, Schema)  # attacks are on tables
    discriminator = Discriminator(sum(site.schema.sizes), rng=torch.Generator())
    optimizer = make_discriminator_optimizer(list(discriminator.parameters()))
    state = StudyState(site.folder, study)
    return discriminator if state.restore_training(rounds + 1, discriminator, optimizer) else None
