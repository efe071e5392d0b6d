"""What a site's ledger costs when it is long: ``python -m simulations.benchmarks.ledger``.

Wall time is what a site waits for and includes the disk; processor time is what other programs on
the same machine cannot disturb much. Both are medians of repeats.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from privacy import Event, GaussianEvent, Ledger, Policy, SampledGaussianEvent, SigningKey
from privacy.accounting import compute_pld_epsilon
from privacy.schedules import make_schedule

__all__ = ["Timing", "main", "measure_all"]

EVENTS = 10_000
REPLAYED = 1_000
SEED = 7
_EVENTS_OF_STUDY = 50


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long something takes, in seconds, and the most it may take.

    Args:
        what: a few words.
        wall_s: median of the wall time.
        processor_s: median of the processor time.
        limit_s: the most that is acceptable.
    """

    what: str
    wall_s: float
    processor_s: float
    limit_s: float


def measure_all(
    folder: Path, *, events: int = EVENTS, replayed: int = REPLAYED, repeats: int = 5
) -> list[Timing]:
    """Measure every figure on a new ledger.

    Args:
        folder: where the ledger is written; the disk is part of what is measured.
        events: events in the ledger before anything is measured.
        replayed: different mechanisms whose epsilon is computed at once.
        repeats: how often each is done; ten times as often for what takes milliseconds.
    """
    rng = random.Random(SEED)
    ledger = _fill(folder / "ledger.db", events, rng)
    return [
        *_measure_writing(ledger, 10 * repeats),
        _measure(f"verify {events} events", lambda: Ledger.open(ledger.path), repeats, 5.0),
        _measure_replay(replayed, repeats, rng),
    ]


def main() -> None:
    """Print the table, and end with 1 if a limit is missed."""
    with tempfile.TemporaryDirectory() as folder:
        timings = measure_all(Path(folder))
    sys.stdout.write(f"{'':34}{'wall':>12}{'processor':>12}{'limit':>12}\n")
    for timing in timings:
        figures = (timing.wall_s, timing.processor_s, timing.limit_s)
        cells = "".join(f"{seconds * 1000:9.1f} ms" for seconds in figures)
        sys.stdout.write(f"{timing.what:34}{cells}\n")
    sys.exit(any(timing.wall_s > timing.limit_s for timing in timings))


def _fill(path: Path, events: int, rng: random.Random) -> Ledger:
    policy = Policy(epsilon=1000, delta=1e-5)
    key = SigningKey.generate()
    ledger = Ledger.create(path, site="north", dataset="visits", policy=policy, key=key)
    for study in range(-(-events // _EVENTS_OF_STUDY)):
        drawn = [_draw(rng) for _ in range(min(_EVENTS_OF_STUDY, events))]
        ledger.reserve(f"study-{study}", drawn, details={"schema": "0" * 64, "rounds": "10"})
    return Ledger.open(path, key=key)


def _draw(rng: random.Random) -> Event:
    noise = rng.uniform(50, 200)
    if rng.random() < 0.5:
        return GaussianEvent(noise_multiplier=noise, purpose="sketch")
    return SampledGaussianEvent(
        noise_multiplier=noise,
        sample_rate=rng.choice([0.01, 0.02, 0.05]),
        steps=rng.randint(1, 400),
        purpose="training",
    )


def _measure_writing(ledger: Ledger, repeats: int) -> list[Timing]:
    names = iter(range(repeats + 2))
    reservations: list[str] = []
    event = GaussianEvent(noise_multiplier=150.0, purpose="sketch")

    def reserve() -> None:
        reservations.append(ledger.reserve(f"measured-{next(names)}", [event]))

    reserve()  # the first one counts everything that was reserved before
    ledger.mark(reservations.pop(), "running", "sketch")
    reserving = _measure("reserve", reserve, repeats, 0.02)
    marking = _measure(
        "mark", lambda: ledger.mark(reservations.pop(), "running", "sketch"), repeats, 0.02
    )
    return [reserving, marking]


def _measure_replay(replayed: int, repeats: int, rng: random.Random) -> Timing:
    schedule = make_schedule(
        SampledGaussianEvent(
            noise_multiplier=rng.uniform(5, 20),
            sample_rate=rng.uniform(0.001, 0.05),
            steps=rng.randint(1, 100),
            purpose="training",
        )
        for _ in range(replayed)
    )

    def replay() -> None:
        compute_pld_epsilon.cache_clear()
        compute_pld_epsilon(schedule, 1e-5)

    return _measure(f"PLD replay of {replayed} mechanisms", replay, max(1, repeats // 2), 10.0)


def _measure(what: str, work: Callable[[], object], repeats: int, limit_s: float) -> Timing:
    wall, processor = [], []
    for _ in range(repeats):
        began, used = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - began)
        processor.append(time.process_time() - used)
    return Timing(
        what=what,
        wall_s=statistics.median(wall),
        processor_s=statistics.median(processor),
        limit_s=limit_s,
    )


if __name__ == "__main__":
    main()
