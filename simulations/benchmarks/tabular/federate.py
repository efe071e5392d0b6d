"""A study on one machine, as ``fedsynth simulate`` runs it, up to the rows that are scored."""

from __future__ import annotations

import tempfile
from pathlib import Path
from time import process_time
from typing import Any

import pandas as pd

from client.app import SITES_DIR
from client.app import app as client_app
from server.app import Coordinator, make_server_app
from server.checkpoint import Checkpoint
from simulations.backends import run_local
from simulations.benchmarks.tabular.setting import Made, Setting
from simulations.reporting import name_nodes
from simulations.sites import SimulatedSites, write_sites
from synthesis.generator import Generator
from synthesis.mixing.site_shares import weigh_sites
from synthesis.sampling import sample_table


def federate(setting: Setting, *, checkpoint: Checkpoint | None = None, **content: Any) -> Made:
    """Run a study and draw as many rows as were trained on.

    Args:
        setting: the rows at their sites, the budget and the seed.
        checkpoint: what is kept of the study, and what an earlier one kept.
        content: settings of the study over the usual ones.

    Raises:
        InputError: if there is no such study.
        StudyFailed: if the study cannot go on.
    """
    study, sites = setting.make_study(**content), setting.sites
    coordinator = Coordinator(
        study, sites.schema, num_sites=len(sites.names), checkpoint=checkpoint
    )
    with tempfile.TemporaryDirectory(prefix="fedsynth-") as home:
        write_sites(sites, study, Path(home), holdout=0.0, seed=setting.seed)
        began = process_time()
        run = run_local(
            make_server_app(coordinator),
            client_app,
            len(sites.names),
            run_config={SITES_DIR: home},
        )
        outcome = coordinator.outcome
        assert outcome is not None  # else it has raised
        generator, num_rows = outcome.table_generator, len(sites.train)
        table = sample_table(generator, sites.schema, num_rows, seed=setting.seed)
        seconds = process_time() - began
    named = outcome.with_names(name_nodes(sites, run.partitions))
    by_sites = sum(delivery.bytes_up for delivery in run.deliveries)
    return Made(
        table=table,
        of_sites=_sample_sites(named.table_generator, sites, setting.seed),
        processor_s=seconds,
        sent_bytes=by_sites + sum(delivery.bytes_down for delivery in run.deliveries),
        sent_by_sites=by_sites,
    )


def _sample_sites(
    generator: Generator, sites: SimulatedSites, seed: int
) -> dict[str, pd.DataFrame]:
    """Return rows that describe each site where the generator tells groups of sites apart."""
    groups = generator.settings.groups
    if len(groups) == 1:
        return {}
    sizes = {name: len(table) for name, table in zip(sites.names, sites.tables, strict=True)}
    return {
        site: sample_table(
            weigh_sites(generator, {site: 1.0}), sites.schema, sizes[site], seed=seed
        )
        for group in groups
        for site in group.sites
    }
