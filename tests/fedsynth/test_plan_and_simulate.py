"""``fedsynth plan`` settles the study that ``fedsynth simulate`` would run, or refuses it alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import CommandLine

from simulations.settings import read_settings
from simulations.simulate import _prepare
from synthesis import InputError

UNEQUAL = "[simulation]\nsite_epsilons = [0.3, 1, 3, 10]\n"


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return CommandLine(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("text", "num_sites"),
    [
        (UNEQUAL, 4),
        ("epsilon = 10\n" + UNEQUAL, 4),
        ('epsilon = 6\n[simulation]\npartition = "column:race"\n', 5),
        ('[simulation]\npartition = "column:education"\n', 16),
        ('[simulation]\npartition = "sizes:70,20,8,1,1"\n', 5),
        ('[simulation]\npartition = "lacking:1"\nsites = 3\n', 3),
        ("epsilon = 5\n[simulation]\nholdout = 0.3\n", 4),
        ("evaluation = true\n[simulation]\nsites = 4\n", 4),
        ("rounds = 3\n[simulation]\nsites = 32\n", 32),
    ],
)
def test_both_settle_the_same_study(shell: CommandLine, text: str, num_sites: int) -> None:
    path = shell.home / "study.toml"
    path.write_text(text)
    study, sites = _prepare(*read_settings(path, study={}, simulation={}))
    told = json.loads(shell.run("plan", "study.toml", "--json").out)
    assert told["study"] == study.model_dump(mode="json")
    assert told["forecast"]["sites"] == len(sites.tables) == num_sites


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("epsilon = 4\n" + UNEQUAL, "epsilon must be the largest of site_epsilons, 10, got 4"),
        (UNEQUAL + "sites = 3\n", "one for each of 3 sites, got 4"),
        (UNEQUAL.replace("0.3", "1e-9"), "epsilon 1e-09 at delta 1e-05 cannot be planned for"),
        ('[simulation]\npartition = "lacking:2"\n', "with 2 values and 4 sites it does not"),
        ('[simulation]\npartition = "column:town"\n', "column 'town' must be a column of the"),
        ('[simulation]\npartition = "column:race"\nsites = 4\n', "sites must be left out"),
        ("[simulation]\nalpha = 1\n", "alpha must be left out with partition iid"),
        ("evaluation = true\n[simulation]\nholdout = 0\n", "holdout must be above 0"),
    ],
)
def test_both_refuse_in_the_same_words(shell: CommandLine, text: str, sentence: str) -> None:
    (shell.home / "study.toml").write_text(text)
    planned = shell.run("plan", "study.toml")
    simulated = shell.run("simulate", "study.toml", "--out", "release")
    assert planned == simulated
    assert planned.code == 2
    assert sentence in planned.err


def test_images_that_lack_all_classes_are_refused_by_a_plan_too(shell: CommandLine) -> None:
    (shell.home / "study.toml").write_text('[simulation]\ndemo="digits"\npartition = "lacking:10"')
    ended = shell.run("plan", "study.toml")
    assert ended.code == 2
    assert "lacking:10 must leave every value a site" in ended.err


def test_a_column_that_only_the_rows_know_has_as_many_sites_as_epsilons(shell: CommandLine) -> None:
    own = '[simulation]\ndata = "visits.csv"\nschema = "visits.toml"\npartition = "column:clinic"\n'
    (shell.home / "study.toml").write_text(own + "site_epsilons = [1, 2, 3]\n")
    told = json.loads(shell.run("plan", "study.toml", "--rows", "20", "--json").out)
    assert told["forecast"]["sites"] == 3
    assert told["study"]["epsilon"] == 3
    assert json.loads(shell.run("plan", "study.toml", "--json").out)["study"]["epsilon"] == 3


@pytest.mark.parametrize("partition", ["column:race", "sizes:7,2,1", "iid"])
def test_a_given_partition_goes_before_what_the_file_says_beside_its_own(
    tmp_path: Path, partition: str
) -> None:
    path = tmp_path / "study.toml"
    path.write_text('[simulation]\npartition = "dirichlet"\nsites = 3\nalpha = 1\n')

    def given(**simulation: object) -> tuple[int, float]:
        _, settings = read_settings(
            path, study={}, simulation={"partition": partition, **simulation}
        )
        _, sites = _prepare({}, settings)
        return len(sites.tables), settings.alpha

    assert given() == ({"column:race": 5}.get(partition, 3), 0.5)
    if partition != "iid":
        with pytest.raises(InputError, match="sites must be left out"):
            given(sites=4)
