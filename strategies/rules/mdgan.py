"""One generator against the discriminators of all sites (MD-GAN).

After Hardy et al. 2019, "MD-GAN: Multi-Discriminator Generative Adversarial Networks for
Distributed Datasets", algorithm 1, without its swaps of discriminators between sites, which would
have to travel down, too: each site goes on with its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from strategies.aggregation import FloatArray
from strategies.rules.rule import Model, RuleSettings, State

_ROUNDS = "rounds"


@dataclass(frozen=True, kw_only=True, eq=False)
class Judge:
    """A site's discriminator.

    Attributes:
        node: of the site.
        model: its weights, in the order of ``reply_like``.
        weight: declared, > 0; only what it is beside the others' matters.
    """

    node: int
    model: Model
    weight: float


Improve = Callable[[Model, Sequence[Judge], int], list[FloatArray]]
"""From the generator, the judges and the number of rounds before to the next generator."""


class MdGan:
    """Sites answer with discriminators; what they say of fakes trains the generator, for free.

    One bad site moves the generator as far as the steps of a round go. Discriminators of a round
    are held until all are there, and are small.
    """

    usual: ClassVar[Mapping[str, float]] = {}
    holds_replies: ClassVar[bool] = True

    def __init__(self, settings: RuleSettings) -> None:
        self.reply_like: Mapping[str, NDArray[Any]] | None = None
        self._improve: Improve | None = None
        self._judges: list[Judge] = []
        self._start: Model = []
        self._rounds = 0

    def equip(self, improve: Improve, reply_like: Mapping[str, NDArray[Any]]) -> None:
        """Say how the generator is trained; before the first round.

        Args:
            improve: the same for judges in any order.
            reply_like: weights of a discriminator, whose names and shapes those of sites must have.
        """
        self._improve, self.reply_like = improve, reply_like

    @staticmethod
    def fewest_sites(bad_sites: int) -> int:
        """Return 1; there is no number of sites with which it stands a bad one."""
        return 1

    def begin(self, start: Model, seen: Model) -> None:
        """Begin a round at ``start``, which the coordinator goes on from in full precision."""
        self._judges, self._start = [], start

    def add(self, node: int, model: Model, weight: float) -> None:
        """Hold one discriminator."""
        self._judges.append(Judge(node=node, model=model, weight=weight))

    def finish(self) -> list[FloatArray]:
        """Return the generator that was trained against all of them.

        Raises:
            ValueError: if there is none.
            RuntimeError: if nobody said how to train.
        """
        if not self._judges:
            raise ValueError(f"the rule needs {self.needs} reply, got none")
        if self._improve is None:
            raise RuntimeError("call equip first: the rule trains a generator and has none")
        found = self._improve(self._start, self._judges, self._rounds)
        self._judges = []
        self._rounds += 1
        return found

    @property
    def needs(self) -> int:
        """One."""
        return 1

    @property
    def state(self) -> State:
        """How many rounds counted, so that each draws fakes of its own."""
        return {_ROUNDS: np.array([float(self._rounds)])}

    def restore(self, state: State) -> None:
        """Take up the number of rounds."""
        self._judges = []
        self._rounds = int(state[_ROUNDS][0]) if _ROUNDS in state else 0
