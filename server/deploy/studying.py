"""``fedsynth server run``: a study with real sites, from hello to the release, over several lives.

What the study has is kept after every phase. Run again, it goes on where it was: with the same
study file, and without asking any site to pay again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from privacy import PublicKey
from server.app import Coordinator
from server.attestation import Attestation, SiteEvents
from server.canaries import state_canaries
from server.checkpoint import Checkpoint
from server.deploy.folder import ServerFolder
from server.deploy.grid import GRACE_S
from server.deploy.journal import EVENTS_FILE, Listener, StudyJournal
from server.deploy.link import alone, open_run
from server.deploy.registry import AdmittedSite, load_registry
from server.deploy.reporting import make_report, plan_sites
from server.kinds import check_kind
from server.outcome import StudyOutcome
from server.public_target import PublicTarget
from server.publication import Publication
from server.publishing import publish
from server.records import check_number, draw_records, most_suggested, picture_records
from server.release import check_output, clear_staging
from server.report import Report
from server.study import Study
from strategies.errors import StudyFailed
from strategies.protocol import QUERY_SKETCH
from strategies.receipts import ReceiptBook
from synthesis import InputError
from synthesis.kinds import AnySchema

CHECKPOINT_FOLDER = "checkpoint"
LONGEST_START_S = 60.0


@dataclass(frozen=True, kw_only=True)
class StudyOrder:
    """A study to be run.

    Attributes:
        study: its public settings.
        schema: the public schema.
        num_sites: how many sites to wait for while there is time; all admitted if None.
        num_rows: records of the release; about as many as the sites hold if None.
        out: folder of the release, new or empty.
        grace_s: longest wait for sites that went away when all others have answered.
        publication: licence and creator of the release, where they are known.
        target: public shares that the report holds the table and its sites to.
    """

    study: Study
    schema: AnySchema
    num_sites: int | None
    num_rows: int | None
    out: Path
    grace_s: float = GRACE_S
    publication: Publication = field(default_factory=Publication)
    target: PublicTarget | None = None


def run_study(server: ServerFolder, order: StudyOrder, on_event: Listener) -> Report:
    """Run a study, or what is left of it, and write its release.

    Raises:
        InputError: if study, folder or registry cannot be used; nobody was asked.
        StudyFailed: if the study cannot go on now; run it again when what is missing is there.
    """
    order.study.make_plan()
    check_kind(order.study, order.schema)
    if order.num_rows is not None:
        check_number(order.schema, order.num_rows)
    server.load_signing_key()  # what is missing at the end had better be missed now
    with alone(server):
        clear_staging(order.out)
        check_output(order.out)
        sites = _find_sites(server, order)
        names = _names(server)
        folder = server.studies / order.study.name
        journal = StudyJournal(folder / EVENTS_FILE, names, on_event)
        coordinator = _make_coordinator(server, order, sites, journal)
        members = sorted(site.name for site in sites.values())
        journal({"event": "study-started", "sites": members, "rounds": order.study.rounds})
        with _told_how_it_ends(journal):
            with open_run(
                server, deadline_s=LONGEST_START_S, grace_s=order.grace_s, on_event=journal
            ) as grid:
                outcome = coordinator.run(grid).with_names(names)
            return _release(server, order, outcome, names, journal)


def _release(
    server: ServerFolder,
    order: StudyOrder,
    outcome: StudyOutcome,
    names: Mapping[int, str],
    journal: StudyJournal,
) -> Report:
    study, schema = order.study, order.schema
    estimated = min(max(1, round(outcome.estimated_rows)), most_suggested(schema))
    num_rows = order.num_rows or estimated
    canaries = state_canaries(study, schema, outcome, names)
    records = draw_records(outcome.generator, schema, num_rows, seed=study.seed)
    images = picture_records(records, schema, outcome.round_images)
    report = order.publication.write_into(
        make_report(study, schema, outcome, names, num_rows, canaries, images)
    )
    publish(
        order.out,
        _attest(server, order, outcome, names),
        records=records,
        generator=outcome.generator,
        schema=schema,
        report=report,
        canaries=canaries,
    )
    journal({"event": "released", "rows": num_rows})
    return report


def _attest(
    server: ServerFolder, order: StudyOrder, outcome: StudyOutcome, names: Mapping[int, str]
) -> Attestation:
    plans = plan_sites(order.study, outcome, names)
    return Attestation(
        key=server.load_signing_key(),
        coordinator=server.config.name,
        study=order.study,
        schema_digest=order.schema.digest(),
        seed=order.study.seed,
        sites=[SiteEvents(events=plan.events()) for plan in plans.values()],
    )


@contextmanager
def _told_how_it_ends(journal: StudyJournal) -> Iterator[None]:
    """Write down why a study does not go on now; sentences name sites, not their nodes."""
    try:
        yield
    except StudyFailed as failure:
        reason = journal.name_sites(failure.reason)
        journal({"event": "study-halted", "reason": reason})
        raise StudyFailed(reason) from None
    except OSError as error:
        with suppress(OSError):  # the disk may be full for this line too
            journal({"event": "study-halted", "reason": error.strerror or "the system refused"})
        raise


def give_up_study(server: ServerFolder, order: StudyOrder, on_event: Listener) -> list[str]:
    """Tell the sites that a study will not go on; what they reserved for it stays spent.

    Returns:
        The names of the sites that heard it.

    Raises:
        InputError: if no study of this name was begun, or it was begun with other settings.
        StudyFailed: if the SuperLink does not answer.
    """
    folder = server.studies / order.study.name
    if not (folder / CHECKPOINT_FOLDER).is_dir():
        raise InputError(
            f"study {order.study.name!r} was never begun here, so there is nothing to give up.",
            argument="study",
        )
    names = _names(server)
    journal = StudyJournal(folder / EVENTS_FILE, names, on_event)
    with alone(server):
        coordinator = _make_coordinator(server, order, _find_sites(server, order), journal)
        with open_run(server, deadline_s=LONGEST_START_S, on_event=journal) as grid:
            told = coordinator.give_up(grid)
        journal({"event": "given-up"})
    return sorted(names.get(node, str(node)) for node in told)


def _names(server: ServerFolder) -> dict[int, str]:
    """Return the name of every site that was ever admitted, by its node; some may be revoked."""
    sites = load_registry(server).sites
    return {site.node_id: site.name for site in sites if site.node_id is not None}


def _find_sites(server: ServerFolder, order: StudyOrder) -> dict[int, AdmittedSite]:
    active = load_registry(server).active
    sites = {site.node_id: site for site in active if site.node_id is not None}
    least = order.study.minimum_sites
    if len(sites) < least:
        raise InputError(
            f"minimum_sites of study {order.study.name!r} must be at most the number of admitted "
            f"sites, got {least} and {len(sites)}; admit more with 'fedsynth server admit'.",
            argument="minimum_sites",
        )
    if order.num_sites is not None and not least <= order.num_sites <= len(sites):
        raise InputError(
            f"sites must be between the study's minimum {least} and the {len(sites)} that are "
            f"admitted, got {order.num_sites}.",
            argument="sites",
        )
    return sites


def _make_coordinator(
    server: ServerFolder,
    order: StudyOrder,
    sites: Mapping[int, AdmittedSite],
    journal: StudyJournal,
) -> Coordinator:
    folder = server.studies / order.study.name / CHECKPOINT_FOLDER
    checkpoint = Checkpoint(folder, receipts=server.path / "receipts.json")
    receipts = ReceiptBook(checkpoint.find_receipts())
    receipts.remember({node: PublicKey(site.ledger_key) for node, site in sites.items()})
    epsilon, budget = order.study.make_plan().epsilon, order.study.epsilon
    names = _names(server)

    def notice(event: Mapping[str, Any]) -> None:
        journal(event)
        is_known = event["event"] in ("phase-finished", "phase-kept")
        if is_known and event["phase"] == QUERY_SKETCH:
            spent = dict.fromkeys(sorted(names.get(n, str(n)) for n in event["valid"]), epsilon)
            journal({"event": "budget", "budget": budget, "sites": spent, "planned": True})

    return Coordinator(
        order.study,
        order.schema,
        num_sites=order.num_sites or len(sites),
        on_event=notice,
        receipts=receipts,
        checkpoint=checkpoint,
        target=order.target,
    )
