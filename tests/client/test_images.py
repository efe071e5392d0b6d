"""A site with images: what it answers, what it refuses, and that only listed fields leave."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking import ask_evaluate, ask_hello, ask_sketch, be_inside_a_run, code_of, settings_of
from attacks import BAD_WEIGHTS
from image_sites import (
    IMAGES,
    NUMBERS,
    STUDY,
    ask_image_round,
    ask_images,
    image_weights,
    make_image_study,
    write_image_site,
    write_image_sites,
)
from tiny_sites import Recorder, write_site

from client import reading
from client.founding import found_site
from client.site import SITE_FILE, Site, load_site
from privacy import Policy, State, Unit
from server.app import Coordinator, make_server_app
from simulations.backends import run_local
from strategies import protocol
from strategies.gate import find_problem
from strategies.protocol import QUERY_SKETCH, SKETCH, STATISTICS
from strategies.wire_field import Direction
from synthesis import InputError
from synthesis.images.generator import ImageGenerator
from synthesis.images.schema import ImageSchema
from synthesis.images.sketch import ImageLayout, compute_image_sketch


@pytest.fixture(autouse=True)
def _inside_a_run() -> None:
    be_inside_a_run()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_image_site(tmp_path / "site-1")
    return tmp_path


def site_of(home: Path) -> Site:
    return load_site(home / "site-1", is_simulated=True)


def entries_of(home: Path) -> int:
    return len(site_of(home).ledger.entries())


def code_of_hello(home: Path, schema: ImageSchema | None = IMAGES, **changes: Any) -> str:
    digest = {} if schema is None else {"schema_digest": schema.digest()}
    answer = settings_of(ask_hello(home, **digest | changes))
    assert answer[protocol.ACCEPTED] is (answer[protocol.REFUSAL_CODE] == "none")
    return str(answer[protocol.REFUSAL_CODE])


def test_a_site_with_images_says_yes_to_a_study_on_images_and_spends_nothing(home: Path) -> None:
    assert code_of_hello(home, **STUDY) == "none"
    assert entries_of(home) == 1


def test_images_are_read_only_when_the_whole_study_is_in_the_ledger(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[State]] = []
    exact = reading.read_any_units

    def watched(*words: Any) -> Any:
        seen.append([entry.state for entry in site_of(home).ledger.entries()])
        return exact(*words)

    monkeypatch.setattr("client.site.read_any_units", watched)
    assert code_of_hello(home, **STUDY) == "none"
    assert seen == []
    assert not ask_images(home, QUERY_SKETCH).has_error()
    assert not ask_image_round(home).has_error()
    assert len(seen) == 2
    for states in seen:
        assert State.RESERVED in states
        assert states[-1] is State.RUNNING


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"model": "mixture"}, "policy-models"),
        ({"model": "memoriser"}, "policy-models"),
        ({"evaluation": True}, "malformed"),
        ({"epsilon": 1.1}, "budget-exceeded"),
        ({"rounds": 1001}, "policy-max-rounds"),
        ({"expected_batch_size": 50_000_000}, "malformed"),
    ],
)
def test_studies_that_images_are_not_for_are_refused_and_cost_nothing(
    home: Path, changes: dict[str, Any], code: str
) -> None:
    settings = STUDY | changes
    hello = ask_hello(home, schema_digest=IMAGES.digest(), **settings)
    said = code_of(hello) if hello.has_error() else settings_of(hello)[protocol.REFUSAL_CODE]
    assert said == code
    assert code_of(ask_sketch(home, **settings)) == code
    assert code_of(ask_image_round(home, **settings)) == code
    assert code_of(ask_evaluate(home, **settings | {"evaluation": True})) in (code, "malformed")
    assert entries_of(home) == 1


def test_a_policy_that_allows_tables_too_makes_no_table_of_images(tmp_path: Path) -> None:
    write_image_site(tmp_path / "site-1", models=("mixture", "images"))
    for ask in (ask_sketch, ask_image_round, ask_evaluate):
        assert code_of(ask(tmp_path, model="mixture", evaluation=False)) == "malformed"
    assert code_of_hello(tmp_path, model="mixture") == "malformed"
    assert entries_of(tmp_path) == 1


def test_a_site_with_tables_refuses_a_study_on_images(tmp_path: Path) -> None:
    write_site(tmp_path / "site-1", models=("mixture", "images"))
    assert code_of_hello(tmp_path, None, model="images") == "malformed"
    assert code_of(ask_sketch(tmp_path, model="images")) == "malformed"
    assert code_of(ask_image_round(tmp_path)) == "malformed"
    assert entries_of(tmp_path) == 1


def test_another_schema_of_images_is_a_mismatch(home: Path) -> None:
    other = IMAGES.model_copy(update={"may_flip": True})
    assert code_of_hello(home, other, **STUDY) == "schema-mismatch"
    assert entries_of(home) == 1


def test_a_policy_without_images_refuses_them(tmp_path: Path) -> None:
    write_image_site(tmp_path / "site-1", models=("mixture",))
    assert code_of_hello(tmp_path, **STUDY) == "policy-models"
    assert code_of(ask_images(tmp_path, QUERY_SKETCH)) == "policy-models"
    assert code_of(ask_image_round(tmp_path)) == "policy-models"
    assert entries_of(tmp_path) == 1


def test_canaries_are_refused_when_a_site_is_founded_and_nothing_is_written(tmp_path: Path) -> None:
    policy = Policy(epsilon=1.0, delta=1e-5, unit=Unit.RECORD, models=("images",))
    with pytest.raises(InputError, match="canaries must be 0 at a site with images, got 60"):
        found_site(
            tmp_path / "new",
            name="new",
            data="images.npz",
            schema=IMAGES,
            policy=policy,
            canaries=60,
        )
    assert not (tmp_path / "new").exists()


def test_canaries_that_are_put_in_later_let_no_study_begin(home: Path) -> None:
    path = home / "site-1" / SITE_FILE
    lines = [line for line in path.read_text().splitlines() if not line.startswith("canaries")]
    path.write_text("\n".join(["canaries = 60", *lines]))
    assert site_of(home).config.canaries == 60
    assert code_of_hello(home, **STUDY) == "local-failure"  # before any other site spends
    assert code_of(ask_images(home, QUERY_SKETCH)) == "local-failure"
    assert code_of(ask_image_round(home)) == "local-failure"
    assert entries_of(home) == 1


def test_a_pooled_sketch_in_a_round_is_refused_and_costs_no_round(home: Path) -> None:
    assert not ask_images(home, QUERY_SKETCH).has_error()
    before = entries_of(home)
    for pooled in (np.ones(3, np.float32), np.ones(ImageLayout.from_schema(IMAGES).dimension)):
        assert code_of(ask_image_round(home, pooled=pooled.astype(np.float32))) == "malformed"
    assert entries_of(home) == before
    assert not ask_image_round(home).has_error()


def grow(name: str, *shape: int) -> Callable[[dict[str, np.ndarray]], None]:
    return lambda weights: weights.update({name: np.zeros(shape, np.float32)})


BAD: list[Callable[[dict[str, np.ndarray]], Any]] = [
    *BAD_WEIGHTS,
    lambda weights: weights.pop("refine.0.bias"),
    lambda weights: weights.pop("shares"),
    lambda weights: weights["shares"].fill(0.0),
    lambda weights: weights["shares"].fill(-1.0),
    lambda weights: weights.update(image_weights(hidden=9) | {"refine.0.bias": np.zeros(8, "f4")}),
    grow("refine.0.bias", 0),
    grow("refine.0.bias", 257),
    grow("refine.0.bias", 100_000),
    grow("refine.0.bias", 2, 4),
    grow("means", 2, 63),
    grow("factors", 2, 64, 65),
    grow("refine.2.weight", 8, 8, 5, 5),
]


@pytest.mark.parametrize("change", BAD)
def test_weights_of_any_odd_kind_are_refused_and_use_up_nothing(home: Path, change) -> None:
    weights = image_weights()
    change(weights)
    assert code_of(ask_image_round(home, weights)) == "malformed"
    assert entries_of(home) == 1


def test_a_huge_but_honest_generator_gives_an_answer_or_a_code(home: Path) -> None:
    weights = {name: np.full_like(value, 9e5) for name, value in image_weights().items()}
    reply = ask_image_round(home, weights)
    if reply.has_error():
        assert code_of(reply) == "local-failure"
    else:
        answer = reply.content.array_records[protocol.ARRAYS].values()
        assert all(np.isfinite(array.numpy()).all() for array in answer)


def test_a_missing_or_broken_source_is_a_code_and_nothing_of_it_is_logged(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    (home / "site-1" / "images.npz").write_bytes(b"Zyxquintessa 8675309")
    assert code_of(ask_images(home, QUERY_SKETCH)) == "local-failure"
    assert "Zyxquintessa" not in caplog.text
    assert str(home) not in caplog.text


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Site], Recorder, Any]:
    """One whole study at three sites, every message kept."""
    home = tmp_path_factory.mktemp("images")
    sites, recorder = write_image_sites(home), Recorder()
    coordinator = Coordinator(make_image_study(), IMAGES, num_sites=3)
    run_local(make_server_app(coordinator), recorder, 3, run_config={"sites-dir": str(home)})
    return sites, recorder, coordinator.outcome


def test_a_study_on_images_asks_no_evaluation_and_sends_no_pooled_sketch(study) -> None:
    _, recorder, outcome = study
    kinds = [message.metadata.message_type for message, _ in recorder.seen]
    expected = {"query.hello": 3, "query.sketch": 3, "train": 6, "query.close": 3}
    assert kinds == [kind for kind, number in expected.items() for _ in range(number)]
    assert not any(reply.has_error() for _, reply in recorder.seen)
    assert not any(protocol.POOLED_SKETCH in message.content for message, _ in recorder.seen)
    assert isinstance(outcome.generator, ImageGenerator)


def test_only_listed_fields_leave_and_no_number_of_images(study) -> None:
    _, recorder, _ = study
    counts = {float(number) for number in (*NUMBERS, sum(NUMBERS))}
    for message, reply in recorder.seen:
        kind = message.metadata.message_type
        assert find_problem(reply.content, kind, Direction.UP) is None
        assert find_problem(message.content, kind, Direction.DOWN) is None
        assert not reply.content.metric_records
        for record in reply.content.config_records.values():
            assert not {float(v) for v in record.values() if not isinstance(v, str)} & counts
        for record in reply.content.array_records.values():
            for array in record.values():
                assert not set(map(float, array.shape)) & counts
                assert not set(array.numpy().astype(float).ravel().tolist()) & counts


def test_no_number_of_a_sketch_is_exact_and_its_noise_is_that_of_the_plan(study) -> None:
    sites, recorder, _ = study
    layout = ImageLayout.from_schema(IMAGES)
    sketches = [
        reply.content.array_records[SKETCH][STATISTICS].numpy().astype(np.float64)
        for message, reply in recorder.seen
        if message.metadata.message_type == QUERY_SKETCH
    ]
    for site, found in zip(sites, sketches, strict=True):
        codes = np.load(site.folder / "images.npz")
        pixels = codes["images"].reshape(len(codes["labels"]), -1)
        rows = np.concatenate([pixels, codes["labels"][:, None]], axis=1).astype(np.int16)
        noise = found - compute_image_sketch(layout, rows, IMAGES.num_pixels)
        assert (noise != 0).all()
        multiplier = make_image_study().make_plan().sketch_noise_multiplier
        assert np.std(noise) == pytest.approx(multiplier * layout.sensitivity, rel=0.05)


def test_every_site_spent_what_was_asked_and_is_done(study) -> None:
    sites, _, _ = study
    for site in sites:
        assert site.ledger.events() == make_image_study().make_plan().events()
        assert 0.99 < site.ledger.epsilon() <= 1.0
        assert site.ledger.entries()[-1].state is State.DONE
