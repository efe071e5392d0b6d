"""What the coordinator keeps of one round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class RoundRecord:
    """What happened in one round.

    Attributes:
        server_round: from 1.
        changed: whether the global generator was replaced; False means the round was void.
        valid: nodes whose generator was given to the rule.
        rejected: fixed code per node that did not count.
        seconds: wall time of the round.
        bytes_down: size of what was sent to all nodes.
        bytes_up: size of what came back.
    """

    server_round: int
    changed: bool
    valid: tuple[int, ...]
    rejected: Mapping[int, str]
    seconds: float
    bytes_down: int
    bytes_up: int

    def to_dict(self) -> dict[str, object]:
        """Return the record as plain values for a log or a report."""
        return asdict(self) | {
            "valid": list(self.valid),
            "rejected": {str(node): code for node, code in self.rejected.items()},
        }
