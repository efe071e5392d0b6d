"""``fedsynth server run``: a study with real sites, watched from this screen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fedsynth.console import say, screen
from fedsynth.endings import Stopped
from fedsynth.progress import StudyProgress
from fedsynth.summary import show_summary
from server.deploy.folder import load_server
from server.deploy.grid import GRACE_S
from server.deploy.studying import StudyOrder, give_up_study, run_study
from server.public_target import PublicTarget
from server.publication import load_publication
from server.study import load_study
from strategies.environment import quiet_flower
from strategies.errors import StudyFailed
from synthesis import InputError
from synthesis.kinds import load_any_schema

RELEASES_FOLDER = "releases"
_GO_ON = (
    "What the study has is kept: run the same command again to go on, or with --give-up to end it."
)


@dataclass(frozen=True, kw_only=True)
class AskedStudy:
    """What was asked for on the command line; the meanings are those of the options."""

    server: Path
    study: Path
    schema: Path
    sites: int | None
    rows: int | None
    out: Path | None
    target: Path | None = None
    grace_s: float = GRACE_S


def run(asked: AskedStudy) -> None:
    """Run a study or what is left of it, and say what came of it.

    Raises:
        InputError: if something given cannot be used; no site was asked.
        StudyFailed: if the study cannot go on now.
    """
    folder, order = _read(asked)
    server = load_server(folder)
    with quiet_flower(), StudyProgress(screen) as progress:
        try:
            report = run_study(server, order, progress)
        except StudyFailed as failure:
            raise StudyFailed(f"{failure.reason} {_GO_ON}") from None
        except OSError as error:
            place = f" ({error.filename})" if error.filename else ""
            raise StudyFailed(
                f"the system refused a file: {error.strerror or error}{place}; make room. {_GO_ON}"
            ) from None
        except Stopped as stopped:
            stopped.sentence = "stopped; what the study has is kept, run it again to go on."
            raise
    show_summary(screen, report, order.out)
    say(screen, f"This coordinator signs releases with {server.load_signing_key().public.hex}")


def give_up(asked: AskedStudy) -> None:
    """Tell the sites that the study will not go on.

    Raises:
        InputError: if something given cannot be used.
        StudyFailed: if the coordinator does not run.
    """
    server, order = _read(asked)
    with quiet_flower():
        told = give_up_study(load_server(server), order, lambda event: None)
    say(
        screen,
        f"Study {order.study.name!r} is given up; {', '.join(told) or 'no site'} heard it and "
        "closed it. What was reserved for it stays spent.",
    )


def _read(asked: AskedStudy) -> tuple[Path, StudyOrder]:
    if asked.rows is not None and asked.rows < 1:
        raise InputError(f"rows must be at least 1, got {asked.rows}.", argument="rows")
    if not 0 <= asked.grace_s < float("inf"):
        raise InputError(
            f"grace must be at least 0 seconds, got {asked.grace_s:g}; {GRACE_S:g} is usual.",
            argument="grace",
        )
    study = load_study(asked.study)
    schema = load_any_schema(asked.schema)
    order = StudyOrder(
        study=study,
        schema=schema,
        num_sites=asked.sites,
        num_rows=asked.rows,
        out=asked.out or asked.server / RELEASES_FOLDER / study.name,
        grace_s=asked.grace_s,
        publication=load_publication(asked.study),
        target=None if asked.target is None else PublicTarget.load(asked.target, schema),
    )
    return asked.server, order
