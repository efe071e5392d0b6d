"""What every rule can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from strategies.aggregation import FloatArray

Model = Sequence[FloatArray]
State = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class RuleSettings:
    """The parameters of all rules; each uses some of them. All public.

    Attributes:
        server_learning_rate: how far a server step goes, > 0.
        server_momentum: how much of the last step is kept, in [0, 1).
        bad_sites: how many sites may answer whatever they like, >= 0.
    """

    server_learning_rate: float = 1.0
    server_momentum: float = 0.0
    bad_sites: int = 0


class Rule(Protocol):
    """Makes one model of many, round after round.

    Each round is ``begin``, ``add`` for every reply, and ``finish`` unless there were too few. The
    result does not depend on the order of replies, bit for bit.

    Attributes:
        usual: the settings that mean something to this rule, and their usual values.
        holds_replies: whether memory grows with sites.
        reply_like: weights with the names and shapes of a site's discriminator, where sites answer
            with that; None where they answer with a generator such as they were sent.
    """

    usual: ClassVar[Mapping[str, float]]
    holds_replies: ClassVar[bool]

    def __init__(self, settings: RuleSettings) -> None: ...

    @property
    def reply_like(self) -> Mapping[str, NDArray[Any]] | None:
        """Return it; see above."""
        ...

    @staticmethod
    def fewest_sites(bad_sites: int) -> int:
        """Return with how many replies the rule stands so many bad ones among them."""
        ...

    def begin(self, start: Model, seen: Model) -> None:
        """Begin a round, and forget what an earlier one left unfinished.

        Args:
            start: arrays of the global model; the same as ``seen`` where sites answer with changes,
                which belong to what they were sent.
            seen: the same as sites got it, which a wire format may have rounded.
        """
        ...

    def add(self, node: int, model: Model, weight: float) -> None:
        """Take one valid reply.

        Args:
            node: of the site.
            model: its arrays, shaped as those of the global model, or as ``reply_like``.
            weight: declared; a robust rule gives each site one voice and ignores it, because a
                site could choose its own.
        """
        ...

    def finish(self) -> list[FloatArray]:
        """Return the next global model, in the dtypes of the replies.

        Raises:
            ValueError: if there are too few replies.
        """
        ...

    @property
    def needs(self) -> int:
        """Fewest replies of which ``finish`` makes a model."""
        ...

    @property
    def state(self) -> State:
        """What the rule needs of this round in the next; with it a study goes on after a crash."""
        ...

    def restore(self, state: State) -> None:
        """Take up what ``state`` was after an earlier round."""
        ...
