"""A site that says no ends the study before it costs anybody anything, and is understood."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tiny_sites import make_study, write_site, write_sites
from tiny_world import SCHEMA

from client.app import app
from privacy import Ledger
from server.acceptance import _MEANING
from server.app import Coordinator
from server.outcome import StudyOutcome
from simulations.grid import LocalGrid
from strategies import StudyFailed
from strategies.protocol import QUERY_HELLO, RefusalCode
from strategies.receipts import ReceiptProblem
from synthesis.schema import Schema, UnitOfPrivacy


def make_grid(home: Path) -> LocalGrid:
    return LocalGrid(app, 3, run_config={"sites-dir": str(home)})


def run(grid: LocalGrid, **changes: Any) -> StudyOutcome:
    return Coordinator(make_study(**changes), SCHEMA, num_sites=3).run(grid)


def spent(home: Path) -> dict[str, float]:
    """What every ledger holds; a site without one would not answer at all."""
    return {
        folder.name: Ledger.open(folder / "ledger.sqlite").epsilon()
        for folder in sorted(home.iterdir())
    }


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_sites(tmp_path)
    return tmp_path


def other_schema(folder: Path) -> None:
    columns = list(SCHEMA.model_dump()["columns"])
    columns[0]["maximum"] = 28
    content = SCHEMA.model_dump() | {"columns": columns}
    write_site(folder, schema=Schema.model_validate(content))


def for_persons(folder: Path) -> None:
    unit = UnitOfPrivacy(kind="person", person_column="patient").model_dump()
    write_site(folder, schema=Schema.model_validate(SCHEMA.model_dump() | {"unit": unit}))


def without_configuration(folder: Path) -> None:
    (folder / "site.toml").unlink()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (other_schema, ": schema-mismatch, it has approved another schema)"),
        (for_persons, "(site 103: refused-local-failure, something failed there"),
        (without_configuration, "(site 103: refused-local-failure, something failed there"),
    ],
)
def test_a_refusal_ends_the_study_before_any_budget_is_spent(
    home: Path, change: Callable[[Path], None], reason: str
) -> None:
    change(home / "site-3")
    grid = make_grid(home)
    with pytest.raises(StudyFailed, match="no budget was spent") as caught:
        run(grid)
    assert reason in str(caught.value)
    assert {d.message_type for d in grid.deliveries} == {QUERY_HELLO}
    assert set(spent(home).values()) == {0.0}


def test_a_site_without_budget_says_so_before_the_others_spend_theirs(home: Path) -> None:
    shutil.rmtree(home / "site-3")
    write_site(home / "site-3", epsilon=0.5)
    with pytest.raises(StudyFailed, match="budget-exceeded, its budget for life has too little"):
        run(make_grid(home), minimum_sites=2)
    assert set(spent(home).values()) == {0.0}


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (
            {"max_rounds": 1},
            "policy-max-rounds, its policy allows 1 rounds and the study asks for 2",
        ),
        (
            {"max_epsilon_per_study": 0.25},
            "policy-max-epsilon-per-study, its policy allows one study epsilon 0.25 and this one "
            "asks for 1",
        ),
        (
            {"smallest_noise_multiplier": 40.0},
            "policy-smallest-noise-multiplier, its policy asks for a noise multiplier of at least "
            "40 in every release",
        ),
        ({"study_kinds": ("sketch",)}, "policy-study-kinds, its policy does not allow"),
        ({"expires": date(2020, 1, 1)}, "policy-expires, its policy has expired"),
        ({"models": ("another",)}, "policy-models, its policy does not allow the model mixture"),
        (
            {"may_be_told_apart": False},
            "policy-may-be-told-apart, its policy says may_be_told_apart = false and the study may "
            "tell sites apart; set max_site_groups = 1",
        ),
    ],
)
def test_a_refusal_says_what_the_policy_allows(
    home: Path, policy: dict[str, Any], said: str
) -> None:
    shutil.rmtree(home / "site-3")
    site = write_site(home / "site-3", **policy)
    with pytest.raises(StudyFailed, match="no budget was spent") as caught:
        run(make_grid(home))
    assert f"(site 103 with key {site.public_key.fingerprint}: {said}" in caught.value.reason
    assert caught.value.reason.count("site 10") == 1
    assert set(spent(home).values()) == {0.0}


def test_a_site_that_keeps_its_discriminator_ends_a_study_that_takes_it(home: Path) -> None:
    shutil.rmtree(home / "site-3")
    write_site(home / "site-3", may_send_discriminator=False)
    with pytest.raises(StudyFailed, match=r"policy-may-send-discriminator, .* another strategy"):
        run(make_grid(home), strategy="mdgan")
    assert set(spent(home).values()) == {0.0}


def test_sites_that_grant_neither_take_part_where_neither_is_asked(home: Path) -> None:
    for number in (1, 2, 3):
        write_site(home / f"site-{number}", may_be_told_apart=False, may_send_discriminator=False)
    outcome = run(make_grid(home), max_site_groups=1)
    assert outcome.comparison is None
    assert [record.valid for record in outcome.rounds] == [(101, 102, 103)] * 2


def test_an_evaluation_needs_a_hold_out_at_every_site(home: Path) -> None:
    with pytest.raises(StudyFailed, match="policy-holdout, it holds nobody out"):
        run(make_grid(home), evaluation=True)


def test_every_code_of_a_refusal_has_words() -> None:
    codes = {code.value for code in RefusalCode} - {"none"}
    codes |= {code.value for code in ReceiptProblem} - {"ledger-stood-still"}  # never at hello
    assert codes == {str(code) for code in _MEANING}
