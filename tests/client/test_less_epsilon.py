"""A site that allows a study less than it asks for: it spends that, if the study takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from asking import (
    ask_hello,
    ask_sketch,
    ask_train,
    be_inside_a_run,
    numbers_of,
    settings_of,
)
from tiny_sites import make_study, write_site

from client.site import Site
from privacy import GaussianEvent
from strategies import protocol


@pytest.fixture(autouse=True)
def _inside_a_run() -> None:
    be_inside_a_run()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return write_site(tmp_path / "site-1", max_epsilon_per_study=0.4)


def less(**more: Any) -> dict[str, Any]:
    return {"allow_less_epsilon": True} | more


def test_it_takes_part_for_what_its_policy_allows(site: Site) -> None:
    home = site.folder.parent
    assert settings_of(ask_hello(home, **less()))[protocol.ACCEPTED] is True
    stated = settings_of(ask_sketch(home, **less()))
    plan = make_study().make_plan(0.4)
    assert stated[protocol.PLAN_EPSILON] == 0.4
    assert stated[protocol.NOISE_MULTIPLIER] == plan.sketch_noise_multiplier
    assert not ask_train(home, **less()).has_error()
    assert site.ledger.events() == plan.events()
    assert 0.39 < site.ledger.epsilon() <= 0.4


def test_it_stays_away_from_a_study_that_does_not_take_less(site: Site) -> None:
    hello = settings_of(ask_hello(site.folder.parent))
    assert hello[protocol.ACCEPTED] is False
    assert ask_sketch(site.folder.parent).has_error()
    assert site.ledger.epsilon() == 0.0


def test_a_site_that_allows_all_spends_all(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site-1")
    stated = settings_of(ask_sketch(tmp_path, **less()))
    assert stated[protocol.PLAN_EPSILON] == 1.0
    assert site.ledger.events() == make_study().make_plan().events()


def test_what_was_reserved_goes_on_under_a_tighter_policy(site: Site) -> None:
    home = site.folder.parent
    first = ask_sketch(home, **less())
    tighter = write_site(site.folder, max_epsilon_per_study=0.2)
    assert tighter.ledger.policy.study_limit == 0.2
    again = ask_sketch(home, **less())
    assert settings_of(again)[protocol.PLAN_EPSILON] == 0.4
    assert numbers_of(again) == numbers_of(first)
    assert not ask_train(home, **less()).has_error()


def test_a_ledger_without_so_much_left_refuses(tmp_path: Path) -> None:
    """The limit is the policy's; what is left of the budget is no offer."""
    site = write_site(tmp_path / "site-1", max_epsilon_per_study=0.8)
    assert not ask_sketch(tmp_path, **less(study_id="first")).has_error()
    left = site.ledger.remaining()
    assert left < 0.8
    assert ask_sketch(tmp_path, **less(study_id="second")).has_error()
    assert site.ledger.remaining() == left
    kinds = [type(event) for event in site.ledger.events()]
    assert kinds.count(GaussianEvent) == 1
