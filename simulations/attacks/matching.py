"""Which real rows attacks are tried with: trained-on and other rows that only chance sets apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from client.site import load_site
from privacy import Part
from simulations.sites import SimulatedSites, site_folder
from synthesis.attacks import MOST
from synthesis.encoding import read_units
from synthesis.units import Codes, Units


@dataclass(frozen=True, kw_only=True, eq=False)
class MatchedRows:
    """As many rows that were trained on as others, in random order, one of each unit. Private.

    Attributes:
        members: codes of rows that were trained on.
        others: codes of rows that nothing was trained on.
    """

    members: Codes = field(repr=False)
    others: Codes = field(repr=False)

    def __len__(self) -> int:
        """Return how many there are of each."""
        return len(self.members)


def read_trained(sites: SimulatedSites, home: Path, rng: np.random.Generator) -> list[Codes]:
    """Return one row of every unit that each site trains on, as its folder holds them."""
    folders = (site_folder(home, number) for number in range(len(sites.names)))
    opened = (load_site(folder, is_simulated=True) for folder in folders)
    return [choose_one_each(site.read_units(Part.TRAINING), rng) for site in opened]


def read_held(sites: SimulatedSites, rng: np.random.Generator) -> list[Codes]:
    """Return one row of every unit that nothing is trained on, by site or all together."""
    return [choose_one_each(read_units(sites.schema, table), rng) for table in sites.held]


def match_rows(
    trained: Sequence[Codes], held: Sequence[Codes], rng: np.random.Generator
) -> MatchedRows:
    """Draw as many rows of each site that were trained on as it holds out, or of all sites.

    Sites differ, so rows of a site that holds out more than others must not be more frequent among
    the others than among the members.

    Args:
        trained: by site.
        held: by site, or one table for all.
        rng: draws rows and their order.
    """
    tables = [np.concatenate(trained)] if len(held) == 1 else trained
    members, others = [], []
    for table, control in zip(tables, held, strict=True):
        number = min(len(table), len(control))
        members.append(table[rng.permutation(len(table))[:number]])
        others.append(control[rng.permutation(len(control))[:number]])
    return MatchedRows(members=_mix(members, rng), others=_mix(others, rng))


def choose_one_each(units: Units, rng: np.random.Generator) -> Codes:
    """Return a random row of every unit: rows of one person are no tries of their own."""
    everyone = np.arange(units.n_units)
    return units.codes[units.choose_rows(everyone, rng.random(len(everyone)))]


def _mix(tables: Sequence[Codes], rng: np.random.Generator) -> Codes:
    joint = np.concatenate(tables)
    return joint[rng.permutation(len(joint))[:MOST]]
