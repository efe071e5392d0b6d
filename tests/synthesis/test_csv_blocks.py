"""Blocks of lines mean what the lines mean one by one, whatever bytes a file holds."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthesis import InputError, csv_records
from synthesis.record_sources import read_records

CELLS = [
    *(b"", b"a", b"7", b" ", b'"', b'""', b'"a"', b'"a,b"', b'"a""b"', b'"a"b', b'a"b', b'"a" '),
    *("é".encode(), b"\xff", b"\xe9", b"\xc3", b"\xed\xa0\x80", b"\0", b"\r", "\u2028".encode()),
    *(b"NA", b"null", b'"NA"', b"\\", b"'", b"\xef\xbb\xbf", b'"\n"', b";", b"\t"),
]
LINES = st.lists(st.lists(st.sampled_from(CELLS), max_size=4).map(b",".join), max_size=8)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r", b"\n\n"])


def read_line_by_line(path: Path) -> tuple[list[str], list[list[str | None]]]:
    """The rule itself: every line by itself, with as many cells as there are names."""
    opened: Callable[..., object] = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as file:  # type: ignore[attr-defined]
        lines = [cells_of(line) for line in file]
    names = lines[0]
    rows = [[cell or None for cell in line] for line in lines[1:] if len(line) == len(names)]
    return names, rows


def cells_of(line: str) -> list[str]:
    try:
        return next(csv.reader((line,), strict=True), [])
    except csv.Error:
        return []


def check(path: Path) -> None:
    names, rows = read_line_by_line(path)
    table = read_records(path)
    assert list(table.columns) == names
    assert table.astype(object).where(table.notna(), None).to_numpy().tolist() == rows


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    head=st.sampled_from([b"x", b"x,y", b'"x","y,z"', b"\xef\xbb\xbfx,y,z"]),
    lines=LINES,
    end=ENDS,
    is_ended=st.booleans(),
    block=st.sampled_from([1, 5, 16, 2**20]),
)
def test_any_lines_are_read_as_one_by_one(tmp_path_factory, head, lines, end, is_ended, block):
    path = tmp_path_factory.mktemp("any") / "t.csv"
    path.write_bytes(end.join([head, *lines]) + end * is_ended)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_records, "BLOCK_BYTES", block)
        check(path)


@pytest.mark.parametrize("spoiler", ['"a""b",1', 'a"b,1', '"open,1', "b,1\r", "é,1", "\0,1", "1"])
@pytest.mark.parametrize("place", [0, 500, 999])
def test_one_odd_line_leaves_the_lines_around_it_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoiler: str, place: int
) -> None:
    monkeypatch.setattr(csv_records, "BLOCK_BYTES", 1000)
    lines = [f'"word {i}","{i}"' for i in range(1000)]
    lines[place] = spoiler
    for name in ("t.csv", "t.csv.gz"):
        text = "\n".join(["x,y", *lines]).encode()
        (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
        check(tmp_path / name)


def test_plain_blocks_are_those_that_both_readers_understand_alike() -> None:
    plain = [b"", b"a,b\n", b'"a",b\r\n"c,d",', b'""\n"",""', b'x\n"y"\n']
    odd = [
        b'"',
        b'a"b"',
        b'"a""b"',
        b'"a" ,b',
        b'"a\nb"',
        b"a\rb\n",
        b"\0",
        b'"a\n","b"',
        b'""""',
        b"\xef\xbb\xbfa\n",
    ]
    assert [csv_records._is_plain(block) for block in plain] == [True] * len(plain)
    assert [csv_records._is_plain(block) for block in odd] == [False] * len(odd)


@pytest.mark.parametrize("content", [b"", b"\n", b"\nx\n1\n", b'"x\n1\n', b"\xef\xbb\xbf"])
def test_a_first_line_without_names_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match="its first line must name the columns"):
        read_records(tmp_path / "t.csv")


def test_a_line_longer_than_a_block_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_records, "BLOCK_BYTES", 10)
    (tmp_path / "t.csv").write_text(f"x,y\n{'a' * 1000},{'b' * 1000}\n1,2")
    check(tmp_path / "t.csv")
