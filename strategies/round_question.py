"""The question of one round to one node: what all are told, and what is its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flwr.app import ArrayRecord, ConfigRecord, ConfigRecordValues, RecordDict

from strategies.protocol import ARRAYS, CONFIG, POOLED_SKETCH


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnQuestion:
    """What one node is told in place of what all are told.

    Attributes:
        settings: which take the place of common ones.
        pooled_sketch: statistics of the sites that are like it.
    """

    settings: Mapping[str, ConfigRecordValues]
    pooled_sketch: ArrayRecord


@dataclass(frozen=True, kw_only=True, eq=False)
class RoundQuestions:
    """What nodes are told beside the generator.

    Attributes:
        pooled_sketch: statistics of all sites.
        own: by node, what takes the place of it and of common settings.
    """

    pooled_sketch: ArrayRecord | None = None
    own: Mapping[int, OwnQuestion] = field(default_factory=dict)

    def make(
        self, node: int, arrays: ArrayRecord, config: ConfigRecord, *, with_sketch: bool
    ) -> RecordDict:
        """Return the content of the question to a node.

        Args:
            node: who is asked.
            arrays: the generator.
            config: settings for all.
            with_sketch: whether the node still needs the statistics.
        """
        own = self.own.get(node)
        if own is not None:
            config = ConfigRecord(dict(config) | dict(own.settings))
        content = RecordDict({ARRAYS: arrays, CONFIG: config})
        sketch = self.pooled_sketch if own is None else own.pooled_sketch
        if with_sketch and sketch is not None:
            content[POOLED_SKETCH] = sketch
        return content
