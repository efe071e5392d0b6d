"""Kill a site process at random moments and at named points of a study; run as a program.

This process plays the coordinator: it asks, keeps what reaches it, and kills. Then it starts the
site again and asks on. It forks after everything is loaded, so a trial takes well under a second.
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
from tiny_sites import make_request, write_site

from client.reserving import check_study, close_study
from client.site import load_site
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


def cost_of(touched: set[str]) -> float:
    """What the coordinator has seen costs, by PLD."""
    events: list[Event] = []
    rounds = sum(phase.startswith("round") for phase in touched)
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
        elif event.purpose.split("-")[0] in touched:
            events.append(event)
    return compute_epsilon(events, DELTA)


def check_after_kill(folder: Path, seen: Seen) -> tuple[Ledger, list[str]]:
    """Open the ledger as a restarted site does, and compare it with what was seen."""
    ledger = load_site(folder).ledger  # verifies the whole chain
    found = []
    if ledger.epsilon() < cost_of(seen.touched) - 1e-9:
        found.append("under-counted")
    for receipt in seen.receipts:
        ledger.check_receipt(Receipt.from_text(receipt))
    begun = {entry.note for entry in ledger.entries() if entry.state == "running"}
    if not seen.touched - {"hello"} <= begun:
        found.append("seen without having begun")
    return ledger, found


def go_on(folder: Path, seen: Seen, ledger: Ledger, mutant: str) -> list[str]:
    """Ask everything again: what began is refused, what did not begin is answered."""
    begun = {entry.note for entry in ledger.entries() if entry.state == "running"}
    done = ledger.entries()[-1].state == "done"
    before = set(seen.touched)
    again = Seen(receipts=list(seen.receipts))
    phases = PHASES if "round-2" not in begun else tuple(p for p in PHASES if p != "round-1")
    if run_site(folder, again, phases, mutant=mutant):
        raise RuntimeError("nobody killed this one")
    found = [f"{phase} was released twice" for phase in before & again.touched if phase != "hello"]
    for phase in phases[1:]:
        expected = "already-released" if phase in begun or done else None
        if again.codes[phase] != [expected]:
            found.append(f"{phase} after {sorted(begun)}: {again.codes[phase]}")
    return found


def close(folder: Path) -> list[str]:
    """End the study, finished or failed; then nothing is answered and nothing was given back."""
    site = load_site(folder)
    if site.ledger.entries()[-1].state != "done":
        close_study(site, "tiny-study")
    spent = load_site(folder).ledger.epsilon()
    found = [] if abs(spent - PLAN.epsilon) < 1e-9 else [f"epsilon {spent} after closing"]
    last = Seen()
    run_site(folder, last, PHASES[1:])
    refused = all(codes == ["already-released"] for codes in last.codes.values())
    return found if refused else [*found, f"answers after closing: {last.codes}"]


def try_once(
    template: Path,
    folder: Path,
    *,
    kill_at: tuple[int, float] | None = None,
    fate: Fate | None = None,
    mutant: str = "",
) -> dict[str, Any]:
    """One life and one death; returns where it died and what is wrong."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder)
    seen = Seen()
    killed = run_site(folder, seen, PHASES, kill_at=kill_at, fate=fate, mutant=mutant)
    replies = len([p for p in PHASES if p in seen.codes])
    ledger, found = check_after_kill(folder, seen)
    left = ledger.entries()[-1]
    found += go_on(folder, seen, ledger, mutant)
    if not mutant:
        found += close(folder)
    where = PHASES[replies] if replies < len(PHASES) else "after the last reply"
    return {
        "killed": killed,
        "seconds": seen.seconds,
        "where": where,
        "ledger": f"{left.state.value} {left.note}".strip(),
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
        points = [(name, n) for name, n in points if name == "half-sent"]
    elif not every_point:
        points = [(name, rng.randint(1, times)) for name, times in whole.passed.items()]
    attempt = partial(try_once, template, folder, mutant=mutant)
    trials = [(name, attempt(fate=Fate(point=name, count=n))) for name, n in points]
    while sum(name == "random" and trial["killed"] for name, trial in trials) < kills:
        phase = len(trials) % len(PHASES)  # each in turn, at a random moment of it
        trial = attempt(kill_at=(phase, rng.uniform(0, shortest[phase])))
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
