"""Events as accountants see them: how often each mechanism was released from each part."""

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeAlias

from privacy.budget import Part
from privacy.events import Event, GaussianEvent

__all__ = ["Schedule", "make_schedule", "split_by_part"]

Schedule: TypeAlias = tuple[tuple[float, float, int], ...]
"""(noise multiplier, sample rate, steps), sorted, each pair of the first two once."""


def split_by_part(events: Iterable[Event]) -> dict[Part, list[Event]]:
    """Return the events of each part of the data set that they touch.

    A unit lies in one part for life, so the events of another part cost it nothing and the cost of
    all is the largest of the parts' costs.
    """
    parts: defaultdict[Part, list[Event]] = defaultdict(list)
    for event in events:
        parts[event.part].append(event)
    return {part: parts[part] for part in sorted(parts)}


def make_schedule(events: Iterable[Event]) -> Schedule:
    """Return the events as accountants see them: order, purpose and grouping do not matter."""
    steps: defaultdict[tuple[float, float], int] = defaultdict(int)
    for event in events:
        if isinstance(event, GaussianEvent):
            steps[event.noise_multiplier, 1.0] += 1
        else:
            steps[event.noise_multiplier, event.sample_rate] += event.steps
    return tuple(sorted((noise, rate, count) for (noise, rate), count in steps.items()))
