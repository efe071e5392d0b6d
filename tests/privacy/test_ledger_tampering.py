"""No change of a ledger goes unseen: not by who opens it, and not by who has it open."""

import os
import random
import shutil
import sqlite3
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from ledger_editor import draw_change, edit, put_rows
from signed_ledgers import SMALL, alter, create_ledger, make_policy, open_ledger

from privacy import Ledger, LedgerBroken, Receipt, SampledGaussianEvent
from privacy.ledger_entries import COLUMNS
from privacy.ledger_file import read_rows

TRAINING = SampledGaussianEvent(noise_multiplier=9.0, sample_rate=0.05, steps=7, purpose="training")
FEW = pytest.param(300, id="few")
ALL = pytest.param(2000, id="all", marks=pytest.mark.slow)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger with every kind of entry, open and verified."""
    made = create_ledger(tmp_path / "ledger.db", make_policy(2.0, max_rounds=10))
    for number in range(3):
        details = {"configuration": f"größe {number}"}
        reservation = made.reserve(f"study-{number}", [SMALL, TRAINING], details=details)
        made.mark(reservation, "running", "sketch")
        made.change_policy(made.policy.model_copy(update={"max_rounds": 9 - number}))
    made.mark(reservation, "failed", "too-few-replies")
    made.head()
    return made


def check_found(path: Path, live: Ledger) -> None:
    """Fail unless both somebody who opens the ledger and somebody who has it open are told."""
    with pytest.raises(LedgerBroken):
        Ledger.open(path)
    with pytest.raises(LedgerBroken):
        live.head()
    with pytest.raises(LedgerBroken):
        live.reserve("one-more", [SMALL])


@pytest.mark.parametrize("changes", [FEW, ALL])
def test_every_changed_byte_is_found(ledger: Ledger, changes: int) -> None:
    rng = random.Random(changes)
    rows = read_rows(ledger.path)
    columns: Counter[str] = Counter()
    for _ in range(changes):
        change = draw_change(rows, rng)
        change.put(ledger.path)
        check_found(ledger.path, ledger)
        change.take_back(ledger.path)
        columns[change.column] += 1
    assert set(columns) == set(COLUMNS)
    assert ledger.head() == open_ledger(ledger.path).head()


@pytest.mark.parametrize("changes", [FEW, ALL])
def test_a_changed_byte_of_the_file_is_found_or_changes_no_row(
    ledger: Ledger, changes: int
) -> None:
    """The file has bytes that belong to no row: free space, and SQLite's own."""
    rng, content = random.Random(changes), ledger.path.read_bytes()
    rows = read_rows(ledger.path)
    copy = ledger.path.with_name("copy")
    found = 0
    for _ in range(changes):
        broken = bytearray(content)
        broken[rng.randrange(len(broken))] ^= rng.randrange(1, 256)
        copy.write_bytes(broken)
        try:
            Ledger.open(copy)
        except LedgerBroken:
            found += 1
        else:
            assert read_rows(copy) == rows
        for rest in ("-wal", "-shm", "-journal"):
            copy.with_name(copy.name + rest).unlink(missing_ok=True)
    assert found > changes / 3


def test_every_truncation_is_found_with_a_receipt(ledger: Ledger) -> None:
    rows, receipt = read_rows(ledger.path), ledger.receipt()
    for length in range(len(rows)):
        put_rows(ledger.path, rows[:length])
        with pytest.raises(LedgerBroken, match=f"row {length + 1} was verified before"):
            ledger.head()
        with pytest.raises(LedgerBroken, match="here: the end was cut off" if length else "first"):
            open_ledger(ledger.path).check_receipt(receipt)
    put_rows(ledger.path, rows)
    ledger.check_receipt(receipt)


def test_every_swap_of_two_rows_is_found(ledger: Ledger) -> None:
    rows = read_rows(ledger.path)
    assert len(rows) >= 12
    for one, other in combinations(range(len(rows)), 2):
        swapped = list(rows)
        swapped[one] = (rows[one][0], *rows[other][1:])
        swapped[other] = (rows[other][0], *rows[one][1:])
        put_rows(ledger.path, swapped)
        check_found(ledger.path, ledger)


def test_every_removed_or_doubled_row_is_found(ledger: Ledger) -> None:
    rows = read_rows(ledger.path)
    for place in range(len(rows) - 1):
        without = rows[:place] + rows[place + 1 :]
        moved = [(number, *row[1:]) for number, row in enumerate(without, start=1)]
        twice = [*rows, (len(rows) + 1, *rows[place][1:])]
        hidden = [(-7, *rows[place][1:]), *rows]
        for changed in (without, moved, twice, hidden):
            put_rows(ledger.path, changed)
            check_found(ledger.path, ledger)


def test_every_old_copy_is_found_with_a_receipt(tmp_path: Path) -> None:
    ledger = create_ledger(tmp_path / "l")
    copies: list[tuple[Path, Receipt]] = []
    for number in range(6):
        ledger.reserve(f"study-{number}", [SMALL])
        copy = tmp_path / f"copy-{number}"
        shutil.copy(ledger.path, copy)
        copies.append((copy, ledger.receipt()))
    for (old, _), (_, receipt) in combinations(copies, 2):
        shutil.copy(old, ledger.path)
        with pytest.raises(LedgerBroken):
            ledger.head()
        with pytest.raises(LedgerBroken, match="an old copy was put back"):
            open_ledger(ledger.path).check_receipt(receipt)
        put_back = open_ledger(ledger.path)
        put_back.reserve("and on", [SMALL])
        put_back.reserve("and on and on", [SMALL])
        with pytest.raises(LedgerBroken):
            open_ledger(ledger.path).check_receipt(receipt)


def test_a_change_is_found_although_the_time_of_the_file_was_set_back(ledger: Ledger) -> None:
    alter(ledger.path, "DROP TRIGGER no_update")
    ledger.head()
    times = ledger.path.stat()
    alter(ledger.path, "UPDATE events SET signature = replace(signature, 'a', 'b') WHERE id = 3")
    os.utime(ledger.path, ns=(times.st_atime_ns, times.st_mtime_ns))
    check_found(ledger.path, ledger)


def test_a_change_that_lies_in_the_log_is_found(ledger: Ledger) -> None:
    """As long as somebody else has the file open, changes are in the log and not in the file."""
    with edit(ledger.path):
        pass
    ledger.head()
    other = sqlite3.connect(ledger.path)
    other.execute("SELECT count(*) FROM events").fetchone()
    other.execute("PRAGMA wal_autocheckpoint = 0")
    with other:
        other.execute("UPDATE events SET note = 'other' WHERE id = 3")
    assert ledger.path.with_name("ledger.db-wal").stat().st_size > 0
    with pytest.raises(LedgerBroken):
        ledger.reserve("one-more", [SMALL])
    check_found(ledger.path, ledger)
    other.close()


def test_entries_in_a_log_that_cannot_be_read_are_not_passed_over(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder without write permission a file is read as it is, unless a log lies beside it."""
    real = sqlite3.connect

    def connect_without_permission(address: str, **options: object) -> sqlite3.Connection:
        if "immutable" not in address:
            address = f"{(ledger.path.parent / 'nowhere' / 'file').as_uri()}?mode=rw"
        return real(address, **options)

    monkeypatch.setattr(sqlite3, "connect", connect_without_permission)
    assert len(Ledger.open(ledger.path).entries()) == len(ledger.entries()) > 10
    ledger.path.with_name("ledger.db-wal").write_bytes(b"latest entries")
    with pytest.raises(ValueError, match="latest entries in the log beside it"):
        Ledger.open(ledger.path)


def test_a_signature_has_one_way_to_be_written(ledger: Ledger) -> None:
    """The same bytes in capital letters are another row."""
    rows = read_rows(ledger.path)
    place = next(i for i, row in enumerate(rows) if row[-1] != row[-1].upper())
    rows[place] = (*rows[place][:-1], rows[place][-1].upper())
    put_rows(ledger.path, rows)
    check_found(ledger.path, ledger)
