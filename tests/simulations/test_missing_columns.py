"""Four sites of a made-up table, one of which lacks two columns: from the rows to the release."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from privacy import Ledger, replay_ledger
from server.attestation import verify_release
from server.report import render_html
from simulations.settings import SimulationSettings
from simulations.simulate import SimulationResult, run_simulation
from synthesis import InputError
from synthesis.schema import Categorical, Integer, Schema, dump_schema

SCHEMA = Schema(
    name="wards",
    columns=(
        Categorical(name="outcome", categories=("well", "ill")),
        Categorical(name="ward", categories=("a", "b", "c")),
        Categorical(name="scan", categories=("clear", "odd")),
        Categorical(name="blood", categories=("low", "high")),
        Integer(name="age", minimum=0, maximum=29),
    ),
    label="outcome",
)
STUDY = {
    "epsilon": 8.0,
    "rounds": 1,
    "adversarial_share": 0.1,
    "fit_steps": 250,
    "generator_steps": 5,
}


def draw_table(rows: int = 3000) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    ill = rng.random(rows) < 0.4
    odd = rng.random(rows) < np.where(ill, 0.7, 0.1)
    return pd.DataFrame(
        {
            "outcome": np.where(ill, "ill", "well"),
            "ward": rng.choice(list("abc"), rows),
            "scan": np.where(odd, "odd", "clear"),
            "blood": np.where(rng.random(rows) < np.where(odd, 0.85, 0.2), "high", "low"),
            "age": np.clip(rng.normal(np.where(ill, 20, 10), 4).round(), 0, 29).astype(int),
            "hospital": rng.choice(["north", "east", "south", "west"], rows),
        }
    )


def simulate(folder: Path, missing, *, study=STUDY, rows: int = 3000, **more) -> SimulationResult:
    folder.mkdir(exist_ok=True)
    draw_table(rows).to_csv(folder / "rows.csv", index=False)
    (folder / "schema.toml").write_text(dump_schema(SCHEMA))
    settings = SimulationSettings.model_validate(
        {
            "data": folder / "rows.csv",
            "schema": folder / "schema.toml",
            "partition": "column:hospital",
            "missing_columns": missing,
        }
        | more
    )
    return run_simulation(study, settings, out=folder / "release")


def check_release(release: Path) -> None:
    """It verifies, and every site spent the same, whatever it lacks."""
    assert verify_release(release).holds
    ledgers = [release / "sites" / f"site-{n}" / "ledger.sqlite" for n in range(1, 5)]
    events = [Ledger.open(path).events() for path in ledgers]
    assert all(each == events[0] for each in events)
    assert len({replay_ledger(path).epsilon_pld for path in ledgers}) == 1


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("missing")


@pytest.fixture(scope="module")
def result(home: Path) -> SimulationResult:
    return simulate(home, {"west": ("scan", "blood")}, canaries=50)


@pytest.mark.slow
def test_the_release_verifies_and_the_ledgers_are_as_ever(
    result: SimulationResult, home: Path
) -> None:
    check_release(home / "release")


@pytest.mark.slow
def test_the_report_says_who_lacks_what(result: SimulationResult) -> None:
    lacking = {site.name: site.missing_columns for site in result.report.sites}
    assert lacking == {"north": (), "east": (), "south": (), "west": ("scan", "blood")}
    assert result.report.never_together == ()
    assert result.report.attacks is None
    assert any("nobody tried what an attacker" in limit for limit in result.report.limits)
    assert "west declared that it does not have scan, blood" in render_html(result.report)


@pytest.mark.slow
def test_what_others_know_of_the_columns_is_in_the_table(result: SimulationResult) -> None:
    """Shares given the label, against the rows of sites that have both columns."""
    table = draw_table()
    known = table[table.hospital != "west"]
    for first, second in [("scan", "blood"), ("ward", "scan")]:
        for label in ("well", "ill"):
            shares = [
                each[each.outcome == label]
                .groupby([first, second])
                .size()
                .pipe(lambda counts: counts / counts.sum())
                for each in (known, result.synthetic.astype(str))
            ]
            distance = shares[0].sub(shares[1], fill_value=0.0).abs().sum() / 2
            assert distance < 0.08


def test_pairs_never_seen_together_are_in_the_report(tmp_path: Path) -> None:
    missing = dict.fromkeys(["north", "east"], ("scan",)) | dict.fromkeys(
        ["south", "west"], ("blood",)
    )
    result = simulate(tmp_path, missing, study=STUDY | {"fit_steps": 10}, rows=600)
    assert result.report.never_together == (("scan", "blood"),)
    assert "Never seen together" in render_html(result.report)
    check_release(tmp_path / "release")


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ({"centre": ("scan",)}, "by name of a site, got 'centre'"),
        ({"west": ("outcome",)}, "must not name the label"),
        ({"west": ("scans",)}, "columns of the schema, got 'scans'"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(tmp_path: Path, missing, words) -> None:
    with pytest.raises(InputError, match=words):
        simulate(tmp_path, missing)
