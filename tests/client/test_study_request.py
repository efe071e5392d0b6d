"""What a site lets a coordinator ask for."""

from __future__ import annotations

import math
from typing import Any

import pytest
from tiny_sites import make_config, make_request, make_study

from client.settings import MAX_STEPS, StudyRequest

HOSTILE: list[tuple[str, Any]] = [
    ("epsilon", 0.0),
    ("epsilon", -1.0),
    ("epsilon", math.nan),
    ("epsilon", math.inf),
    ("epsilon", 1000.1),
    ("epsilon", "1"),
    ("epsilon", True),
    ("delta", 0.0),
    ("delta", 1.0),
    ("delta", 1e-11),
    ("delta", math.nan),
    ("adversarial_share", -0.1),
    ("adversarial_share", 1.0),
    ("adversarial_share", 0.0),  # with rounds
    ("adversarial_share", math.nan),
    ("rounds", -1),
    ("rounds", 0),  # with a share
    ("rounds", 2.5),
    ("rounds", 10**12),
    ("rounds", math.inf),
    ("discriminator_steps", 0),
    ("discriminator_steps", -3),
    ("discriminator_steps", MAX_STEPS),
    ("generator_steps", -1),
    ("generator_steps", MAX_STEPS),
    ("sample_rate", 0.0),
    ("sample_rate", -0.2),
    ("sample_rate", 1.01),
    ("sample_rate", math.nan),
    ("expected_batch_size", 0),
    ("expected_batch_size", -8),
    ("expected_batch_size", MAX_STEPS + 1),
    ("expected_batch_size", 8.5),
    ("max_grad_norm", 0.0),
    ("max_grad_norm", -1.0),
    ("max_grad_norm", 1e-40),
    ("max_grad_norm", 1e39),
    ("max_grad_norm", math.inf),
    ("max_grad_norm", math.nan),
    ("study_id", 7),
    ("config_hash", None),
]


def test_a_request_is_what_the_study_says() -> None:
    study, request = make_study(), make_request()
    assert request.study == study.name
    assert request.budget == study.budget
    assert request.config_hash == study.digest()
    assert request.make_plan() == study.make_plan()


@pytest.mark.parametrize(("name", "value"), HOSTILE)
def test_values_out_of_range_are_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError):
        make_request(**{name: value})


@pytest.mark.parametrize("key", sorted(make_config()))
def test_every_setting_must_be_there(key: str) -> None:
    config = make_config()
    del config[key]
    with pytest.raises(ValueError, match=key):
        StudyRequest.from_config(config)


def test_the_sketch_alone_is_a_request_like_any_other() -> None:
    request = make_request(rounds=0, adversarial_share=0.0)
    assert request.make_plan().steps == 0


def test_settings_that_nobody_asked_for_are_passed_over() -> None:
    assert StudyRequest.from_config(make_config(server_round=1)) == make_request()


def test_a_plan_never_costs_more_than_was_asked() -> None:
    plan = make_request().make_plan()
    assert 0.99 < plan.epsilon <= 1.0
    assert plan.steps == 6
