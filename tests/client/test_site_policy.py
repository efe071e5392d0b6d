"""The policy of a site: the file may tighten it, and nothing but an approval loosens it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from asking import ask_hello, ask_sketch, be_inside_a_run, code_of, settings_of
from tiny_sites import ROWS, make_request, write_site

from client import app as client_app
from client.founding import found_site
from client.phases import close_study
from client.reserving import reserve_study
from client.site import KEY_FILE, RECEIPT_FILE, SPLIT_KEY_FILE, Site, load_site
from client.site_config import SITE_FILE
from client.site_file import render_site_file
from client.sketching import release_sketch
from privacy import (
    AlreadyReleased,
    Approver,
    BudgetExceeded,
    LedgerBroken,
    Part,
    Policy,
    PolicyViolation,
    SigningKey,
    State,
    approve,
)
from strategies.protocol import UNIT_COUNT
from synthesis import InputError

OFFICER = SigningKey.generate()
NAMED = Approver(name="Officer", public_key=OFFICER.public.hex)


@pytest.fixture(autouse=True)
def _inside_a_run() -> None:
    be_inside_a_run()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return write_site(tmp_path / "site-1", approvers=(NAMED,), holdout=0.3)


def rewrite(site: Site, **changes: Any) -> Site:
    """Change the policy in the file, as its owner would, and open the site again."""
    policy = Policy.model_validate(site.config.policy.model_dump() | changes)
    config = site.config.model_copy(update={"policy": policy})
    (site.folder / SITE_FILE).write_text(render_site_file(config), encoding="utf-8")
    return load_site(site.folder, is_simulated=True)


TIGHTER: list[dict[str, Any]] = [
    {"epsilon": 0.5},
    {"max_epsilon_per_study": 0.4},
    {"study_kinds": ("sketch",)},
    {"models": ()},
    {"smallest_noise_multiplier": 500.0},
    {"max_rounds": 1},
    {"expires": "2020-01-01"},
]


@pytest.mark.parametrize("change", TIGHTER)
def test_a_tightened_file_is_in_force_at_once_and_in_the_ledger_for_good(
    site: Site, change: dict[str, Any]
) -> None:
    assert len(site.ledger.entries()) == 1
    tight = rewrite(site, **change)
    assert tight.ledger.policy == tight.config.policy != site.config.policy
    assert [entry.state for entry in tight.ledger.entries()] == [State.OPENED, State.POLICY]
    with pytest.raises((PolicyViolation, BudgetExceeded)):
        reserve_study(tight, make_request())
    again = load_site(site.folder, is_simulated=True)
    assert len(again.ledger.entries()) == 2  # the same policy again is no change


@pytest.mark.parametrize("change", TIGHTER)
def test_putting_a_tightened_policy_back_is_loosening_it(
    site: Site, change: dict[str, Any]
) -> None:
    _ = rewrite(site, **change).ledger
    (name,) = change
    before = rewrite(site, **{name: site.config.policy.model_dump()[name]})
    with pytest.raises(InputError, match=name):
        _ = before.ledger


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"epsilon": 1.5, "max_epsilon_per_study": 1.0}, "epsilon"),
        ({"epsilon": 1.5}, "epsilon, max_epsilon_per_study"),
        ({"row_count_public": True}, "row_count_public"),
        ({"max_rounds": 1001}, "max_rounds"),
        ({"models": ("mixture", "more")}, "models"),
        ({"approvers": ()}, "approvers"),
    ],
)
def test_a_loosened_file_is_refused_with_a_sentence(
    site: Site, change: dict[str, Any], rule: str
) -> None:
    loose = rewrite(site, **change)
    with pytest.raises(InputError) as caught:
        _ = loose.ledger
    sentence = str(caught.value)
    assert f"allows more than the one in force ({rule})" in sentence
    assert "Officer may give" in sentence and "site policy approve" in sentence
    assert caught.value.argument == "policy"
    for reply in (ask_hello(site.folder.parent), ask_sketch(site.folder.parent)):
        assert code_of(reply) == "local-failure"
    assert len(site.ledger.entries()) == 1


@pytest.mark.parametrize("change", [{"delta": 1e-6}, {"holdout": 0.2}, {"unit": "person"}])
def test_what_is_fixed_for_life_is_refused_even_when_it_is_tighter(
    site: Site, change: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match="fixed for the life of a data set"):
        _ = rewrite(site, **change).ledger


def test_an_approval_lets_a_looser_policy_through_once(site: Site) -> None:
    loose = rewrite(site, epsilon=1.5)
    policy, digest = loose.config.policy, site.ledger.policy_digest
    with pytest.raises(PolicyViolation):
        site.ledger.change_policy(
            policy, approve(policy, replacing=digest, key=SigningKey.generate())
        )
    approval = approve(policy, replacing=digest, key=OFFICER)
    site.ledger.change_policy(policy, approval)
    assert load_site(site.folder, is_simulated=True).ledger.budget.epsilon == 1.5
    _ = rewrite(site, epsilon=1.0).ledger
    with pytest.raises(InputError, match="allows more"):
        _ = rewrite(site, epsilon=1.5).ledger
    with pytest.raises(PolicyViolation):  # the old signature was for another moment
        site.ledger.change_policy(policy, approval)


def test_a_missing_ledger_is_never_made_anew(site: Site) -> None:
    (site.folder / "ledger.sqlite").unlink()
    again = load_site(site.folder, is_simulated=True)
    with pytest.raises(InputError, match="nobody knows what was spent"):
        _ = again.ledger
    assert code_of(ask_sketch(site.folder.parent)) == "local-failure"
    assert not (site.folder / "ledger.sqlite").exists()


def test_a_ledger_of_another_key_is_refused(site: Site, tmp_path: Path) -> None:
    other = found_site(
        tmp_path / "other",
        name=site.config.name,
        data=site.config.data,
        schema=site.schema,
        policy=site.config.policy,
    )
    own = (site.folder / "ledger.sqlite").read_bytes()
    (site.folder / "ledger.sqlite").write_bytes((other.folder / "ledger.sqlite").read_bytes())
    with pytest.raises(LedgerBroken, match="expected was"):
        _ = load_site(site.folder, is_simulated=True).ledger
    assert code_of(ask_sketch(site.folder.parent)) == "ledger-broken"
    (site.folder / "ledger.sqlite").write_bytes(own)
    (site.folder / KEY_FILE).write_bytes((other.folder / KEY_FILE).read_bytes())
    with pytest.raises(LedgerBroken, match="expected was"):
        _ = load_site(site.folder, is_simulated=True).ledger
    (site.folder / KEY_FILE).unlink()
    with pytest.raises(InputError, match="restore it from a backup"):
        _ = load_site(site.folder, is_simulated=True).ledger


def test_a_broken_ledger_answers_nothing_and_says_so(site: Site) -> None:
    reserve_study(site, make_request())
    path = site.folder / "ledger.sqlite"
    whole = path.read_bytes()
    assert whole.count(b"tiny-study") >= 1
    path.write_bytes(whole.replace(b"tiny-study", b"tiny-studx"))
    assert code_of(ask_hello(site.folder.parent)) == "ledger-broken"
    assert code_of(ask_sketch(site.folder.parent)) == "ledger-broken"
    path.write_bytes(whole)
    assert not ask_hello(site.folder.parent).has_error()


def test_a_count_leaves_only_where_it_is_public(tmp_path: Path) -> None:
    write_site(tmp_path / "a" / "site-1", holdout=0.3)
    write_site(tmp_path / "b" / "site-1", holdout=0.3, row_count_public=True)
    assert UNIT_COUNT not in settings_of(ask_hello(tmp_path / "a"))
    assert settings_of(ask_hello(tmp_path / "b"))[UNIT_COUNT] == round(ROWS[0] * 0.7)


def test_the_public_count_says_nothing_of_the_split(tmp_path: Path) -> None:
    """The number of all units is public; on which side of the split they lie is not."""
    counts = set()
    for seed in range(5):
        home = tmp_path / str(seed)
        site = write_site(home / "site-1", seed=seed, holdout=0.3, row_count_public=True)
        counts.add(settings_of(ask_hello(home))[UNIT_COUNT])
        assert site.read_units(Part.TRAINING).n_units != ROWS[0]
    assert len(counts) == 1


def test_the_gate_withholds_a_count_that_is_not_public_whoever_adds_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = client_app.answer_hello

    def talkative(*arguments: Any) -> dict[str, Any]:
        return real(*arguments) | {UNIT_COUNT: ROWS[0]}

    monkeypatch.setattr(client_app, "answer_hello", talkative)
    assert code_of(ask_hello(site.folder.parent)) == "local-failure"


def test_a_study_that_failed_midway_can_be_closed_and_stays_paid(site: Site) -> None:
    request = make_request(epsilon=0.4)
    release_sketch(site, request)
    spent = site.ledger.epsilon()
    close_study(site, request.study, is_finished=False)
    last = site.ledger.entries()[-1]
    assert (last.state, last.note) == (State.FAILED, "closed-by-the-site")
    assert site.ledger.epsilon() == spent > 0.39
    with pytest.raises(AlreadyReleased, match="failed"):
        release_sketch(site, request)
    with pytest.raises(AlreadyReleased):
        close_study(site, request.study, is_finished=False)
    with pytest.raises(ValueError, match="one that is in the ledger"):
        close_study(site, "another", is_finished=False)
    release_sketch(site, make_request(epsilon=0.4, study_id="another"))  # others go on


def test_a_site_knows_its_last_receipt(tmp_path: Path) -> None:
    """An old ledger put back is found although nobody sends a receipt."""
    site = write_site(tmp_path / "s")
    path = site.ledger.path
    old = path.read_bytes()
    reserve_study(site, make_request())
    site.give_receipt()
    assert load_site(site.folder, is_simulated=True).ledger.events()
    path.write_bytes(old)
    with pytest.raises(LedgerBroken, match="an old copy was put back"):
        _ = load_site(site.folder, is_simulated=True).ledger


def test_a_receipt_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    site = write_site(tmp_path / "s")
    (site.folder / RECEIPT_FILE).write_text("nonsense", encoding="ascii")
    with pytest.raises(InputError, match="must hold the last receipt"):
        _ = load_site(site.folder, is_simulated=True).ledger


def test_a_ledger_serves_one_data_set(tmp_path: Path) -> None:
    site = write_site(tmp_path / "s")
    text = (site.folder / SITE_FILE).read_text(encoding="utf-8")
    (site.folder / SITE_FILE).write_text(text.replace("rows.parquet", "other.parquet"), "utf-8")
    with pytest.raises(InputError, match="must be the data set the ledger was opened for"):
        _ = load_site(site.folder, is_simulated=True).ledger


def test_a_receipt_that_cannot_be_kept_leaves_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: the answer does not leave, and what was kept before is whole."""
    site = write_site(tmp_path / "s")
    before = site.last_receipt
    reserve_study(site, make_request())

    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("synthesis.durable_file.os.replace", no_room)
    with pytest.raises(OSError, match="No space"):
        site.give_receipt()
    assert site.last_receipt == before
    assert {p.name for p in (site.folder / KEY_FILE).parent.iterdir()} == {
        Path(name).name for name in (KEY_FILE, RECEIPT_FILE, SPLIT_KEY_FILE)
    }
