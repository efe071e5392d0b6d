"""Kill a site process at random moments and at named points of a study; run as a program.

This process plays the coordinator: it asks, keeps what reaches it, and kills. Then it starts the
site again and asks everything again: what it saw before must come again, and what it did not see
must come now. It forks after everything is loaded, so a trial takes well under a second.
"""

from __future__ import annotations

import json
import logging
import os
import random
import select
import shutil
import signal
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import torch
from asking import be_inside_a_run
from crash_site import PHASES, SETTINGS, Fate, Seen, records_of, serve
from safetensors.torch import load_file
from tiny_sites import make_request, write_site

from client.reserving import check_study
from client.site import load_site
from client.state import StudyState
from privacy import Ledger, Receipt, compute_epsilon
from privacy.events import Event, SampledGaussianEvent

DELTA = 1e-5
PLAN = make_request(**SETTINGS).make_plan()
STEPS_OF_ROUND = PLAN.steps // 2


def run_site(
    folder: Path,
    seen: Seen,
    phases: tuple[str, ...],
    *,
    kill_at: tuple[int, float] | None = None,
    fate: Fate | None = None,
    mutant: str = "",
) -> bool:
    """Run a site process, ask it phase by phase, kill it in time; return whether it was killed."""
    question_out, question_in = os.pipe()
    answer_out, answer_in = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(question_in)
            os.close(answer_out)
            serve(folder, question_out, answer_in, fate or Fate(), mutant)
            code = 0
        finally:
            os._exit(code)
    os.close(question_out)
    os.close(answer_in)
    _ask_all(child, seen, phases, question_in, answer_out, kill_at)
    seen.lose()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status not in (0, -signal.SIGKILL):
        raise RuntimeError(f"a site process broke down: {status}")
    return status != 0


def _ask_all(
    child: int,
    seen: Seen,
    phases: tuple[str, ...],
    questions: int,
    answers: int,
    kill_at: tuple[int, float] | None,
) -> None:
    """Ask the next phase when the last one was answered; kill when it is time; read to the end.

    ``kill_at`` names a question and the seconds after it.
    """
    waiting, open_end, deadline = list(phases), True, None
    asked = answered = sum(map(len, seen.codes.values()))
    asked_at = time.monotonic()
    questions = _send(questions, waiting, seen)
    while open_end:
        if kill_at is not None and answered - asked == kill_at[0]:
            deadline, kill_at = time.monotonic() + kill_at[1], None
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not select.select([answers], [], [], left)[0]:
            os.kill(child, signal.SIGKILL)
            deadline = None
            continue
        data = os.read(answers, 1 << 16)
        open_end = bool(data)
        seen.take(data)
        if sum(map(len, seen.codes.values())) > answered:
            answered += 1
            seen.seconds.append(time.monotonic() - asked_at)
            asked_at = time.monotonic()
            questions = _send(questions, waiting, seen)
    if questions >= 0:
        os.close(questions)
    os.close(answers)


def _send(questions: int, waiting: list[str], seen: Seen) -> int:
    """Send one question with the last receipt; close the pipe when there is none left."""
    if questions < 0 or not waiting:
        if questions >= 0:
            os.close(questions)
        return -1
    held = seen.receipts[-1] if seen.receipts else None
    line = json.dumps({"phase": waiting.pop(0), "held": held}) + "\n"
    try:
        os.write(questions, line.encode())
    except BrokenPipeError:  # it is dead already
        pass
    return questions


def cost_of(released: set[str]) -> float:
    """What the coordinator has seen costs, by PLD."""
    events: list[Event] = []
    rounds = sum(phase.startswith("round") for phase in released)
    for event in PLAN.events():
        if isinstance(event, SampledGaussianEvent):
            if rounds:
                events.append(
                    SampledGaussianEvent(
                        noise_multiplier=event.noise_multiplier,
                        sample_rate=event.sample_rate,
                        steps=rounds * STEPS_OF_ROUND,
                        purpose=event.purpose,
                    )
                )
        elif event.purpose.split("-")[0] in released:
            events.append(event)
    return compute_epsilon(events, DELTA)


def check_after_kill(folder: Path, seen: Seen) -> tuple[Ledger, list[str]]:
    """Open the ledger as a restarted site does, and compare it with what was seen."""
    ledger = load_site(folder).ledger  # verifies the whole chain
    found = seen.find_second_answers()
    if ledger.epsilon() < cost_of(seen.released()) - 1e-9:
        found.append("under-counted")
    for receipt in seen.receipts:
        ledger.check_receipt(Receipt.from_text(receipt))
    notes = {entry.note for entry in ledger.entries() if entry.state == "running"}
    for phase in seen.released():
        if not {phase, f"{phase}-kept"} <= notes:
            found.append(f"{phase} was seen without having begun and been kept")
    return ledger, found


def go_on(folder: Path, seen: Seen, mutant: str) -> list[str]:
    """Ask everything again, twice: all is answered, and what was seen before comes again."""
    seen.codes.clear()
    if run_site(folder, seen, PHASES + PHASES, mutant=mutant):
        raise RuntimeError("nobody killed this one")
    found = seen.find_second_answers()
    for phase in PHASES:
        if seen.codes[phase] != [None, None]:
            found.append(f"{phase} was not answered: {seen.codes[phase]}")
    if len(set(seen.receipts[-len(PHASES) :])) > 1:
        found.append("the ledger grew after the end")
    return found


def check_end(folder: Path, deaths: int) -> list[str]:
    """The study is complete, costs what was planned, and drew again only where it was killed."""
    site = load_site(folder)
    entries = site.ledger.entries()
    found = [] if entries[-1].state == "done" else [f"the study ended {entries[-1].state}"]
    notes = Counter(entry.note for entry in entries if entry.state == "running")
    expected = {f"{phase}{end}" for phase in PHASES[1:] for end in ("", "-kept")}
    again = set(notes) - expected
    if len(again) > deaths or not all("-again-" in note for note in again):
        found.append(f"unexpected notes: {sorted(again)}")
    if not expected <= set(notes) or max(notes.values()) > 1:
        found.append(f"notes are missing or twice there: {dict(notes)}")
    if abs(site.ledger.epsilon() - PLAN.epsilon) > 1e-9 or site.ledger.events() != PLAN.events():
        found.append(f"epsilon {site.ledger.epsilon()} in the end")
    for number in (1, 2):
        state = StudyState(folder, "tiny-study").folder / f"training-{number}.safetensors"
        steps = load_file(state)["optimizer.0.step"].item()
        if steps != number * STEPS_OF_ROUND:
            found.append(f"steps taken twice: {steps:g} after round {number}")
    return found


def try_once(
    template: Path,
    folder: Path,
    *,
    kills: tuple[tuple[int, float], ...] = (),
    fate: Fate | None = None,
    mutant: str = "",
) -> dict[str, Any]:
    """One life after the other, each but the last one killed; returns what is wrong.

    ``kills`` has a question and the seconds after it for each life; ``fate`` is of the first one.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    seen, found, died, where, left, seconds = Seen(), [], [], [], [], []
    for kill_at in kills or (None,):
        seen.codes.clear()
        seen.seconds = []
        life_ended = run_site(folder, seen, PHASES, kill_at=kill_at, fate=fate, mutant=mutant)
        ledger, problems = check_after_kill(folder, seen)
        replies, last = len(seen.codes), ledger.entries()[-1]
        died.append(life_ended)
        where.append(PHASES[replies] if replies < len(PHASES) else "after the last reply")
        left.append(f"{last.state.value} {last.note}".strip())
        seconds.append(seen.seconds)
        found += problems
        fate = None
    found += go_on(folder, seen, mutant)
    found += check_end(folder, sum(died))
    return {
        "killed": died[0],
        "killed again": all(died) and len(died) > 1,
        "seconds": seconds[0],
        "where": where[0],
        "ledger": left[0],
        "found": found,
    }


def main(home: Path, kills: int, seed: int, mutant: str, *, every_point: bool) -> None:
    torch.set_num_threads(1)
    logging.disable()
    be_inside_a_run()
    for phase in PHASES:
        records_of(phase)
    rng = random.Random(seed)
    template, folder = home / "template", home / "site"
    site = write_site(template, rows=60, seed=None, holdout=0.3)
    check_study(site, make_request(**SETTINGS))  # so that no child spends its life on accounting
    lives = []
    for _ in range(3):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
        whole = Seen()
        run_site(folder, whole, PHASES)
        lives.append(whole.seconds)
    shortest = [min(times) for times in zip(*lives, strict=True)]
    points = [(name, n + 1) for name, times in whole.passed.items() for n in range(times)]
    if mutant:
        points = [(name, n) for name, n in points if name in ("half-sent", "after-saving")]
    elif not every_point:
        points = [(name, rng.randint(1, times)) for name, times in whole.passed.items()]
    attempt = partial(try_once, template, folder, mutant=mutant)
    trials = [(name, attempt(fate=Fate(point=name, count=n))) for name, n in points]
    while sum(name == "random" and trial["killed"] for name, trial in trials) < kills:
        phase = len(trials) % len(PHASES)  # each in turn, at a random moment of it
        moment = (phase, rng.uniform(0, shortest[phase]))
        kills_of_it = (moment,) * (1 + len(trials) % 2)  # every other one dies twice there
        trial = attempt(kills=kills_of_it)
        trials.append(("random", trial))
        shortest = [min(times) for times in zip(shortest, trial["seconds"], strict=False)] + (
            shortest[len(trial["seconds"]) :]
        )
    print(json.dumps(summarise(trials) | {"seconds": shortest}))


def summarise(trials: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    problems = [f"{name} in {t['where']}: {p}" for name, t in trials for p in t["found"]]
    random_ones = [t for name, t in trials if name == "random" and t["killed"]]
    return {
        "points": len([1 for name, t in trials if name != "random" and t["killed"]]),
        "random": len(random_ones),
        "twice": sum(trial["killed again"] for trial in random_ones),
        "late": len([1 for name, t in trials if not t["killed"]]),
        "phases": Counter(t["where"] for t in random_ones),
        "ledger": Counter(t["ledger"] for t in random_ones),
        "under-counted": sum("under-counted" in problem for problem in problems),
        "problems": problems,
    }


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        int(sys.argv[2]),
        int(sys.argv[3]),
        sys.argv[4].replace("none", ""),
        every_point=sys.argv[5] == "every",
    )
