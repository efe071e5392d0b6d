"""``fedsynth plan`` as a person sees it: from public facts alone, and before anything is spent."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import CommandLine

from simulations.demos import DEMO_ROWS, load_demo

ROOT = Path(__file__).parents[2]
DEMO = '[simulation]\ndemo = "adult"\nsites = 8\n'
OWN = '[simulation]\ndata = "nowhere.csv"\nschema = "visits.toml"\nsites = 3\n'


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return CommandLine(tmp_path, monkeypatch, capsys)


def plan(shell: CommandLine, *words: str, study: str = "") -> str:
    """Return what the command says, as one line."""
    (shell.home / "study.toml").write_text(study)
    ended = shell.run("plan", "study.toml", *words)
    assert (ended.code, ended.err) == (0, "")
    assert max(map(len, _tables(ended.out)), default=0) <= 80
    return " ".join(ended.out.split())


def _tables(text: str) -> list[str]:
    """Return the lines that are not broken by the terminal: those of tables."""
    return [line for line in text.splitlines() if line.endswith(" ") or " ── " in line]


def forecast(shell: CommandLine, *words: str, study: str = "") -> dict:
    (shell.home / "study.toml").write_text(study)
    return json.loads(shell.run("plan", "study.toml", "--json", *words).out)["forecast"]


def test_a_study_without_a_schema_says_what_is_missing(shell: CommandLine) -> None:
    said = plan(shell)
    assert "Give --schema FILE" in said
    assert "signal" not in said
    assert forecast(shell) is None


def test_a_demonstration_is_planned_from_its_public_facts(shell: CommandLine) -> None:
    said = plan(shell, study=DEMO)
    assert (
        "With 8 sites of 4,884 rows each (public, of the demonstration; nothing was read)" in said
    )
    for text in ("all sites together", "What it takes", "two-way distance", "AUC gain kept"):
        assert text in said
    held_out = forecast(shell, study="evaluation = true\n" + DEMO)
    assert held_out["units"] == [int(39_074 * 0.9) // 8] * 8


def test_the_rows_of_demonstrations_are_as_many_as_is_said() -> None:
    assert {name: len(load_demo(name).train) for name in DEMO_ROWS} == DEMO_ROWS


def test_the_data_of_a_study_are_never_read(shell: CommandLine) -> None:
    said = plan(shell, "--rows", "5000", study=OWN)
    assert "With 3 sites of 5,000 rows each (as declared; nothing was read)" in said
    assert "Give --schema FILE" in plan(shell, study=OWN)
    assert not (shell.home / "nowhere.csv").exists()


def test_options_say_where_a_deployed_study_would_run(shell: CommandLine) -> None:
    words = ("--schema", "visits.toml")
    assert forecast(shell, *words) is None
    found = forecast(shell, *words, study="nominal_rows = 700")
    assert (found["units"], found["units_from"]) == ([700, 700], "the study's nominal_rows")
    found = forecast(shell, *words, "--sites", "5", "--rows", "1_200", study="nominal_rows = 700")
    assert found["units"] == [1200] * 5
    assert forecast(shell, *words, "--rows", "400, 160,22")["units"] == [400, 160, 22]


def test_a_program_gets_everything_that_is_on_the_screen(shell: CommandLine) -> None:
    chosen = "epsilon = 0.01\nadversarial_share = 0.1\n" + OWN
    (shell.home / "study.toml").write_text(chosen)
    ended = shell.run("plan", "study.toml", "--json", "--rows", "50,50,3")
    told = json.loads(ended.out)
    assert told["epsilon"] <= told["study"]["epsilon"] == 0.01
    assert [event["purpose"] for event in told["events"]] == ["sketch", "training"]
    found = told["forecast"]
    assert set(found["expected"]) == {"two_way", "gain_kept", "two_sample_auc"}
    assert found["expected"]["two_way"] is None
    assert found["noise"]["pooled_std"] == pytest.approx(found["noise"]["site_std"] * 3**0.5)
    assert any("epsilon 0.01 is hopeless" in warning for warning in found["warnings"])
    said = plan(shell, "--rows", "50,50,3", study=chosen)
    assert said.count("Warning: ") == len(found["warnings"])
    assert "is not known" in said


def test_person_level_studies_speak_of_persons(shell: CommandLine) -> None:
    text = (shell.home / "visits.toml").read_text()
    unit = 'kind = "person"\nperson_column = "patient"'
    (shell.home / "visits.toml").write_text(text.replace('kind = "record"', unit))
    assert "sites of 300 persons each" in plan(shell, "--rows", "300", study=OWN)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--rows", "many"], "rows must be a whole number above 0"),
        (["--rows", "5,0"], "rows must be a whole number above 0"),
        (["--rows", "-5"], "rows must be a whole number above 0"),
        (["--rows", "5,6", "--sites", "3"], "one for each of the 3 sites, got 2"),
        (["--rows", "1,2"], "one for each of the 3 sites, got 2"),
        (["--rows", "5", "--sites", "1"], "sites must be at least 2, got 1"),
        (["--schema", "none.toml"], "schema file none.toml does not exist"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused(
    shell: CommandLine, words: list[str], sentence: str
) -> None:
    (shell.home / "study.toml").write_text(OWN)
    ended = shell.run("plan", "study.toml", *words)
    assert (ended.code, ended.out) == (2, "")
    assert sentence in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--rows", "0"], "rows must be a whole number above 0"),
        (["--rows", "abc"], "rows must be a whole number above 0"),
        (["--rows", "5,6", "--sites", "3"], "one for each of the 3 sites, got 2"),
        (["--sites", "0"], "sites must be at least 2, got 0"),
    ],
)
def test_options_are_checked_where_no_schema_uses_them(
    shell: CommandLine, words: list[str], sentence: str
) -> None:
    ended = shell.run("plan", "tiny.toml", *words)
    assert (ended.code, ended.out) == (2, "")
    assert sentence in ended.err


@pytest.mark.parametrize(("epsilon", "rounds"), [(10, "5"), (1, "none")])
def test_the_choice_of_rounds_is_told_with_what_it_rests_on(
    shell: CommandLine, epsilon: float, rounds: str
) -> None:
    study = f"epsilon = {epsilon}\n[simulation]\nsites = 4\n"
    said = plan(shell, study=study)
    found = json.loads(shell.run("plan", "study.toml", "--json").out)["rounds_chosen_by"]
    assert (found["nominal_units"], found["rounds_pay_from"]) == (9768, 50)
    assert (
        f"Adversarial rounds: {rounds}; a site's own sketch of 9,768 rows would have a signal of "
        f"{found['site_signal']:.1f} with the whole budget, and rounds pay from 50 on." in said
    )


@pytest.mark.parametrize(
    "study",
    [
        "rounds = 2\n" + DEMO,
        'model = "vae"\n' + DEMO,
        'rounds = 0\nadversarial_share = "auto"\n' + DEMO,
        '[simulation]\ndemo = "digits"\n',
        "",
    ],
)
def test_nothing_is_said_of_a_choice_that_was_none(shell: CommandLine, study: str) -> None:
    assert "Adversarial rounds: " not in plan(shell, study=study)
    assert json.loads(shell.run("plan", "study.toml", "--json").out)["rounds_chosen_by"] is None


def test_rounds_are_chosen_by_the_rows_that_are_not_held_out(shell: CommandLine) -> None:
    said = plan(shell, study="epsilon = 5\n[simulation]\nholdout = 0.3\n")
    assert "Adversarial rounds: none; a site's own sketch of 6,837 rows" in said
    assert "With 4 sites of 6,837 rows each" in said
    assert "Warning" not in said
    assert "Adversarial rounds: 5" in plan(shell, study="epsilon = 5\n[simulation]\nsites = 4\n")


def test_a_choice_that_waits_for_rows_is_said_to_wait(shell: CommandLine) -> None:
    assert "may change with --rows" in plan(shell, study=OWN)
    assert "may change with --rows" not in plan(shell, study="rounds = 2\n" + OWN)


def test_a_site_that_is_all_noise_is_warned_on_its_own_screen(shell: CommandLine) -> None:
    from founded_site import init_words

    shell.run(*init_words())
    (shell.home / "study.toml").write_text("epsilon = 0.1\n")
    said = " ".join(shell.run("site", "check", "study.toml", "--site", "north").out.split())
    assert "Warning: This site's sketch would be all noise" in said
    assert "for 54 rows of this site in all" in said
    (shell.home / "study.toml").write_text("epsilon = 0.1\nnominal_rows = 60\n")
    assert "Warning" not in shell.run("site", "check", "study.toml", "--site", "north").out


def test_a_plan_does_not_wait_for_torch() -> None:
    words = "import sys, fedsynth.plan_command; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", words], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    ("study", "words"),
    [
        ("", "Strategy: fedavg; one bad site can spoil"),
        ('strategy = "fedadam"\n', "fedadam (server_learning_rate = 0.01, server_momentum = 0.9)"),
        (
            'strategy = "krum"\nbad_sites = 1\nminimum_sites = 5\n',
            "Strategy: krum (bad_sites = 1); a study with at least 5 sites stands 1",
        ),
    ],
)
def test_the_strategy_is_shown_with_what_it_stands(
    shell: CommandLine, study: str, words: str
) -> None:
    assert words in plan(shell, study=study)


def test_a_strategy_that_has_too_few_sites_is_refused_in_a_sentence(shell: CommandLine) -> None:
    (shell.home / "study.toml").write_text('strategy = "krum"\nbad_sites = 1\n')
    ended = shell.run("plan", "study.toml")
    assert ended.code != 0
    assert "minimum_sites must be at least 5" in " ".join(ended.err.split())
