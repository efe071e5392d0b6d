"""Approvals: a policy is loosened by somebody whom the one in force names, once, or not at all."""

from collections.abc import Callable
from pathlib import Path

import pytest
from signed_ledgers import KEY, OTHER_KEY, SMALL, create_ledger, make_policy, open_ledger

from privacy import (
    Approval,
    Approver,
    Ledger,
    LedgerBroken,
    Policy,
    PolicyViolation,
    SigningKey,
    State,
    approve,
    replay_ledger,
)
from privacy.ledger_rules import new_entry

OFFICER_KEY = SigningKey.from_seed(b"o" * 32)
STRANGER_KEY = SigningKey.from_seed(b"x" * 32)
OFFICER = Approver(name="officer", public_key=OFFICER_KEY.public.hex)
FIRST = make_policy(1.0, approvers=(OFFICER,), max_rounds=10)
TIGHTER = FIRST.model_copy(update={"max_rounds": 5})
LOOSER = FIRST.model_copy(update={"epsilon": 2.0})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return create_ledger(tmp_path / "l", FIRST)


def approved_by(key: SigningKey, ledger: Ledger, policy: Policy = LOOSER) -> Approval:
    return approve(policy, replacing=ledger.policy_digest, key=key)


def check_refused(ledger: Ledger, policy: Policy, approval: Approval | None) -> None:
    before, in_force = ledger.path.read_bytes(), ledger.policy
    with pytest.raises(PolicyViolation, match="without an approval, which officer may give"):
        ledger.change_policy(policy, approval)
    assert ledger.path.read_bytes() == before
    assert open_ledger(ledger.path).policy == ledger.policy == in_force


def test_tightening_needs_nobody(ledger: Ledger) -> None:
    ledger.change_policy(TIGHTER)
    assert ledger.policy == TIGHTER
    again = replay_ledger(ledger.path)
    assert (again.policy, again.header.policy) == (TIGHTER, FIRST)
    with pytest.raises(PolicyViolation, match="max_rounds"):
        ledger.reserve("study", [SMALL], rounds=6)
    ledger.reserve("study", [SMALL], rounds=5)


def test_loosening_takes_the_officer(ledger: Ledger) -> None:
    ledger.change_policy(LOOSER, approved_by(OFFICER_KEY, ledger))
    assert ledger.policy == open_ledger(ledger.path).policy == LOOSER
    entry = ledger.entries()[-1]
    assert entry.state is State.POLICY
    assert entry.details["approver"] == OFFICER.public_key


def by_nobody(ledger: Ledger) -> Approval | None:
    return None


def by_a_stranger(ledger: Ledger) -> Approval:
    return approved_by(STRANGER_KEY, ledger)


def by_the_site_itself(ledger: Ledger) -> Approval:
    return approved_by(KEY, ledger)


def by_a_stranger_in_the_officers_name(ledger: Ledger) -> Approval:
    signature = approved_by(STRANGER_KEY, ledger).signature
    return Approval(public_key=OFFICER_KEY.public, signature=signature)


def by_the_officer_in_a_strangers_name(ledger: Ledger) -> Approval:
    signature = approved_by(OFFICER_KEY, ledger).signature
    return Approval(public_key=STRANGER_KEY.public, signature=signature)


def for_another_policy(ledger: Ledger) -> Approval:
    return approved_by(OFFICER_KEY, ledger, FIRST.model_copy(update={"epsilon": 1.5}))


def for_another_ledger(ledger: Ledger) -> Approval:
    return approved_by(OFFICER_KEY, create_ledger(ledger.path.with_name("other"), FIRST))


def with_a_broken_signature(ledger: Ledger) -> Approval:
    return Approval(public_key=OFFICER_KEY.public, signature="not hexadecimal")


@pytest.mark.parametrize(
    "give",
    [
        by_nobody,
        by_a_stranger,
        by_the_site_itself,
        by_a_stranger_in_the_officers_name,
        by_the_officer_in_a_strangers_name,
        for_another_policy,
        for_another_ledger,
        with_a_broken_signature,
    ],
)
def test_nothing_else_loosens(ledger: Ledger, give: Callable[[Ledger], Approval | None]) -> None:
    check_refused(ledger, LOOSER, give(ledger))


def test_an_approval_does_not_outlive_a_later_tightening(ledger: Ledger) -> None:
    """Else a site could tighten, be trusted for it, and loosen again with what it has in hand."""
    kept = approved_by(OFFICER_KEY, ledger)
    ledger.change_policy(LOOSER, kept)
    ledger.change_policy(FIRST)
    check_refused(ledger, LOOSER, kept)
    ledger.change_policy(LOOSER, approved_by(OFFICER_KEY, ledger))


def test_an_unused_approval_dies_with_the_policy_it_was_given_for(ledger: Ledger) -> None:
    kept = approved_by(OFFICER_KEY, ledger)
    ledger.change_policy(TIGHTER)
    check_refused(ledger, LOOSER, kept)


@pytest.mark.parametrize(
    "approvers",
    [
        (),
        (OFFICER, Approver(name="friend", public_key=STRANGER_KEY.public.hex)),
        (Approver(name="friend", public_key=STRANGER_KEY.public.hex),),
    ],
)
def test_approvers_change_by_approval_only(ledger: Ledger, approvers: tuple[Approver, ...]) -> None:
    other = FIRST.model_copy(update={"approvers": approvers})
    check_refused(ledger, other, None)
    check_refused(ledger, other, approved_by(STRANGER_KEY, ledger, other))
    ledger.change_policy(other, approved_by(OFFICER_KEY, ledger, other))
    assert ledger.policy.approvers == approvers


def test_whom_the_new_policy_names_has_no_say_yet(ledger: Ledger) -> None:
    friend = Approver(name="friend", public_key=STRANGER_KEY.public.hex)
    own = LOOSER.model_copy(update={"approvers": (friend,)})
    check_refused(ledger, own, approved_by(STRANGER_KEY, ledger, own))


def test_without_approvers_a_policy_is_never_loosened(tmp_path: Path) -> None:
    closed = create_ledger(tmp_path / "closed", make_policy(1.0))
    with pytest.raises(PolicyViolation, match="which nobody may give"):
        closed.change_policy(make_policy(2.0), approved_by(KEY, closed, make_policy(2.0)))
    closed.change_policy(make_policy(0.5))


@pytest.mark.parametrize("update", [{"delta": 1e-6}, {"unit": "person"}, {"holdout": 0.1}])
def test_what_is_fixed_for_life_yields_to_no_approval(
    ledger: Ledger, update: dict[str, object]
) -> None:
    other = Policy.model_validate(FIRST.model_dump() | update)
    with pytest.raises(ValueError, match="fixed for the life"):
        ledger.change_policy(other, approved_by(OFFICER_KEY, ledger, other))
    assert len(ledger.entries()) == 1


def test_the_same_policy_again_changes_nothing(ledger: Ledger) -> None:
    ledger.change_policy(FIRST)
    assert len(ledger.entries()) == 1


def test_a_reader_cannot_change_a_policy(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="opened to be read"):
        Ledger.open(ledger.path).change_policy(TIGHTER)
    with pytest.raises(LedgerBroken, match="expected was"):
        Ledger.open(ledger.path, key=OTHER_KEY)


FORGED = [
    {"policy": LOOSER.to_json()},
    {"policy": LOOSER.to_json(), "approver": OFFICER.public_key, "approval": "00"},
    {"policy": FIRST.model_copy(update={"delta": 1e-4}).to_json()},
    {"policy": "nonsense"},
    {},
]


@pytest.mark.parametrize("details", FORGED)
def test_a_policy_forged_with_the_sites_own_key_breaks_the_ledger(
    ledger: Ledger, details: dict[str, str]
) -> None:
    reader = Ledger.open(ledger.path)
    with ledger._store.write() as (_, page):
        page.add(new_entry(State.POLICY, details=details))
    for use in (
        lambda: open_ledger(ledger.path),
        lambda: replay_ledger(ledger.path),
        lambda: reader.policy,
        lambda: ledger.policy,
        lambda: ledger.reserve("study", [SMALL]),
    ):
        with pytest.raises(LedgerBroken, match="row 2 changes the policy"):
            use()


@pytest.mark.parametrize(
    ("state", "details", "match"),
    [
        (State.OPENED, {}, "row 2 opens the ledger once more"),
        (State.POLICY, {"policy": 3}, "row 2 cannot be read"),
        (State.POLICY, {"policy": TIGHTER.to_json(), "approval": None}, "row 2 cannot be read"),
    ],
)
def test_other_forged_rows_break_the_ledger(
    ledger: Ledger, state: State, details: dict[str, str], match: str
) -> None:
    with ledger._store.write() as (_, page):
        page.add(new_entry(state, details=details))
    for use in (lambda: open_ledger(ledger.path), lambda: ledger.policy):
        with pytest.raises(LedgerBroken, match=match):
            use()
