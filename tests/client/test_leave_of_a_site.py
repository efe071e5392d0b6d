"""What a site's people may refuse whatever it costs: to be told apart, and their discriminator."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from asking import ask_hello, ask_sketch, ask_train, be_inside_a_run, code_of, settings_of
from tiny_sites import make_request, make_study, write_site

from client.reserving import check_study, reserve_study
from client.site import Site
from privacy import PolicyViolation, StudyChanged
from privacy.policy import SEND_DISCRIMINATOR, TOLD_APART
from server.kinds import tells_sites_apart
from server.question import settings_of as travelling
from strategies import protocol
from strategies.rules import RULES, HeldRule


@pytest.fixture(autouse=True)
def _inside_a_run() -> None:
    be_inside_a_run()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return write_site(tmp_path / "site-1", **dict.fromkeys((TOLD_APART, SEND_DISCRIMINATOR), False))


ASKED = {
    TOLD_APART: {"tells_sites_apart": True},
    SEND_DISCRIMINATOR: {"returns_discriminator": True},
}
WAYS_OUT = {TOLD_APART: "max_site_groups = 1", SEND_DISCRIMINATOR: "another strategy"}


@pytest.mark.parametrize("name", ASKED)
def test_it_refuses_before_anything_is_spent(site: Site, name: str) -> None:
    home, asked = site.folder.parent, ASKED[name]
    said = settings_of(ask_hello(home, **asked))
    code = f"policy-{name.replace('_', '-')}"
    assert (said[protocol.ACCEPTED], said[protocol.REFUSAL_CODE]) == (False, code)
    assert code_of(ask_sketch(home, **asked)) == code_of(ask_train(home, **asked)) == code
    for check in (check_study, reserve_study):
        with pytest.raises(PolicyViolation, match=f"{name} is false.*{WAYS_OUT[name]}") as caught:
            check(site, make_request(**asked))
        assert caught.value.rule == name
    assert not site.ledger.events()
    assert not ask_sketch(home).has_error()  # what asks for neither goes on


@pytest.mark.parametrize("name", ASKED)
def test_the_ledger_holds_the_policy_that_is_in_force_when_it_writes(site: Site, name: str) -> None:
    """The policy may be tightened between the first look and the reservation."""
    request = make_request(**ASKED[name])
    assert request.needs == (name,)
    events = request.make_plan().events()
    with pytest.raises(PolicyViolation, match=name):
        site.ledger.reserve(request.study, events, rounds=2, needs=request.needs)
    with pytest.raises(PolicyViolation, match=name):
        site.ledger.check(events, rounds=2, needs=request.needs)


@pytest.mark.parametrize("name", ASKED)
def test_nothing_more_is_asked_under_the_name_of_what_was_granted(site: Site, name: str) -> None:
    reserve_study(site, make_request())
    with pytest.raises(StudyChanged):
        reserve_study(site, make_request(**ASKED[name]))


def test_rounds_on_images_need_leave_for_the_discriminator() -> None:
    """Where it labels what the generator draws, it leaves inside the generator."""
    images = {"model": "images", "discriminator_steps": 3}
    assert make_request(**images).needs == (SEND_DISCRIMINATOR,)
    assert make_request(**images, rounds=0, adversarial_share=0).needs == ()
    assert make_request(model="vae").needs == ()  # it has none; ``models`` decides


@pytest.mark.parametrize(("strategy", "groups"), list(product(RULES, (1, 4))))
def test_a_study_says_what_it_does(strategy: str, groups: int) -> None:
    is_robust = issubclass(RULES[strategy], HeldRule)
    more: dict[str, Any] = {"bad_sites": 1, "minimum_sites": 7} if is_robust else {}
    study = make_study(strategy=strategy, max_site_groups=groups, **more)
    compares = is_robust or strategy == "similarity"
    assert tells_sites_apart(study) is (compares or groups > 1)
    settings = travelling(study)
    assert settings[protocol.TELLS_SITES_APART] is tells_sites_apart(study)
    assert settings[protocol.RETURNS_DISCRIMINATOR] is (strategy == "mdgan")


def test_a_study_on_images_has_no_groups() -> None:
    assert not tells_sites_apart(make_study(model="images", max_site_groups=4))
    assert tells_sites_apart(
        make_study(model="images", strategy="median", bad_sites=1, minimum_sites=3)
    )
