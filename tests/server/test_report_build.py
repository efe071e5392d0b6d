import doctest
from datetime import date
from pathlib import Path

import pytest
from example_report import attest

from privacy import (
    Budget,
    GaussianEvent,
    Ledger,
    Policy,
    Receipt,
    SampledGaussianEvent,
    SigningKey,
    Unit,
    make_plan,
    replay_ledger,
)
from server.outcome import Attested
from server.report import (
    build_round,
    build_site,
    build_site_from_plan,
    build_utility_row,
    gain,
    wording,
)
from server.report.gain import compute_belief
from strategies.round_record import RoundRecord
from synthesis.quality import Quality, Scores

EVENTS = (
    GaussianEvent(noise_multiplier=5.0, purpose="sketch"),
    SampledGaussianEvent(noise_multiplier=3.0, sample_rate=0.02, steps=50, purpose="training"),
)


def test_a_site_is_read_from_its_ledger(tmp_path: Path) -> None:
    path = tmp_path / "north.ledger"
    policy = Policy(
        epsilon=2.0,
        delta=1e-5,
        holdout=0.2,
        max_epsilon_per_study=1.5,
        expires=date(2030, 6, 1),
    )
    key = SigningKey.from_seed(bytes(32))
    ledger = Ledger.create(path, site="north", dataset="census", policy=policy, key=key)
    ledger.reserve("study-1", EVENTS, details={"config": "1"})
    attested = Attested(public_key=key.public, receipt=ledger.receipt())
    site = build_site(replay_ledger(path), adversarial_share=0.3, attested=attested)
    assert (site.name, site.budget, site.delta, site.adversarial_share) == ("north", 2, 1e-5, 0.3)
    assert [event.purpose for event in site.events] == ["sketch", "training"]
    assert (site.events[0].steps, site.events[1].steps) == (None, 50)
    assert {(event.study, event.state) for event in site.events} == {("study-1", "reserved")}
    assert site.total is not None and site.left is not None
    assert site.total.pld + site.left == pytest.approx(2.0)
    assert max(event.epsilon for event in site.events) <= site.total.pld
    assert site.total.rdp is not None and site.total.rdp >= site.total.pld
    assert site.receipt is not None and site.ledger_head == site.receipt.head
    assert (site.receipt.public_key, site.receipt.entries) == (key.public.hex, 3)
    assert site.receipt.fingerprint == key.public.fingerprint
    ledger.check_receipt(Receipt.from_text(site.receipt.text))
    assert site.policy is not None and site.policy.expires == date(2030, 6, 1)
    assert (site.policy.epsilon, site.policy.epsilon_per_study) == (2.0, 1.5)
    assert (site.policy.unit, site.policy.holdout) == (Unit.RECORD, 0.2)


def test_a_site_is_read_from_its_plan() -> None:
    plan = make_plan(
        Budget(epsilon=2.0, delta=1e-5), sample_rate=0.05, steps=20, adversarial_share=0.4
    )
    site = build_site_from_plan("north", "study-1", plan, attest("north"))
    assert site.total is not None and 1.98 <= site.total.pld <= 2.0
    assert [event.mechanism for event in site.events] == ["gaussian", "poisson-sampled-gaussian"]
    assert (site.ledger_head, site.policy, site.left) == (
        None,
        None,
        None,
    )  # nobody has read the ledger here
    assert site.receipt is not None and site.receipt.entries == 9
    assert build_site_from_plan("north", "study-1", plan).receipt is None


def test_a_round_names_the_sites_that_were_lost() -> None:
    record = RoundRecord(
        server_round=3,
        changed=False,
        valid=(11,),
        rejected={12: "no-reply"},
        seconds=1.5,
        bytes_down=10,
        bytes_up=5,
    )
    line = build_round(record, {11: "north", 12: "south"})
    assert (line.number, line.asked, line.valid, line.changed) == (3, 2, 1, False)
    assert line.rejected[0].site == "south" and line.rejected[0].reason == "no-reply"


def test_a_utility_row_holds_all_figures() -> None:
    scores = Scores(accuracy=0.8, auc=None, f1=0.6)
    quality = Quality(boosting=scores, logistic=scores, one_way=0.01, two_way=0.03, two_sample=None)
    row = build_utility_row("final", quality)
    assert (row.boosting_accuracy, row.boosting_auc, row.two_way) == (0.8, None, 0.03)


@pytest.mark.parametrize("module", [wording, gain])
def test_examples_in_docstrings_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


def test_beliefs_move_by_the_factor_epsilon_allows() -> None:
    belief = compute_belief(2.0, 0.2)
    before, most, least = (p / (1 - p) for p in (0.2, belief.most, belief.least))
    assert most / before == pytest.approx(7.389056)
    assert before / least == pytest.approx(7.389056)
    assert compute_belief(0.0, 0.3).most == pytest.approx(0.3)
    assert compute_belief(900.0, 0.5).most == 1.0 and compute_belief(900.0, 0.5).least == 0.0
