"""Commands start quickly: each imports what it needs and nothing heavy beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import CommandLine
from founded_site import FoundedSite
from signed_release import make_canaries, make_release_report, write_signed
from stages import but_for

ROOT = Path(__file__).parents[2]

FORMS = {"numpy", "pydantic", "cryptography"}  # what reads settings, keys and ledgers
TABLES = {"numpy", "pydantic", "pandas", "pyarrow"}
COUNTING = FORMS | {"dp_accounting", "scipy"}  # what counts epsilon
THIRD_OPINION = COUNTING | {"opacus", "torch"}  # PRV, which ledgers show too
CALLING = FORMS | {"flwr", "grpc", "httpx", "sqlalchemy"}  # what asks a coordinator's processes
DEMO = '[simulation]\ndemo = "adult"\n'
HEAVY = TABLES | THIRD_OPINION | CALLING | {"jinja2", "matplotlib", "ray", "sklearn", "torchvision"}

PROBE = """
import sys
from fedsynth.cli import main
try:
    main()
finally:
    print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""
ALL_HELP = """
import sys, typer.main
from fedsynth.commands import app
def show(command, words):
    command.main([*words, "--help"], standalone_mode=False)
    for name, below in getattr(command, "commands", {}).items():
        show(below, [])
show(typer.main.get_command(app), [])
print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return CommandLine(tmp_path, monkeypatch, capsys)


def run(program: str, *words: str) -> tuple[int, str, set[str]]:
    """Run a program in a process of its own: exit code, output, and which heavy modules it has."""
    ended = subprocess.run(
        [sys.executable, "-c", program, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, ended.stdout, HEAVY & set(ended.stderr.splitlines()[-1].split())


def loaded(*words: str, code: int = 0) -> set[str]:
    """Return which heavy modules a command has at its end."""
    found_code, _, modules = run(PROBE, *words)
    assert found_code == code
    return modules


def test_help_and_version_import_nothing_heavy() -> None:
    assert loaded("--help") == loaded("--version") == set()


def test_the_help_of_every_command_imports_nothing_heavy() -> None:
    code, said, modules = run(ALL_HELP)
    assert (code, modules) == (0, set())
    assert said.count("Usage: ") > 30


@pytest.mark.parametrize("study", but_for(["", DEMO], DEMO))
def test_a_plan_imports_only_what_counts(shell: CommandLine, study: str) -> None:
    (shell.home / "study.toml").write_text(study)
    assert loaded("plan", "study.toml") == COUNTING


def test_what_cannot_be_used_is_said_before_anything_is_counted(shell: CommandLine) -> None:
    assert loaded("plan", "nowhere.toml", code=2) <= FORMS
    assert loaded("site", "status", "--site", "nowhere", code=2) <= FORMS


def test_checking_a_table_imports_only_what_reads_tables(shell: CommandLine) -> None:
    assert loaded("schema", "check", "visits.toml", "visits.csv") == TABLES


def test_a_site_that_spent_nothing_imports_no_accountant(shell: CommandLine) -> None:
    FoundedSite(shell)
    for words in (["status"], ["ledger", "show"], ["ledger", "verify"]):
        assert loaded("site", *words, "--site", "north") <= FORMS


@pytest.mark.slow
def test_a_site_imports_no_table_to_tell_what_was_spent(shell: CommandLine) -> None:
    site = FoundedSite(shell)
    site.spend()
    assert loaded("site", "policy", "show", "--site", "north") <= FORMS
    assert loaded("site", "status", "--site", "north") == COUNTING
    assert loaded("site", "ledger", "verify", "--site", "north") == COUNTING


@pytest.mark.slow
def test_a_ledger_is_shown_with_a_third_opinion_and_nothing_more(shell: CommandLine) -> None:
    site = FoundedSite(shell)
    site.spend()
    assert loaded("site", "ledger", "gauge", "--site", "north") <= COUNTING | {"matplotlib"}
    assert loaded("site", "ledger", "show", "--site", "north") == THIRD_OPINION
    assert loaded("audit", "ledger", site.path) == THIRD_OPINION


@pytest.mark.slow
def test_a_coordinator_imports_only_what_calls_its_processes(shell: CommandLine) -> None:
    shell.run("server", "init", "hub", "--name", "Hub", "--host", "localhost")
    assert loaded("server", "status", "--server", "hub", code=1) <= CALLING
    assert loaded("server", "sites", "--server", "hub") <= CALLING


@pytest.mark.slow
def test_a_reader_of_a_release_without_canaries_waits_for_no_models(shell: CommandLine) -> None:
    folder = shell.home / "release"
    write_signed(folder, make_release_report())
    assert "torch" not in loaded("audit", "study", str(folder))
    assert "torch" not in loaded("verify", str(folder))


def test_a_reader_of_canaries_waits_for_no_models(shell: CommandLine) -> None:
    folder, canaries = shell.home / "release", make_canaries()
    write_signed(folder, make_release_report(canaries), canaries)
    assert not {"torch", "flwr", "pandas"} & loaded("audit", "study", str(folder))


def test_new_keys_wait_for_nothing_else(shell: CommandLine) -> None:
    assert loaded("keys", "new", "officer.pem") <= FORMS
