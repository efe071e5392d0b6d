"""Workers answer in order, hold few answers, need no torch, and end in one sentence."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import Future
from functools import partial

import pytest
from tiny_world import SCHEMA, make_generator
from worker_words import dawdle, describe, stumble, vanish

from synthesis.errors import WorkersFailed
from synthesis.sharded_sample import ShardedSample, in_this_process
from synthesis.worker_processes import WorkerProcesses

TWO = WorkerProcesses(workers=2)


def test_answers_come_in_order() -> None:
    assert list(TWO(dawdle, 7)) == list(in_this_process(dawdle, 7)) == list(range(7))


def test_workers_draw_without_torch_in_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    sample = ShardedSample.of(make_generator(), SCHEMA, 100)
    assert list(TWO(partial(describe, sample.batch), 2)) == [(0, False, "1"), (1, False, "1")]
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_an_error_of_a_call_comes_out_as_it_is() -> None:
    answers = TWO(stumble, 9)
    assert [next(answers), next(answers)] == [0, 1]
    with pytest.raises(ValueError, match="third call"):
        next(answers)


def test_a_worker_that_vanishes_is_one_sentence() -> None:
    with pytest.raises(WorkersFailed, match="use fewer workers"):
        list(TWO(vanish, 3))


def test_a_caller_that_stops_early_ends_the_workers() -> None:
    answers = TWO(dawdle, 1_000_000)
    assert next(answers) == 0
    answers.close()
    assert multiprocessing.active_children() == []


def test_few_answers_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Pool:
        def __init__(self, *_: object, **__: object) -> None: ...

        def submit(self, function: object, index: int) -> Future[int]:
            asked.append(index)
            answer: Future[int] = Future()
            answer.set_result(index)
            return answer

        def shutdown(self, **_: object) -> None: ...

    monkeypatch.setattr("synthesis.worker_processes.ProcessPoolExecutor", Pool)
    for answer in TWO(dawdle, 50):
        assert len(asked) <= answer + 4
    assert asked == list(range(50))
