"""What the rehearsal says would leave is what leaves: field by field and byte by byte."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from flwr.app import RecordDict
from tiny_sites import Recorder, make_request, make_study, write_site
from tiny_world import SCHEMA

from client.settings import StudyRequest
from client.site import load_site
from fedsynth.console import format_bytes
from fedsynth.site.preview import Leaving, preview_replies
from fedsynth.site.rehearsal import rehearse
from privacy import replay_ledger
from server.app import Coordinator, make_server_app
from server.question import settings_of
from simulations.backends import run_local
from strategies.gate import find_problem
from strategies.protocol import CONFIG, RECEIPT
from strategies.wire_field import Direction


def sizes_of(content: RecordDict) -> dict[tuple[str, str], int]:
    """Bytes of every key, but for the receipt, which grows with the number of entries."""
    return {
        (name, key): type(record)({key: value}).count_bytes()  # type: ignore[arg-type]
        for name, record in content.items()
        for key, value in record.items()
        if (name, key) != (CONFIG, RECEIPT)
    }


@pytest.fixture(scope="module", params=["fedavg", "mdgan", "vae"])
def study(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Recorder, tuple[Leaving, ...]]:
    """A whole study, and what the rehearsal at one of its sites said before."""
    home = tmp_path_factory.mktemp("preview")
    for number in (1, 2):
        models = ("mixture", "vae")
        write_site(home / f"site-{number}", seed=number, holdout=0.2, models=models)
    shutil.copytree(home / "site-1", home / "before")
    more = {"model": "vae"} if request.param == "vae" else {"strategy": request.param}
    settings = make_study(evaluation=True, **more)
    asked = StudyRequest.from_config(settings_of(settings))
    with rehearse(load_site(home / "before", is_simulated=True)) as site:
        replies = preview_replies(site, settings, asked)
    recorder = Recorder()
    coordinator = Coordinator(settings, SCHEMA, num_sites=2)
    run_local(make_server_app(coordinator), recorder, 2, run_config={"sites-dir": str(home)})
    return recorder, replies


def test_the_preview_has_the_fields_and_sizes_of_what_really_leaves(
    study: tuple[Recorder, tuple[Leaving, ...]],
) -> None:
    recorder, replies = study
    real: dict[str, list[RecordDict]] = {}
    for message, reply in recorder.seen:
        if message.metadata.dst_node_id == 101:
            assert not reply.has_error()
            real.setdefault(message.metadata.message_type, []).append(reply.content)
    assert list(real) == [reply.message for reply in replies]
    for reply in replies:
        assert reply.times == len(real[reply.message])
        for content in real[reply.message]:
            assert sizes_of(content) == sizes_of(reply.content)
        assert reply.size == sum(r.count_bytes() for r in reply.content.values())


def test_the_preview_obeys_the_table_of_the_wire(
    study: tuple[Recorder, tuple[Leaving, ...]],
) -> None:
    for reply in study[1]:
        assert find_problem(reply.content, reply.message, Direction.UP) is None


def test_a_rehearsal_leaves_no_copy_and_never_charges_the_site(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", seed=0)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with rehearse(site) as rehearsed:
        copy = rehearsed.ledger.path
        from client.reserving import reserve_study

        reserve_study(rehearsed, make_request())
        assert rehearsed.ledger.epsilon() > 0
    assert not copy.exists()
    assert replay_ledger(tmp_path / "site" / "ledger.sqlite").epsilon_pld == 0
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (1000, "1.0 kB"), (999_999_999, "1000.0 MB")]
)
def test_sizes_are_written_as_people_do(count: int, text: str) -> None:
    assert format_bytes(count) == text
