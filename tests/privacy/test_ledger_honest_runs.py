"""Nobody who is honest is ever accused: random runs of everything a site does with a ledger."""

import contextlib
import random
from pathlib import Path

import pytest
from signed_ledgers import KEY, create_ledger, make_policy

from privacy import (
    BudgetExceeded,
    Event,
    GaussianEvent,
    Ledger,
    PolicyViolation,
    Receipt,
    SampledGaussianEvent,
    State,
)

EVENTS: tuple[Event, ...] = (
    GaussianEvent(noise_multiplier=30.0, purpose="sketch"),
    GaussianEvent(noise_multiplier=9.0, purpose="sketch"),
    SampledGaussianEvent(noise_multiplier=4.0, sample_rate=0.1, steps=9, purpose="training"),
)
TOO_MUCH = GaussianEvent(noise_multiplier=0.5, purpose="sketch")


class Site:
    """Two programs of one site that use its ledger by turns, and others who hold its receipts."""

    def __init__(self, path: Path, rng: random.Random) -> None:
        self.rng = rng
        self.path = path
        self.programs = [create_ledger(path), Ledger.open(path, key=KEY)]
        self.reservations: list[str] = []
        self.held: list[Receipt] = []

    def act(self) -> None:
        ledger = self.rng.choice(self.programs)
        actions = [self.reserve, self.reserve, self.begin, self.begin, self.end, self.tighten]
        self.rng.choice([*actions, self.ask_too_much, self.open_again, self.look])(ledger)

    def reserve(self, ledger: Ledger) -> None:
        study = f"study-{self.rng.randrange(6)}-ü"
        number = int(study[6])
        events = [EVENTS[(number + i) % 3] for i in range(1 + number % 3)]
        with contextlib.suppress(BudgetExceeded):
            self.reservations.append(ledger.reserve(study, events, details={"n": study}))

    def begin(self, ledger: Ledger) -> None:
        self.mark(ledger, "running", f"round-{self.rng.randrange(4)}")

    def end(self, ledger: Ledger) -> None:
        self.mark(ledger, self.rng.choice(["done", "failed"]), "")

    def mark(self, ledger: Ledger, state: str, note: str) -> None:
        with contextlib.suppress(RuntimeError):
            if self.reservations:
                ledger.mark(self.rng.choice(self.reservations), state, note)

    def tighten(self, ledger: Ledger) -> None:
        policy = ledger.policy
        update = {"max_rounds": max(0, policy.max_rounds - self.rng.randrange(2))}
        ledger.change_policy(policy.model_copy(update=update))

    def ask_too_much(self, ledger: Ledger) -> None:
        with pytest.raises(BudgetExceeded):
            ledger.reserve("much", [TOO_MUCH])
        with pytest.raises(PolicyViolation):
            ledger.change_policy(make_policy(9.0))

    def open_again(self, ledger: Ledger) -> None:
        self.programs[self.rng.randrange(2)] = Ledger.open(self.path, key=KEY)

    def look(self, ledger: Ledger) -> None:
        self.held.append(ledger.receipt())
        for receipt in self.held:
            ledger.check_receipt(receipt)


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param(40, id="few"),
        pytest.param(300, id="many", marks=pytest.mark.slow),
        pytest.param(1000, id="all", marks=[pytest.mark.slow, pytest.mark.long]),
    ],
)
def test_no_honest_run_raises_an_alarm(tmp_path: Path, runs: int) -> None:
    seen = set()
    for number in range(runs):
        site = Site(tmp_path / f"{number}.db", random.Random(number))
        for _ in range(site.rng.randrange(1, 12)):
            site.act()
        last = Ledger.open(site.path, public_key=KEY.public)
        entries = last.entries()
        for receipt in site.held:
            last.check_receipt(receipt)
        assert [program.entries() for program in site.programs] == [entries, entries]
        assert last.epsilon() <= 1
        seen |= {entry.state for entry in entries}
    assert seen == set(State)
