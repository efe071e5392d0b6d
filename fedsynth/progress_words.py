"""Sentences about what happens while a study runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from fedsynth.roll_call import name_some


def tell_groups(event: Mapping[str, Any]) -> str:
    """Say which sites are described together, where they are not all."""
    names = iter(event["nodes"])
    groups = [sorted(islice(names, size)) for size in event["sizes"]]
    told = " | ".join(name_some(group) for group in groups)
    return (
        f"  sketches differ beyond noise: the generator gets members for each of {len(groups)} "
        f"groups of sites, the largest first, and for all together: {told}"
    )


def tell_differing(event: Mapping[str, Any]) -> str:
    """Say which sites a robust strategy may cut."""
    return (
        f"  sketches unlike at least half of the others (level {event['level']:g}), which the "
        f"strategy may cut: {name_some(event['nodes'])}"
    )


def tell_codes(rejected: Sequence[tuple[str, str]]) -> str:
    """Say why sites do not count, in fixed codes."""
    return ", ".join(f"{site} ({code})" for site, code in rejected)
