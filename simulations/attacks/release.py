"""Attacks on the release of a simulation, which holds all rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from client.site import load_site
from privacy import Part
from server.outcome import StudyOutcome
from server.report import Attacks
from server.study import Study
from simulations.attacks.insider import Insider, load_discriminator
from simulations.attacks.matching import match_rows, read_held, read_trained
from simulations.attacks.promise import Promise
from simulations.attacks.trying import OnStep, try_attacks
from simulations.partition_spec import PartitionKind, parse_partition
from simulations.sites import SimulatedSites, site_folder
from synthesis.attacks import FALSE_ALARMS, FEWEST, MOST_SYNTHETIC, Records
from synthesis.encoding import encode
from synthesis.units import Codes

_STREAM = 0xA77AC4  # sets these draws apart from others of the same seed


def attack_release(
    outcome: StudyOutcome,
    study: Study,
    sites: SimulatedSites,
    synthetic: pd.DataFrame,
    *,
    partition: str,
    home: Path,
    seed: int,
    on_step: OnStep | None = None,
) -> Attacks | None:
    """Return what attacks achieve; None where too few units are held out to tell.

    Args:
        outcome: the finished study.
        study: its settings.
        sites: the real rows.
        synthetic: the published table.
        partition: how rows were dealt to sites, as in the settings.
        home: folder of the sites' folders.
        seed: of the simulation.
        on_step: called with steps done and steps in all.
    """
    rng = np.random.default_rng([seed, _STREAM])
    trained, held = read_trained(sites, home, rng), read_held(sites, rng)
    rows = match_rows(trained, held, rng)
    if len(rows) < FEWEST:
        return None
    is_mixed = parse_partition(partition).kind in (PartitionKind.IID, PartitionKind.SIZES)
    insider = None
    if len(held) > 1 or is_mixed:  # else what is held out for all is not like the rows of a site
        insider = _find_insider(study, sites, home, trained, held, rng)
    if len(synthetic) > MOST_SYNTHETIC:
        synthetic = synthetic.sample(MOST_SYNTHETIC, random_state=rng)
    records = Records(
        schema=sites.schema,
        synthetic=encode(sites.schema, synthetic),
        members=rows.members,
        others=rows.others,
    )
    attacks = try_attacks(
        records,
        outcome.table_generator,
        rng=rng,
        insider=insider,
        promise=_find_promise(study),
        on_step=on_step,
    )
    return Attacks(false_alarms=FALSE_ALARMS, attacks=attacks)


def _find_promise(study: Study) -> Promise:
    """Return what the events allow that touch a training unit; hold-out units pay for others."""
    plan = study.make_plan()
    events = [event for event in plan.events() if event.part is Part.TRAINING]
    return Promise(events, study.delta)


def _find_insider(
    study: Study,
    sites: SimulatedSites,
    home: Path,
    trained: list[Codes],
    held: list[Codes],
    rng: np.random.Generator,
) -> Insider | None:
    """Return somebody at the site with the most rows to try; None if that is too little."""
    controls = held if len(held) > 1 else held * len(trained)
    pairs = list(zip(trained, controls, strict=True))
    number = max(range(len(pairs)), key=lambda each: min(map(len, pairs[each])))
    own, control = pairs[number]
    rows = match_rows([own], [control], rng)
    site = load_site(site_folder(home, number), is_simulated=True)
    discriminator = load_discriminator(site, study.name, rounds=study.rounds)
    if discriminator is None or len(rows) < FEWEST:
        return None
    return Insider(sizes=sites.schema.sizes, discriminator=discriminator, rows=rows)
