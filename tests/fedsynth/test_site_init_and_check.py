"""A site is founded and rehearses a study with commands; the rehearsal changes nothing."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest
from command_line import CommandLine
from founded_site import STUDY, FoundedSite, init_words, joined
from visits import write_visits

from client.site import load_site
from privacy import SigningKey, replay_ledger


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return CommandLine(tmp_path, monkeypatch, capsys)


@pytest.fixture
def north(shell: CommandLine) -> FoundedSite:
    return FoundedSite(shell)


def test_a_new_key_is_for_its_owner_alone_and_shows_its_public_half(shell: CommandLine) -> None:
    ended = shell.run("keys", "new", "officer.pem")
    assert (ended.code, ended.err) == (0, "")
    assert stat.S_IMODE(Path("officer.pem").stat().st_mode) == 0o600
    public = SigningKey.load("officer.pem").public
    assert public.hex in ended.out
    assert public.fingerprint in ended.out
    assert "PRIVATE" not in ended.out
    assert Path("officer.pub").read_text() == public.hex + "\n"


def test_init_makes_a_site_with_the_policy_that_was_asked_for(shell: CommandLine) -> None:
    key = SigningKey.generate().public.hex
    words = ["--max-epsilon-per-study", "0.4", "--holdout", "0.2", "--expires", "2099-12-31"]
    ended = shell.run(*init_words(*words, "--approver", f"A = B={key}"))
    assert (ended.code, ended.err) == (0, "")
    site = load_site("north")
    policy = site.ledger.policy
    assert (policy.epsilon, policy.delta, policy.study_limit) == (1, 1e-5, 0.4)
    assert (policy.holdout, str(policy.expires), policy.unit) == (0.2, "2099-12-31", "record")
    assert [(a.name, a.public_key) for a in policy.approvers] == [("A = B", key)]
    assert site.config.simulation_seed is None
    for text in (site.public_key.hex, site.public_key.fingerprint, "north/site.toml", "A = B"):
        assert text in ended.out
    assert "All 60 rows fit the schema: 60 records." in ended.out
    private = [p for p in Path("north").rglob("*") if p.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}


def test_init_and_check_follow_what_a_site_refuses(shell: CommandLine) -> None:
    ended = shell.run(*init_words("--not-told-apart", "--keep-discriminator"))
    assert (ended.code, ended.err) == (0, "")
    policy = load_site("north").ledger.policy
    assert not policy.may_be_told_apart and not policy.may_send_discriminator
    Path("flu.toml").write_text(STUDY)
    ended = shell.run("site", "check", "flu.toml", "--site", "north")
    said = joined(ended.out)
    assert ended.code == 1
    assert "may describe a site apart from the others" in said
    assert "would refuse: may_be_told_apart is false" in said and "max_site_groups = 1" in said
    assert "'policy-may-be-told-apart'" in said
    rows = {
        x.split()[0]: x.split()
        for x in shell.run("site", "policy", "show", "--site", "north").out.splitlines()
        if x.strip()
    }
    assert rows["may_be_told_apart"][1] == rows["may_send_discriminator"][1] == "no"
    text = Path("flu.toml").read_text()
    Path("flu.toml").write_text("max_site_groups = 1\n" + text)
    ended = shell.run("site", "check", "flu.toml", "--site", "north")
    assert (ended.code, ended.err) == (0, "")
    assert "describes all sites together" in joined(ended.out)


def test_init_stores_where_the_data_lie_but_does_not_tell_the_ledger(north: FoundedSite) -> None:
    content = tomllib.loads(Path("north/site.toml").read_text())
    assert content["data"] == str(north.shell.home.resolve() / "visits.csv")
    assert content["policy"]["holdout"] == 0.1
    assert replay_ledger("north/ledger.sqlite").header.dataset == "visits.csv"


def test_init_takes_the_unit_from_the_schema(shell: CommandLine) -> None:
    write_visits(shell.home)
    ended = shell.run(*init_words())
    assert ended.code == 0, ended.err
    assert load_site("north").config.policy.unit == "person"
    assert "90 persons" in ended.out


def test_init_takes_broken_records_and_says_how_many_on_this_screen(shell: CommandLine) -> None:
    shell.write_rows("visits.csv", age=[120] * 3 + [5] * 57, extra=1)
    ended = shell.run(*init_words())
    assert ended.code == 0, ended.err
    text = joined(ended.out)
    assert "57 records from 60 rows would take part" in text
    assert "column 'age' has 3 cells" in text
    assert "extra" not in text


def test_check_warns_where_no_row_fits_the_schema(north: FoundedSite) -> None:
    assert "WARNING" not in north.run("check", "flu.toml").out
    north.shell.write_rows("visits.csv", age=[120] * 60)
    ended = north.run("check", "flu.toml")
    assert (ended.code, ended.err) == (0, "")
    assert "none of 60 rows fits the schema" in joined(ended.out)
    assert "spent for nothing" in joined(ended.out)


def test_check_changes_no_file_and_spends_nothing(north: FoundedSite) -> None:
    north.spend()
    before = north.shell.files()
    ended = north.run("check", "flu.toml")
    assert (ended.code, ended.err) == (0, "")
    assert north.shell.files() == before


def test_check_shows_every_field_of_every_message_and_the_cost(north: FoundedSite) -> None:
    ended = north.run("check", "flu.toml")
    text = joined(ended.out)
    for message in ("query.hello", "query.sketch", "train", "query.evaluate"):
        assert f"Reply to {message} " in text
    assert "2 times" in text
    for field in ("statistics", "(weights)", "receipt", "public-key", "evaluation-two-way"):
        assert field in ended.out
    for basis in ("public: ", "mechanism: ", "post-processing: "):
        assert basis in ended.out
    assert "unit-count" not in ended.out
    assert "All together: epsilon 0.49" in text
    assert "Left of 1: 1.0000 now, 0.50" in text
    assert "the site would take part" in text
    assert max(map(len, (x for x in ended.out.splitlines() if "\u2500" in x))) <= 80


def test_check_shows_a_number_of_units_where_the_policy_makes_it_public(north: FoundedSite) -> None:
    north.set(row_count_public="true")
    assert north.run("policy", "approve", "--key", "officer.pem", "--yes").code == 0
    ended = north.run("check", "flu.toml")
    assert ended.code == 0, ended.err
    assert "unit-count" in ended.out


def test_check_counts_a_tightened_file_as_if_it_were_in_force(north: FoundedSite) -> None:
    north.set(max_rounds="1")
    before = north.shell.files()
    ended = north.run("check", "flu.toml")
    assert ended.code == 1
    assert "would refuse: 2 rounds were asked for, 1 are allowed" in joined(ended.out)
    assert "'policy-max-rounds'" in ended.out
    assert north.shell.files() == before


@pytest.mark.parametrize(
    ("change", "sentence", "code"),
    [
        ({"epsilon": "2"}, "would add epsilon", "budget-exceeded"),
        ({"name": '"pilot"'}, "with other events or details", "study-changed"),
    ],
)
def test_check_says_why_a_study_would_be_refused(
    north: FoundedSite, change: dict[str, str], sentence: str, code: str
) -> None:
    north.spend()
    text = (north.shell.home / "flu.toml").read_text()
    for name, value in change.items():
        lines = [f"{name} = {value}" if x.startswith(f"{name} =") else x for x in text.split("\n")]
        text = "\n".join(lines)
    (north.shell.home / "flu.toml").write_text(text)
    before = north.shell.files()
    ended = north.run("check", "flu.toml")
    assert (ended.code, ended.err) == (1, "")
    assert f"would refuse: {'the events' if 'add' in sentence else 'study'}" in joined(ended.out)
    assert sentence in joined(ended.out)
    assert f"code '{code}', and nothing of the data would leave" in joined(ended.out)
    assert f"{code} (one of" in joined(ended.out)
    assert north.shell.files() == before


def test_check_after_the_policy_expired_is_refused(north: FoundedSite) -> None:
    north.set(expires="2020-01-01")
    ended = north.run("check", "flu.toml")
    assert ended.code == 1
    assert "the policy expired on 2020-01-01" in joined(ended.out)


def test_check_of_a_study_in_the_ledger_says_that_it_costs_nothing_more(
    north: FoundedSite,
) -> None:
    from client.reserving import reserve_study
    from client.settings import StudyRequest
    from server.question import settings_of
    from server.study import load_study

    request = StudyRequest.from_config(dict(settings_of(load_study("flu.toml"))))
    reserve_study(load_site("north"), request)
    ended = north.run("check", "flu.toml")
    assert ended.code == 0
    assert "is reserved: it costs nothing more" in joined(ended.out)
    assert "this study included: 0.49" in joined(ended.out)


def test_the_folder_is_the_present_one_when_left_out(
    north: FoundedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("north")
    assert north.shell.run("site", "check", "../flu.toml").code == 0
    assert north.shell.run("site", "ledger", "verify").code == 0


def test_names_that_look_like_markup_are_shown_as_they_are(shell: CommandLine) -> None:
    words = init_words()
    words[words.index("North")] = "[/red]"
    assert "Site [/red]" in shell.run(*words).out
    assert "Ledger of [/red]" in shell.run("site", "ledger", "show", "--site", "north").out


def test_check_shows_what_a_site_that_allows_less_would_spend(north: FoundedSite) -> None:
    north.set(max_epsilon_per_study="0.2")
    assert north.run("check", "flu.toml").code == 1
    text = (north.shell.home / "flu.toml").read_text()
    (north.shell.home / "flu.toml").write_text("allow_less_epsilon = true\n" + text)
    ended = north.run("check", "flu.toml")
    assert (ended.code, ended.err) == (0, "")
    assert "All together: epsilon 0.19" in joined(ended.out)
