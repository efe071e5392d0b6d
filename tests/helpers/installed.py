"""fedsynth as a user has it: the wheel, installed into an empty environment."""

from __future__ import annotations

import os
import subprocess
import venv
from collections.abc import Mapping
from pathlib import Path

import pytest
from shipping import ROOT, build

# The bin folder of an environment that is there already: to try a test again without the wait.
REUSE = "FEDSYNTH_INSTALLED"
_made: list[Path] = []


def installed_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bin folder of an environment that holds the wheel and what it needs, no more.

    The extra for PostgreSQL is there too: a site in the tests needs it.

    It is made once in a test run, which takes one to two minutes. Tests that use it are marked
    ``slow`` and ``alone``, so that they share one process and thereby one environment.
    """
    if REUSE in os.environ:
        return Path(os.environ[REUSE])
    if not _made:
        _made.append(_install(tmp_path_factory))
    return _made[0]


def _install(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    wheel = f"{build(folder).wheel}[postgresql]"
    # The environment lies apart: what comes to lie beside it must not be found by accident.
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, with_pip=True, system_site_packages=False)
    pins = ROOT / "constraints.txt"
    subprocess.run(
        [place / "bin" / "python", "-m", "pip", "install", "-qq", "-c", str(pins), wheel],
        cwd=place,
        env=clean_environment(),
        timeout=900,
        check=True,
    )
    return place / "bin"


def clean_environment(**more: str) -> Mapping[str, str]:
    """Return this process's environment without what leads Python to the checkout."""
    hidden = ("PYTHON", "VIRTUAL_ENV", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    return kept | {"OMP_NUM_THREADS": "1", "COLUMNS": "200", "NO_COLOR": "1"} | more


def run_installed(
    folder: Path, *words: str, cwd: Path, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run an installed program, such as ``fedsynth``, from a folder that is not the checkout.

    Args:
        folder: the bin folder.
        words: the program's name and its words.
        cwd: where it runs.
        timeout: seconds.
    """
    return subprocess.run(
        [str(folder / words[0]), *words[1:]],
        cwd=cwd,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def is_checkout_hidden(folder: Path, cwd: Path) -> bool:
    """Return whether an installed Python finds our packages in its environment and nowhere else."""
    code = "import client, fedsynth; print(client.__file__); print(fedsynth.__file__)"
    done = run_installed(folder, "python", "-c", code, cwd=cwd)
    found = [Path(line) for line in done.stdout.splitlines()]
    return len(found) == 2 and all(path.is_relative_to(folder.parent) for path in found)
