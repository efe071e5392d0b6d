"""Shares of sites in the rows: the parts of the generator that describe them, weighed anew."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from synthesis.architecture import SHARES_TOLERANCE, SiteGroup
from synthesis.errors import InputError

if TYPE_CHECKING:
    from synthesis.generator import Generator

SiteShares = Mapping[str, float]


def parse_site_shares(text: str) -> SiteShares:
    """Read shares such as ``"north=0.7,south=0.3"``.

    >>> parse_site_shares("north=0.7, south=0.3")
    {'north': 0.7, 'south': 0.3}

    Raises:
        InputError: if the text is no list of sites with numbers, or names a site twice.
    """
    shares: dict[str, float] = {}
    for entry in text.split(","):
        name, equals, number = (part.strip() for part in entry.rpartition("="))
        try:
            if not (name and equals):
                raise ValueError(entry)
            share = float(number)
        except ValueError:
            raise _problem(
                'write sites with their shares, such as "north=0.7,south=0.3", got '
                f"{entry.strip()!r}"
            ) from None
        if name in shares:
            raise _problem(f"the site {name!r} is there twice; name it once")
        shares[name] = share
    return shares


def check_site_shares(shares: SiteShares) -> None:
    """Raise InputError unless all shares are from 0 to 1 and add to 1."""
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise _problem(f"the share of {name!r} must be from 0 to 1, got {share:g}")
    if not math.isclose(sum(shares.values()), 1, abs_tol=SHARES_TOLERANCE):
        raise _problem(
            f"the shares of all sites must add to 1, and these add to {sum(shares.values()):g}; "
            "sites that are left out have none"
        )


def weigh_sites(generator: Generator, shares: SiteShares) -> Generator:
    """Return a generator in which sites have other shares.

    Sites that the release describes together have their shares together: nobody can tell their rows
    apart.

    Args:
        generator: of a release that says which sites its groups are of.
        shares: of each site, from 0 to 1; they add to 1. Sites left out have none.

    Raises:
        InputError: if a site is unknown, or the generator describes all sites together.
    """
    groups = generator.settings.groups
    known = [site for group in groups for site in group.sites]
    if not known:
        raise _problem("the release does not say which sites it is of; leave mix out")
    for site in shares:
        if site not in known:
            raise _problem(f"the release knows no site {site!r}; it has {', '.join(known)}")
    if len(groups) == 1:
        raise _problem(
            "one generator describes all sites of this release together, because their sketches "
            "differ by no more than noise or the study asked for one group; leave mix out"
        )
    return generator.regrouped(_weigh(groups, shares))


def _weigh(groups: Sequence[SiteGroup], shares: SiteShares) -> list[SiteGroup]:
    sums = [sum(shares.get(site, 0.0) for site in group.sites) for group in groups]
    total = sum(sums)  # 1, but for rounding
    return [replace(g, share=each / total) for g, each in zip(groups, sums, strict=True)]


def _problem(rule: str) -> InputError:
    return InputError(f"mix: {rule}.", argument="mix")
