"""``fedsynth simulate``: a whole federation on this machine, watched from this screen."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from fedsynth.api import resolve
from fedsynth.progress import StudyProgress
from fedsynth.summary import show_summary
from server.publication import load_publication
from simulations.images import is_of_images, run_image_simulation
from simulations.simulate import run_simulation


def simulate_to_folder(
    console: Console,
    study: Path | None,
    changes: Mapping[str, Any],
    simulation: Mapping[str, Any],
    *,
    out: Path,
) -> None:
    """Run a simulation, write its release and print what came of it.

    Args:
        console: where to print.
        study: study file, if there is one.
        changes: settings of the study that were given beside it; None is not given.
        simulation: settings of the simulation, likewise.
        out: new or empty folder.

    Raises:
        InputError: if something given cannot be used; nothing is written.
        StudyFailed: if the study cannot go on.
    """
    content, settings = resolve(study, changes, simulation)
    publication = load_publication(study)
    with StudyProgress(console) as progress:
        run = run_image_simulation if is_of_images(settings) else run_simulation
        result = run(
            content,
            settings,
            out=out,
            command=shlex.join(["fedsynth", *sys.argv[1:]]),
            on_event=progress,
            publication=publication,
        )
    show_summary(console, result.report, out)
