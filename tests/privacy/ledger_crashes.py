"""Kill and race processes over one ledger and write down what is left; run as a program.

One program for all scenarios, because loading the package takes longer than running them. It forks
before anything is threaded and ends children by SIGKILL, which no handler can soften.
"""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from privacy import (
    BudgetExceeded,
    Event,
    GaussianEvent,
    Ledger,
    Part,
    Policy,
    SampledGaussianEvent,
    SigningKey,
    compute_epsilon,
    ledger_store,
)
from privacy.ledger_file import read_rows

POLICY = Policy(epsilon=1, delta=1e-5, holdout=0.2)
KEY = SigningKey.from_seed(bytes(32))
MOST_OF_IT = GaussianEvent(noise_multiplier=4.5, purpose="sketch")
A_PART = GaussianEvent(noise_multiplier=8.0, purpose="sketch")
SMALL_ONES: tuple[Event, ...] = (
    GaussianEvent(noise_multiplier=25.0, purpose="sketch"),
    SampledGaussianEvent(noise_multiplier=4.0, sample_rate=0.05, steps=20, purpose="training"),
    GaussianEvent(noise_multiplier=17.0, purpose="scores", part=Part.HOLD_OUT),
    SampledGaussianEvent(noise_multiplier=8.0, sample_rate=0.2, steps=10, purpose="training"),
)
RACERS = 10
STUDIES_EACH = 25


def kill_self(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_child(work: Callable[[], None]) -> int:
    """Start work in a child that ends with 0 on success, 1 on a refusal, else 2; return its id."""
    child = os.fork()
    if child == 0:
        code = 2
        try:
            work()
            code = 0
        except (BudgetExceeded, RuntimeError, ValueError):
            code = 1
        finally:
            os._exit(code)
    return child


def wait(child: int) -> int:
    """Return the exit code, or minus the number of the signal that ended the child."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def race(works: list[Callable[[], None]]) -> int:
    """Run all works at the same moment; return how many were not refused."""
    start = time.monotonic() + 0.3

    def held_back(work: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            time.sleep(max(0.0, start - time.monotonic()))
            work()

        return run

    codes = [wait(child) for child in [in_child(held_back(work)) for work in works]]
    if not set(codes) <= {0, 1}:
        raise RuntimeError(f"a child broke down: {codes}")
    return codes.count(0)


def make(folder: Path, name: str) -> Ledger:
    return Ledger.create(folder / name, site="north", dataset="visits", policy=POLICY, key=KEY)


def kill_between_reserve_and_mark(folder: Path) -> dict[str, object]:
    book = make(folder, "between")

    def work() -> None:
        book.reserve("study", [MOST_OF_IT])
        kill_self()

    code = wait(in_child(work))
    again = Ledger.open(book.path, key=KEY)
    left = {"code": code, "epsilon": again.epsilon(), "state": _last_state(book.path)}
    with contextlib.suppress(BudgetExceeded):
        again.reserve("other", [MOST_OF_IT])
        left["refunded"] = True
    reservation = again.reserve("study", [MOST_OF_IT])
    again.mark(reservation, "running", "sketch")
    return left | {"entries": len(again.entries())}


def kill_before_commit(folder: Path) -> dict[str, object]:
    book = make(folder, "before-commit")
    real = ledger_store.append

    def append_and_die(*arguments: object) -> None:
        real(*arguments)  # type: ignore[arg-type]
        kill_self()

    def work() -> None:
        ledger_store.append = append_and_die
        book.reserve("study", [MOST_OF_IT])

    code = wait(in_child(work))
    left = {"code": code, "epsilon": Ledger.open(book.path).epsilon()}
    book.reserve("other", [MOST_OF_IT])
    return left | {"then": book.epsilon()}


def kill_while_running(folder: Path) -> dict[str, object]:
    book = make(folder, "running")
    reservation = book.reserve("study", [MOST_OF_IT])

    def work() -> None:
        book.mark(reservation, "running", "sketch")
        kill_self()

    code = wait(in_child(work))
    retry = wait(in_child(lambda: book.mark(reservation, "running", "sketch")))
    return {"code": code, "retry": retry, "state": _last_state(book.path)}


def race_to_reserve(folder: Path, name: str, event: GaussianEvent) -> dict[str, object]:
    book = make(folder, name)
    compute_epsilon([event], POLICY.delta)  # so that all children reach the lock together
    winners = race([lambda i=i: _reserve(book, f"study-{i}", event) for i in range(RACERS)])
    return {"winners": winners, "events": len(book.events()), "epsilon": book.epsilon()}


def race_to_begin(folder: Path) -> dict[str, object]:
    book = make(folder, "begin")
    reservation = book.reserve("study", [MOST_OF_IT])
    return {"winners": race([lambda: book.mark(reservation, "running", "sketch")] * RACERS)}


def race_to_create(folder: Path) -> dict[str, object]:
    def work() -> None:
        make(folder, "create")

    return {"winners": race([work] * RACERS), "entries": len(read_rows(folder / "create"))}


def race_with_many_small_studies(folder: Path) -> dict[str, object]:
    """Let every racer reserve one small study after the other, each with other events."""
    book = make(folder, "many")
    taken = [folder / f"taken-{number}" for number in range(RACERS)]

    def work(number: int) -> None:
        own = Ledger.open(book.path, key=KEY)
        count = 0
        for turn in range(STUDIES_EACH):
            event = SMALL_ONES[(number + turn) % len(SMALL_ONES)]
            with contextlib.suppress(BudgetExceeded):
                reservation = own.reserve(f"study-{number}-{turn}", [event])
                own.mark(reservation, "running", event.purpose)
                count += 1
        taken[number].write_text(str(count))

    finished = race([lambda i=i: work(i) for i in range(RACERS)])
    again = Ledger.open(book.path)
    return {
        "finished": finished,
        "asked": RACERS * STUDIES_EACH,
        "taken": sum(int(path.read_text()) for path in taken),
        "events": len(again.events()),
        "entries": len(again.entries()),
        "epsilon": again.epsilon(),
        "of-all": compute_epsilon(SMALL_ONES * (RACERS * STUDIES_EACH // 4), POLICY.delta),
    }


def race_without_lock(folder: Path) -> dict[str, object]:
    """Mutant: decide on rows read before the lock is taken, as a careless ledger would."""
    locked, append, select = (
        ledger_store.transaction,
        ledger_store.append,
        ledger_store.select_rows,
    )
    stale: list[tuple] = []

    @contextlib.contextmanager
    def decide_first(path: Path):
        stale[:] = read_rows(path)
        time.sleep(1.0)
        with locked(path) as connection:
            yield connection

    def append_to_latest(connection, rows):
        moved = len(select(connection)) - len(stale)
        append(connection, [(row[0] + moved, *row[1:]) for row in rows])

    ledger_store.transaction = decide_first
    ledger_store.select_rows = lambda _, after=0: stale[after:]
    ledger_store.append = append_to_latest
    try:
        book = make(folder, "no-lock")
        winners = race([lambda i=i: _reserve(book, f"study-{i}", MOST_OF_IT) for i in range(3)])
    finally:
        ledger_store.transaction, ledger_store.append = locked, append
        ledger_store.select_rows = select
    epsilon = compute_epsilon([MOST_OF_IT] * winners, POLICY.delta)
    return {"winners": winners, "events": len(read_rows(book.path)) - 1, "epsilon": epsilon}


def _reserve(book: Ledger, study: str, event: GaussianEvent) -> None:
    book.reserve(study, [event])


def _last_state(path: Path) -> str:
    return Ledger.open(path).entries()[-1].state.value


def main(folder: Path) -> None:
    left = {
        "between": kill_between_reserve_and_mark(folder),
        "before-commit": kill_before_commit(folder),
        "running": kill_while_running(folder),
        "one-fits": race_to_reserve(folder, "one-fits", MOST_OF_IT),
        "some-fit": race_to_reserve(folder, "some-fit", A_PART),
        "begin": race_to_begin(folder),
        "create": race_to_create(folder),
        "many": race_with_many_small_studies(folder),
        "no-lock": race_without_lock(folder),
    }
    sys.stdout.write(json.dumps(left))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
