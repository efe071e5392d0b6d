"""The audit of the sites' sketches by canaries, at the coordinator: from private outputs alone.

Of a site that planted canaries the coordinator keeps, besides the sum of all sketches, the noisy
counts of the cells that its canaries touch. What other rows add to these it tells from the
generator that was fitted to the sum. Canaries are public but for their coins, so half of each is
taken out of every sketch at once: the table that is published hardly feels them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from flwr.serverapp import Grid
from numpy.typing import NDArray
from scipy import sparse

from privacy import SeededRandomness
from privacy.audits import score_projections
from privacy.canaries import Opening, count_guesses, draw_canaries
from server.attestation.canaries import CanaryStatement, SiteCanaries
from server.conversation import Conversation
from server.outcome import AnyGenerator, Planted, StudyOutcome
from server.pooling import Missing, kept_values, noise_of, number_of, sizes_of
from server.question import settings_of
from server.study import Study
from strategies import protocol
from strategies.collect import Answers
from strategies.receipts import ReceiptBook
from strategies.validation import Reply
from synthesis.contributions import find_contributions
from synthesis.generator import Generator
from synthesis.kinds import AnySchema
from synthesis.layout import SketchLayout, compute_sketch
from synthesis.schema import Schema

MODEL_ERROR = 1.0
"""Error of what is expected in a cell, as a share of it; `docs/audits.md` says why."""
NOTHING: Missing = {}
MODEL_ROWS = 100_000
"""Rows that are drawn from the generator to tell what it expects in each cell."""

LONGEST_OPENING_S = 60.0
"""Longest wait for coins: a site only reads a file, and none has to answer, so that a silent one
must not hold up the release for the hours that a phase may take."""


class CanaryAuditor:
    """Makes the canaries of every site, and scores them when all is released.

    Args:
        study: the public settings.
        schema: the public schema.
        conversation: with the sites.
        receipts: holds the public keys of the nodes that said hello.
    """

    def __init__(
        self, study: Study, schema: AnySchema, conversation: Conversation, receipts: ReceiptBook
    ) -> None:
        self._study = study
        self._schema = schema
        self._conversation = conversation
        self._receipts = receipts

    def find_contributions(self, node: int, number: int, missing: Missing = NOTHING) -> Any:
        """Return what each canary of a site adds to its sketch, sparse ``(number, dimension)``.

        Args:
            node: the site.
            number: of its canaries.
            missing: columns that sites lack.
        """
        assert isinstance(self._schema, Schema)  # no pool takes canaries among images
        rows = draw_canaries(
            self._schema.sizes,
            number,
            study=self._study.digest(),
            schema=self._schema.digest(),
            public_key=self._receipts.keys[node].hex,
        )
        layout = SketchLayout.from_schema(self._schema).lacking(missing.get(node, ()))
        return find_contributions(layout, rows)

    def open_coins(
        self, grid: Grid, sketches: Answers, fitted: AnyGenerator, missing: Missing = NOTHING
    ) -> dict[int, Planted]:
        """Score the canaries of every site that planted some, and ask the site for their coins.

        Call it when no private phase is left. No site has to answer, and one that opens other coins
        than it committed to is as one that opened none.

        Args:
            grid: where the sites are.
            sketches: with what was kept of them.
            fitted: the generator as it was before any round: it follows from the sketches, which
                are what is audited, and from nothing else.
            missing: columns that sites lack.
        """
        planted = {node: reply for node, reply in sketches.valid.items() if number_of(reply)}
        if not planted:
            return {}
        opened = self._conversation.ask(
            grid,
            lambda: list(planted),
            protocol.QUERY_OPEN,
            settings_of(self._study),
            longest_s=LONGEST_OPENING_S,
        )
        rng = SeededRandomness(self._study.seed).numpy("canaries")
        assert isinstance(self._schema, Schema) and isinstance(fitted, Generator)
        layout = SketchLayout.from_schema(self._schema)
        drawn = compute_sketch(layout, fitted.sample_codes(MODEL_ROWS, rng))
        sizes = sizes_of(sketches)
        return {
            node: Planted(
                public_key=self._receipts.keys[node],
                commitment=commitment_of(reply),
                opening=_read_opening(opened.valid.get(node), reply),
                scores=score_canaries(
                    self.find_contributions(node, number_of(reply), missing),
                    kept_values(sketches, node),
                    expected=drawn * (sizes[node] / MODEL_ROWS),
                    noise_std=noise_of(reply) * layout.lacking(missing.get(node, ())).sensitivity,
                ),
            )
            for node, reply in planted.items()
        }


def commitment_of(reply: Reply) -> str:
    """Return the digest that a site gave with its sketch."""
    return str(reply.config[protocol.CANARY_COMMITMENT])


def score_canaries(
    contributions: Any,
    values: NDArray[np.float64],
    *,
    expected: NDArray[np.float64],
    noise_std: float,
) -> NDArray[np.float64]:
    """Score each canary by what one noisy sketch says of it; higher means more likely in.

    Of a cell that many other rows are in, it is known less well what a canary adds; there the error
    of the model drowns it, and so it counts for less.

    Args:
        contributions: of each canary, sparse ``(canaries, dimension)``.
        values: noisy counts of the cells that any canary touches, in order, ``(cells,)``.
        expected: what all other rows probably add, ``(dimension,)``.
        noise_std: standard deviation of the noise in a cell, > 0.

    Returns:
        Shape ``(canaries,)``.
    """
    cells = np.unique(contributions.indices)
    others = expected[cells]
    weights = noise_std / np.sqrt(noise_std**2 + np.square(MODEL_ERROR * others))
    return score_projections(
        (values - others) * weights,
        contributions[:, cells] @ sparse.diags_array(weights),
        noise_std=noise_std,
    )


def _read_opening(answer: Reply | None, sketch: Reply) -> Opening | None:
    """Return salt and coins if they are those that the site committed to."""
    if answer is None:
        return None
    salt, coins = (str(answer.config[k]) for k in (protocol.CANARY_SALT, protocol.CANARY_COINS))
    try:
        opening = Opening.from_texts(salt, coins, number_of(sketch))
    except ValueError:
        return None
    return opening if opening.fits(commitment_of(sketch)) else None


def state_canaries(
    study: Study, schema: AnySchema, outcome: StudyOutcome, names: Mapping[int, str]
) -> CanaryStatement | None:
    """Return what a release says of its canaries; None where no site planted any.

    Args:
        study: the public settings.
        schema: the public schema.
        outcome: what the coordinator holds.
        names: public name of each node.
    """
    if not outcome.canaries:
        return None
    return CanaryStatement(
        study=study.digest(),
        schema_digest=schema.digest(),
        sites=tuple(
            _state_site(names.get(node, str(node)), planted)
            for node, planted in sorted(
                outcome.canaries.items(), key=lambda item: names.get(item[0], str(item[0]))
            )
        ),
    )


def _state_site(name: str, planted: Planted) -> SiteCanaries:
    number = len(planted.scores)
    opened = planted.opening.to_texts() if planted.opening else {"salt": None, "coins": None}
    return SiteCanaries(
        site=name,
        public_key=planted.public_key.hex,
        canaries=number,
        commitment=planted.commitment,
        guesses=count_guesses(number),
        scores=tuple(planted.scores.tolist()),
        **opened,
    )
