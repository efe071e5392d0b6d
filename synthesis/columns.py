"""The distribution of one column in every part of a mixture."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, kw_only=True, eq=False)
class PlainColumn:
    """A column that is the same in every class.

    Attributes:
        probabilities: of its codes, ``(parts, codes)``.
    """

    probabilities: Tensor

    @classmethod
    def of(cls, logits: Tensor, base: Tensor) -> PlainColumn:
        """Return the column of logits ``(parts, codes)`` plus a base ``(groups, codes)``."""
        given = logits.unflatten(0, (len(base), -1)) + base[:, None]
        return cls(probabilities=functional.softmax(given, dim=-1).flatten(0, 1))


@dataclass(frozen=True, kw_only=True, eq=False)
class GivenColumn:
    """A column that differs between classes: those share the logits and have bases of their own.

    Attributes:
        logits: of every part, ``(parts, codes)``.
        base: what every class adds to them, ``(groups, classes, codes)``; each group has as many
            parts as any other.
    """

    logits: Tensor
    base: Tensor

    @property
    def probabilities(self) -> Tensor:
        """Probabilities of the codes, ``(classes, parts, codes)``."""
        logits = self.logits.unflatten(0, (len(self.base), -1))
        given = logits + self.base.transpose(0, 1)[:, :, None]
        return functional.softmax(given, dim=-1).flatten(1, 2)


Column = PlainColumn | GivenColumn
