"""From a finished simulation to its report: the ledgers replayed, the cost, the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from privacy import Ledger, LedgerSummary, replay_ledger
from server.attestation import SiteEvents
from server.attestation.canaries import CanaryStatement
from server.outcome import Attested, StudyOutcome
from server.report import (
    Attacks,
    Evaluation,
    Images,
    Phase,
    Pictures,
    Report,
    Site,
    Traffic,
    Utility,
    build_audit,
    build_consistency,
    build_cost,
    build_evaluation,
    build_gain,
    build_promise,
    build_refusals,
    build_site,
    build_sketch_noise,
    build_software,
    build_strategy,
    build_target,
    describe_release,
)
from server.study import Study
from simulations.backends import SimulationRun
from simulations.exact_figures import measure_exactly
from simulations.sites import AnySites, SimulatedSites, site_folder

LEDGER_FILE = "ledger.sqlite"
_NO_ATTACKS = (
    "Some sites lack columns, so nobody tried what an attacker could learn of real rows: what a "
    "row lacks would tell it from others."
)

_SIMULATED = (
    "This is a simulation: all rows were on one machine and the noise came from a seed, so the "
    "folder shows how a study works and protects nobody."
)


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """What only a simulation can measure, as it holds all real rows."""

    phases: tuple[Phase, ...]
    utility: Utility | None = None
    pictures: Pictures | None = None
    images: Images | None = None
    attacks: Attacks | None = None


def make_report(
    study: Study,
    sites: AnySites,
    outcome: StudyOutcome,
    run: SimulationRun,
    assessment: Assessment,
    *,
    home: Path,
    num_rows: int,
    command: str | None,
    canaries: CanaryStatement | None = None,
) -> Report:
    """Put everything a reader of the release may want to know into one value.

    Args:
        study: the study's settings.
        sites: the sites and their rows.
        outcome: what the coordinator holds.
        run: what the backend counted.
        assessment: figures and pictures against real rows.
        home: folder of the sites' folders, with their ledgers.
        num_rows: rows of the release.
        command: what a reader would run to get the same release.
        canaries: what is opened of the sites' canaries.
    """
    names = name_nodes(sites, run.partitions)
    ledgers = _replay_ledgers(home, outcome, len(sites.names))
    traffic = _count_traffic(sites, run)
    return Report(
        private=True,
        title=f"Synthetic {sites.schema.name} from {len(sites.names)} sites",
        dataset=sites.schema.name,
        study=study.name,
        created=datetime.now(UTC),
        command=command,
        software=build_software(),
        release=describe_release(sites.schema, num_rows),
        promise=build_promise(study, sites.schema, randomness="seeded"),
        sites=_list_sites(study, sites, ledgers),
        refusals=build_refusals(outcome.left_out, names),
        gain=build_gain([each.events for each, _ in ledgers], study.budget),
        strategy=(strategy := build_strategy(study, outcome, names)),
        utility=assessment.utility,
        evaluation=_report_evaluation(outcome, sites, run),
        consistency=build_consistency(outcome, sites.schema, names),
        target=build_target(outcome, sites.schema, names),
        never_together=outcome.apart,
        sketch_noise=build_sketch_noise(outcome),
        attacks=assessment.attacks,
        audit=build_audit(canaries, study),
        pictures=assessment.pictures,
        images=assessment.images,
        cost=build_cost(outcome, names, after=assessment.phases, traffic=traffic),
        limits=(_SIMULATED, *((_NO_ATTACKS,) if sites.missing else ()), *strategy.warnings),
    )


def _list_sites(
    study: Study,
    sites: AnySites,
    ledgers: Sequence[tuple[LedgerSummary, Attested | None]],
) -> tuple[Site, ...]:
    return tuple(
        build_site(
            ledger,
            adversarial_share=study.adversarial_share,
            attested=attested,
            missing_columns=sites.missing.get(ledger.header.site, ()),
        )
        for ledger, attested in ledgers
    )


def name_nodes(sites: AnySites, partitions: Mapping[int, int]) -> dict[int, str]:
    """Return the site's name of every node whose site is known."""
    return {node: sites.names[partition] for node, partition in partitions.items()}


def _report_evaluation(
    outcome: StudyOutcome, sites: AnySites, run: SimulationRun
) -> Evaluation | None:
    if outcome.evaluation is None:
        return None
    assert isinstance(sites, SimulatedSites)  # a study on images has none
    exact = measure_exactly(outcome.evaluation, sites)
    return build_evaluation(outcome.evaluation, name_nodes(sites, run.partitions), exact)


def _replay_ledgers(
    home: Path, outcome: StudyOutcome, num_sites: int
) -> list[tuple[LedgerSummary, Attested | None]]:
    """Read every ledger, and hold it to the receipt that the coordinator has of it."""
    held = {attested.public_key: attested for attested in outcome.receipts.values()}
    ledgers = []
    for partition in range(num_sites):
        path = site_folder(home, partition) / LEDGER_FILE
        attested = held.get(Ledger.open(path).header.public_key)
        receipts = () if attested is None else (attested.receipt,)
        ledgers.append((replay_ledger(path, receipts=receipts), attested))
    return ledgers


def find_events(home: Path, study: str, num_sites: int, kept_in: str) -> tuple[SiteEvents, ...]:
    """Return what each site's ledger says it ran in a study.

    Args:
        home: folder of the sites' folders.
        study: the study's name.
        num_sites: number of sites.
        kept_in: name of the folder of the sites' folders in the release.
    """
    return tuple(
        SiteEvents(
            events=[
                entry.event
                for entry in Ledger.open(site_folder(home, number) / LEDGER_FILE).entries()
                if entry.event is not None and entry.study == study
            ],
            ledger=(site_folder(Path(kept_in), number) / LEDGER_FILE).as_posix(),
        )
        for number in range(num_sites)
    )


def _count_traffic(sites: AnySites, run: SimulationRun) -> tuple[Traffic, ...]:
    """Return what crossed each site's wire; nothing where the backend does not tell."""
    if not run.deliveries:
        return ()
    down, up = [0] * len(sites.names), [0] * len(sites.names)
    for delivery in run.deliveries:
        down[delivery.partition_id] += delivery.bytes_down
        up[delivery.partition_id] += delivery.bytes_up
    return tuple(
        Traffic(site=name, bytes_down=received, bytes_up=sent)
        for name, received, sent in zip(sites.names, down, up, strict=True)
    )
