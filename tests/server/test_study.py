"""The study's settings: declared numbers, their bounds and what follows from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from tiny_sites import make_config, make_study

from client.settings import StudyRequest
from server.study import Study, load_study, parse_study
from strategies import protocol
from synthesis import InputError

BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "name"),
    ({"name": "a b"}, "name"),
    ({"name": "../x/y"}, "name"),
    ({"name": "a\n"}, "name"),
    ({"name": "x" * 101}, "name"),
    ({"epsilon": 0}, "epsilon"),
    ({"epsilon": -1}, "epsilon"),
    ({"epsilon": 1001}, "epsilon"),
    ({"epsilon": float("nan")}, "epsilon"),
    ({"epsilon": float("inf")}, "epsilon"),
    ({"epsilon": "much"}, "epsilon"),
    ({"delta": 1e-10}, "delta"),
    ({"delta": 1}, "delta"),
    ({"adversarial_share": -0.1}, "adversarial_share"),
    ({"adversarial_share": 0.96}, "adversarial_share"),
    ({"adversarial_share": 0.005}, "adversarial_share"),
    ({"adversarial_share": 0}, "rounds and adversarial_share"),
    ({"rounds": 0}, "rounds and adversarial_share"),
    ({"rounds": -1}, "rounds"),
    ({"rounds": 1.5}, "rounds"),
    ({"discriminator_steps": 0}, "discriminator_steps"),
    ({"rounds": 200, "discriminator_steps": 9_000}, "rounds times steps"),
    ({"rounds": 200, "generator_steps": 9_000}, "rounds times steps"),
    ({"rounds": 100, "discriminator_steps": 2_000}, "rounds times discriminator_steps"),
    ({"rounds": 100, "nominal_rows": 10**7}, "steps times the expected batch size"),
    ({"generator_steps": -1}, "generator_steps"),
    ({"sample_rate": 0}, "sample_rate"),
    ({"sample_rate": 1.1}, "sample_rate"),
    ({"nominal_rows": 0}, "nominal_rows"),
    ({"nominal_rows": 10**9}, "sample_rate times nominal_rows"),
    ({"max_grad_norm": 0}, "max_grad_norm"),
    ({"max_grad_norm": 1e-30}, "max_grad_norm"),
    ({"fit_steps": 0}, "fit_steps"),
    ({"minimum_sites": 1}, "minimum_sites"),
    ({"deadline_s": 0}, "deadline_s"),
    ({"seed": -1}, "seed"),
    ({"colour": "red"}, "colour"),
]


@pytest.mark.parametrize(("change", "words"), BAD)
def test_a_setting_out_of_range_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        parse_study(change)
    assert "\n" not in str(caught.value).replace(repr("a\n"), "")


def test_the_default_study_runs_adversarial_rounds() -> None:
    study = Study()
    assert study.rounds > 0 and study.adversarial_share == 0.1
    assert study.discriminator_steps > 0 and study.generator_steps > 0


def test_the_sketch_alone_must_be_asked_for() -> None:
    study = make_study(rounds=0, adversarial_share=0)
    assert study.make_plan().steps == 0
    assert study.make_plan().training_noise_multiplier is None


def test_a_plan_keeps_to_the_budget_and_has_all_steps() -> None:
    plan = make_study().make_plan()
    assert plan.epsilon <= 1.0
    assert plan.steps == 2 * 3
    assert plan.budget == make_study().budget


@given(st.floats(0.001, 1), st.integers(1, 10_000))
def test_the_declared_batch_follows_from_declared_rows(rate: float, rows: int) -> None:
    size = make_study(sample_rate=rate, nominal_rows=rows).expected_batch_size
    assert size >= 1
    assert size == 1 or abs(size - rate * rows) <= 0.5


def test_every_study_is_a_request_that_sites_accept() -> None:
    for study in (make_study(), make_study(epsilon=0.3, sample_rate=1.0)):
        config = make_config(
            epsilon=study.epsilon,
            sample_rate=study.sample_rate,
            expected_batch_size=study.expected_batch_size,
        )
        assert StudyRequest.from_config(config).budget == study.budget
    assert make_config()[protocol.ROUNDS] == 2


def test_the_digest_is_that_of_every_setting() -> None:
    study = make_study()
    assert study.digest() == make_study().digest()
    changes: list[dict[str, Any]] = [
        {"epsilon": 0.9},
        {"name": "other"},
        {"seed": 1},
        {"fit_steps": 4},
        {"deadline_s": 31.0},
    ]
    digests = {make_study(**change).digest() for change in changes}
    assert len(digests) == len(changes) and study.digest() not in digests


def test_a_study_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        make_study().epsilon = 5.0  # type: ignore[misc]


def test_a_study_file_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    content = make_study().model_dump(mode="json")
    path.write_text(tomli_w.dumps(content | {"simulation": {"sites": 3}}), encoding="utf-8")
    assert load_study(path) == make_study()


@pytest.mark.parametrize("content", [b"epsilon = ", b"\xff\xfe", b"epsilon = 1\nepsilon = 2\n"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"study\.toml"):
        load_study(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(InputError, match="must be"):
            load_study(path)


def test_a_wrong_setting_in_a_file_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("epsilon = -1\n")
    with pytest.raises(InputError, match=r"mine\.toml.*epsilon"):
        load_study(path)


@pytest.mark.parametrize(
    ("name", "value", "default"),
    [("epsilon", -1, "1.0"), ("deadline_s", 0, "3600.0"), ("rounds", -1, ""), ("seed", -1, "")],
)
def test_a_default_is_named_where_every_study_has_it(name: str, value: float, default: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_study({name: value})
    way_out = f" for the default {default}" if default else ""
    assert str(refused.value).endswith(f"; correct it or leave it out{way_out}.")
