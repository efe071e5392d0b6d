"""A foreign `client.py` in the way is named in one sentence, with the way out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fedsynth.shadows import ROOT_PACKAGES, check_root_packages

ROOT = Path(__file__).parents[2]


def import_fedsynth(cwd: Path, *, before: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Import fedsynth in a fresh interpreter started in ``cwd``."""
    paths = [str(path) for path in (before, ROOT) if path is not None]
    code = f"import sys; sys.path[1:1] = {paths!r}; import fedsynth"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_our_own_packages_are_accepted() -> None:
    check_root_packages()


def test_import_works_from_an_unrelated_folder(tmp_path: Path) -> None:
    done = import_fedsynth(tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ROOT_PACKAGES)
def test_a_module_in_the_working_directory_is_named(tmp_path: Path, name: str) -> None:
    foreign = tmp_path / f"{name}.py"
    foreign.write_text("raise SystemExit('a foreign module was run')\n")
    done = import_fedsynth(tmp_path)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert last.startswith(f"ImportError: fedsynth needs its own package '{name}'")
    assert str(foreign) in last
    assert "rename or move that file" in last


def test_another_installed_package_is_named(tmp_path: Path) -> None:
    foreign = tmp_path / "site" / "server" / "__init__.py"
    foreign.parent.mkdir(parents=True)
    foreign.touch()
    done = import_fedsynth(tmp_path, before=tmp_path / "site")
    assert str(foreign) in done.stderr.strip().splitlines()[-1]


def test_a_foreign_module_that_is_already_imported_is_named(tmp_path: Path) -> None:
    (tmp_path / "client.py").touch()
    code = f"import client, sys; sys.path[0] = {str(ROOT)!r}; import fedsynth"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert str(tmp_path / "client.py") in done.stderr.strip().splitlines()[-1]


def test_an_incomplete_installation_says_so(tmp_path: Path) -> None:
    with pytest.raises(ImportError, match="install fedsynth again"):
        check_root_packages(["strategies"], home=tmp_path)
