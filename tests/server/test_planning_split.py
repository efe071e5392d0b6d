"""The split of a budget follows a public rule, and a study that travels holds its number."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import CommandLine

from privacy import Budget
from server.planning import parse_open_study, settle_share, weigh_rounds
from server.planning.noise import compute_signal
from server.planning.split import SPLIT_SIGNAL
from server.study import Study, load_study, parse_study
from simulations.settings import make_study
from synthesis import InputError
from synthesis.layout import SketchLayout
from synthesis.schema import load_schema

ADULT = Path(__file__).parents[2] / "simulations" / "data" / "adult.toml"
LAYOUT = SketchLayout.from_schema(load_schema(ADULT))


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return CommandLine(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("rows", [300, 610, 9768])
def test_the_rounds_get_budget_where_the_sketch_of_a_site_has_signal(
    epsilon: float, rows: int
) -> None:
    budget = Budget(epsilon=epsilon, delta=1e-5)
    share = weigh_rounds(budget, rows, LAYOUT).adversarial_share
    noise = Study(epsilon=epsilon, rounds=0, adversarial_share=0).make_plan()
    assert noise.sketch_noise_multiplier is not None
    signal = compute_signal(rows, 1, noise.sketch_noise_multiplier, LAYOUT)
    assert share == (0.1 if signal >= SPLIT_SIGNAL else 0.0)


def test_a_settled_study_is_a_study_with_numbers() -> None:
    def settle(**content: object) -> Study:
        given = {"adversarial_share": "auto"} | content
        return parse_study(settle_share(given, nominal_rows=9768, layout=LAYOUT))

    assert (settle(epsilon=10.0).adversarial_share, settle(epsilon=10.0).rounds) == (0.1, 5)
    assert (settle(epsilon=3.0).adversarial_share, settle(epsilon=3.0).rounds) == (0.0, 0)
    assert (settle(epsilon=0.1).adversarial_share, settle(epsilon=0.1).rounds) == (0.0, 0)
    assert (settle(rounds=0).adversarial_share, settle(rounds=0).rounds) == (0.0, 0)
    assert settle(nominal_rows=50).rounds == 0
    assert settle(adversarial_share=0.5, epsilon=0.1).adversarial_share == 0.5


def test_a_simulation_leaves_the_split_open_where_it_names_nothing_of_the_rounds() -> None:
    def make(**content: object) -> tuple[float, int]:
        study = make_study(
            content, units_per_site=9768, num_sites=4, layout=LAYOUT, name="s", seed=0
        )
        return study.adversarial_share, study.rounds

    assert make(epsilon=10.0) == (0.1, 5)
    assert make() == (0.0, 0)
    assert make(epsilon=0.3) == (0.0, 0)
    assert make(epsilon=0.3, rounds=2) == (0.1, 2)
    assert make(epsilon=0.3, strategy="mdgan") == (0.1, 5)
    assert make(epsilon=0.3, model="vae") == (0.1, 5)
    assert make(epsilon=0.3, fit_steps=20) == (0.0, 0)
    assert make(epsilon=0.3, adversarial_share=0.2) == (0.2, 5)


def test_other_settings_are_checked_before_the_share_is_chosen() -> None:
    assert parse_open_study({"adversarial_share": "auto", "rounds": 0}).rounds == 0
    with pytest.raises(InputError, match="epsilon must be"):
        parse_open_study({"adversarial_share": "auto", "epsilon": -1})
    with pytest.raises(InputError, match="adversarial_share must be a valid number"):
        parse_open_study({"adversarial_share": "much"})


def test_a_study_for_sites_must_hold_the_number(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text('adversarial_share = "auto"\n')
    with pytest.raises(InputError, match=r"study\.toml: adversarial_share must be a number"):
        load_study(path)


def test_plan_and_simulate_choose_the_same(shell: CommandLine) -> None:
    tiny = (shell.home / "tiny.toml").read_text()
    (shell.home / "tiny.toml").write_text(tiny + 'adversarial_share = "auto"\n')
    words = ("plan", "tiny.toml", "--schema", "visits.toml", "--rows")
    few, many = (" ".join(shell.run(*words, rows).out.split()) for rows in ("30", "30000"))
    assert "adversarial_share = 0 and rounds = 0" in few
    assert "adversarial_share = 0.1 and rounds = 1" in many
    refused = shell.run("plan", "tiny.toml")
    assert (refused.code, refused.out) == (2, "")
    assert "give --schema, --sites and --rows, or a number" in refused.err
    ended = shell.simulate("--out", "release")
    assert (ended.code, ended.err) == (0, "")
    assert "round 1" not in ended.out


def test_a_budget_that_no_noise_meets_is_one_sentence(shell: CommandLine) -> None:
    tiny = (shell.home / "tiny.toml").read_text()
    (shell.home / "tiny.toml").write_text(tiny + 'adversarial_share = "auto"\nepsilon = 1e-9\n')
    planned = shell.run("plan", "tiny.toml", "--schema", "visits.toml", "--rows", "30")
    simulated = shell.simulate("--out", "release")
    for ended in (planned, simulated):
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert "epsilon 1e-09 at delta 1e-05 cannot be planned for" in ended.err
