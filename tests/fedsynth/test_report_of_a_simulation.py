"""The report that a simulation really writes: whole, and the same for people and programs."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from command_line import CommandLine
from report_figures import find_unknown_figures
from report_schema import find_errors

from server.report import report_from_json


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return CommandLine(tmp_path, monkeypatch, capsys)


def test_it_fits_its_schema_and_holds_every_figure_of_its_page(shell: CommandLine) -> None:
    assert shell.simulate("--out", "release").code == 0
    text = (shell.home / "release" / "report.json").read_text()
    page = (shell.home / "release" / "report.html").read_text()
    report = report_from_json(text)
    assert find_unknown_figures(report, page) == set()
    assert page.count('<h3 id="question-') == 14
    if importlib.util.find_spec("jsonschema") is not None:
        assert find_errors(json.loads(text)) == []


def test_it_holds_table_and_sites_to_a_public_target(shell: CommandLine) -> None:
    text = '[[margins]]\ncolumn = "age"\nshares = { "<50" = 0.9 }\n'
    (shell.home / "target.toml").write_text(text)
    assert shell.simulate("--out", "release", "--target", "target.toml").code == 0
    report = report_from_json((shell.home / "release" / "report.json").read_text())
    page = (shell.home / "release" / "report.html").read_text()
    assert report.target is not None
    assert report.target.sites == tuple(sorted(site.name for site in report.sites))
    assert find_unknown_figures(report, page) == set()
    if importlib.util.find_spec("jsonschema") is not None:
        assert find_errors(json.loads(report.model_dump_json())) == []


def test_it_holds_gain_history_and_refusals(shell: CommandLine) -> None:
    shell.simulate("--out", "release", "--epsilon", "2")
    report = report_from_json((shell.home / "release" / "report.json").read_text())
    assert report.gain is not None and report.refusals == ()
    assert report.gain.epsilon == 2.0
    best, allowed = report.gain.from_losses, report.gain.from_epsilon_delta
    for name in type(best).model_fields:
        assert getattr(best, name) < getattr(allowed, name)
    for site in report.sites:
        (only,) = site.history
        assert site.total is not None
        assert (only.study, only.total) == (report.study, site.total.pld)


def test_licence_and_creator_of_the_study_file_are_in_every_account(shell: CommandLine) -> None:
    study = shell.home / "tiny.toml"
    said = '\n[release]\nlicence = "CC-BY-4.0"\ncreator = "Statistics of the North"\n'
    study.write_text(study.read_text() + said)
    assert shell.simulate("--out", "release").code == 0
    release = shell.home / "release"
    for name in ("report.json", "report.html", "DATA_CARD.md", "croissant.json"):
        content = (release / name).read_text()
        assert "CC-BY-4.0" in content and "Statistics of the North" in content, name
    metadata = json.loads((release / "croissant.json").read_text())
    assert metadata["license"] == "https://spdx.org/licenses/CC-BY-4.0"
    statement = json.loads((release / "report.json").read_text())
    assert "licence" not in json.dumps(statement["sites"])


def test_a_licence_that_is_none_is_refused_before_anything_runs(shell: CommandLine) -> None:
    study = shell.home / "tiny.toml"
    study.write_text(study.read_text() + '\n[release]\nlicence = "do what you like"\n')
    ended = shell.simulate("--out", "release")
    assert ended.code == 2
    assert not (shell.home / "release").exists()
