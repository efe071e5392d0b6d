"""What is shipped is whole, holds nothing else, and runs where there is no checkout."""

from __future__ import annotations

import re
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from cli_words import find_unknown
from command_line import write_inputs
from house_tree import MAY_IMPORT
from installed import installed_python, is_checkout_hidden, run_installed
from shipping import Built, build

MAX_WHEEL_BYTES = 2_000_000
SITE = ("--data", "visits.csv", "--schema", "visits.toml", "--epsilon", "3", "--delta", "1e-5")
SIMULATE = ("tiny.toml", *SITE[:4], "--partition", "column:clinic", "--out", "release")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="session")
def bin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed_python(tmp_path_factory)


def files_under(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def wheel_names(built: Built) -> set[str]:
    with zipfile.ZipFile(built.wheel) as archive:
        return set(archive.namelist())


def read_metadata(built: Built) -> str:
    with zipfile.ZipFile(built.wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return archive.read(name).decode()


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(built: Built) -> None:
    names = {name for name in wheel_names(built) if ".dist-info/" not in name}
    ours = {name for name in files_under(built.checkout) if name.partition("/")[0] in MAY_IMPORT}
    assert names == ours
    assert {"fedsynth/py.typed", "server/report/templates/page.html"} <= names
    assert "simulations/data/adult.parquet" in names
    assert "server/attestation/release-1.schema.json" in names
    assert "server/report/report-1.schema.json" in names


def test_the_wheel_holds_the_licence_and_stays_small(built: Built) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel_names(built))
    assert built.wheel.stat().st_size < MAX_WHEEL_BYTES


def test_the_wheel_asks_for_what_pyproject_says(built: Built) -> None:
    project = tomllib.loads((built.checkout / "pyproject.toml").read_text())["project"]
    metadata = read_metadata(built)
    wanted = re.findall(r"^Requires-Dist: ([\w.-]+)[^;\n]*$", metadata, re.MULTILINE)
    assert wanted == [re.split(r"[\[<>=~]", each)[0] for each in project["dependencies"]]
    assert f"\nVersion: {project['version']}\n" in metadata


def test_the_sdist_holds_the_whole_checkout(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        files = [member.name for member in archive if member.isfile()]
    names = {name.partition("/")[2] for name in files}
    kept = {name for name in names if not name.startswith("fedsynth.egg-info/")}
    source = {name for name in files_under(built.checkout) if ".egg-info/" not in name}
    assert kept - {"PKG-INFO", "setup.cfg"} == source


@pytest.mark.slow
@pytest.mark.alone
def test_the_wheel_alone_simulates_and_founds_site_and_coordinator(
    bin_folder: Path, tmp_path: Path
) -> None:
    write_inputs(tmp_path)
    assert is_checkout_hidden(bin_folder, tmp_path)
    for words in (
        ("--version",),
        ("site", "init", "north", "--name", "North", *SITE),
        ("site", "check", "tiny.toml", "--site", "north"),
        ("server", "init", "coordinator", "--name", "Flu", "--host", "localhost"),
        ("simulate", *SIMULATE),
        ("verify", "release"),
    ):
        if find_unknown(list(words)):
            continue  # a command that is still to come
        done = run_installed(bin_folder, "fedsynth", *words, cwd=tmp_path)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    assert (tmp_path / "release" / "report.html").is_file()
