"""The parts of a model, of which each node improves one.

A generator of several groups of sites holds the arrays of all groups, one after another along their
first axis. A site is sent the part of its own group, answers with that, and is averaged with the
sites of its group alone: averaged with all others, who leave that part as it is, its change would
count for no more than its share of all sites.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strategies.aggregation import FloatArray
from strategies.rules import Rule
from strategies.rules.rule import Model, State

Arrays = Mapping[str, NDArray[Any]]


class Parts:
    """Which part of a model each node has.

    Args:
        nodes: of every part; a part that no node has stays as it is.

    Raises:
        ValueError: if a node has two.
    """

    def __init__(self, nodes: Sequence[Sequence[int]]) -> None:
        self._of = {node: number for number, several in enumerate(nodes) for node in several}
        self.number = len(nodes)
        if len(self._of) < sum(map(len, nodes)):
            raise ValueError(f"a node must have one part, got {nodes}")

    def of(self, node: int) -> int:
        """Return the number of the part that a node has."""
        return self._of[node]

    def split(self, arrays: Arrays) -> list[dict[str, NDArray[Any]]]:
        """Return the arrays of every part."""
        models = self.split_model(list(arrays.values()))
        return [dict(zip(arrays, model, strict=True)) for model in models]

    def split_model(self, model: Model) -> list[list[FloatArray]]:
        """Return the arrays of every part, without their names."""
        if self.number == 1:
            return [list(model)]
        return [list(part) for part in zip(*(np.split(a, self.number) for a in model), strict=True)]

    def join_models(self, models: Sequence[Model]) -> list[FloatArray]:
        """Return the arrays of the whole model from those of every part."""
        if self.number == 1:
            return list(models[0])
        return [np.concatenate(several) for several in zip(*models, strict=True)]

    def join(self, arrays: Sequence[Arrays], names: Sequence[str]) -> list[FloatArray]:
        """Return the arrays of the whole model from those of every part, in the order of names."""
        return self.join_models([[each[name] for name in names] for each in arrays])


class PartedRule:
    """A rule for every part, each of which hears the nodes of its part alone.

    It begins and finishes with whole models; a reply is of the part of its node. A part with fewer
    replies than its rule needs stays as it was.

    Args:
        parts: of the model.
        rules: one for each part, alike but for what they have learned.
    """

    def __init__(self, parts: Parts, rules: Sequence[Rule]) -> None:
        self._parts = parts
        self._rules = rules
        self._starts: list[list[FloatArray]] = []
        self._replies = [0] * len(rules)

    @property
    def reply_like(self) -> Arrays | None:
        """That of any of the rules."""
        return self._rules[0].reply_like

    @property
    def needs(self) -> int:
        """As many as one part needs."""
        return min(rule.needs for rule in self._rules)

    def begin(self, start: Model, seen: Model) -> None:
        """Begin a round of every part."""
        self._starts = self._parts.split_model(start)
        self._replies = [0] * len(self._rules)
        pairs = zip(self._starts, self._parts.split_model(seen), strict=True)
        for rule, pair in zip(self._rules, pairs, strict=True):
            rule.begin(*pair)

    def add(self, node: int, model: Model, weight: float) -> None:
        """Take what a node made of its part."""
        number = self._parts.of(node)
        self._replies[number] += 1
        self._rules[number].add(node, model, weight)

    def finish(self) -> list[FloatArray]:
        """Return the whole model, in which parts that nobody improved are as they were."""
        return self._parts.join_models(
            [
                rule.finish() if replies >= rule.needs else start
                for rule, replies, start in zip(
                    self._rules, self._replies, self._starts, strict=True
                )
            ]
        )

    @property
    def state(self) -> State:
        """What every rule keeps, under the number of its part."""
        return {
            f"{number}/{name}": values
            for number, rule in enumerate(self._rules)
            for name, values in rule.state.items()
        }

    def restore(self, state: State) -> None:
        """Take up what ``state`` was after an earlier round."""
        for number, rule in enumerate(self._rules):
            mine = f"{number}/"
            rule.restore({k.removeprefix(mine): v for k, v in state.items() if k.startswith(mine)})
