import gzip
from pathlib import Path

import pandas as pd
import pytest

from synthesis import InputError
from synthesis.record_sources import read_records
from synthesis.tables import read_table, write_table

TABLE = pd.DataFrame(
    {
        "n": [1, 2, 3],
        "m": pd.array([1, None, 3], dtype="Int64"),
        "x": [0.1, 2.5, None],
        "s": pd.Series(["NA", None, 'comma, "quote" ü'], dtype="str"),
    }
)


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
def test_tables_read_back_equal_and_are_written_to_the_same_bytes(tmp_path, ending):
    path, again = tmp_path / f"a{ending}", tmp_path / f"b{ending}"
    write_table(TABLE, path)
    write_table(TABLE, again)
    pd.testing.assert_frame_equal(read_table(path), TABLE)
    assert path.read_bytes() == again.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, again.name]


def read_text(tmp_path, text, name="t.csv") -> pd.DataFrame:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return read_table(tmp_path / name)


def test_only_empty_cells_are_missing(tmp_path):
    cells = ["NA", "None", "null", "nan", "?", "N/A", "-"]
    table = read_text(tmp_path, "a,b\n" + "".join(f"{cell},1\n" for cell in cells) + ",1\n")
    assert table["a"].tolist()[:-1] == cells
    assert table["a"].isna().tolist() == [False] * 7 + [True]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2"], "int64"),
        (["1", ""], "Int64"),
        (["1.0", "2"], "float64"),
        (["1e-3", "-2"], "float64"),
        (["007", "12"], "str"),
        (["1", "x"], "str"),
        (["1,5", "2"], "str"),
        (["1_000", "2"], "str"),
        (["inf", "2"], "str"),
        (["True", "False"], "str"),
        (["12345678901234567890", "1"], "float64"),
    ],
)
def test_columns_are_numeric_only_when_every_cell_is_a_plain_number(tmp_path, cells, kind):
    table = read_text(tmp_path, "a,b\n" + "".join(f'"{cell}",z\n' for cell in cells))
    assert str(table["a"].dtype) == kind


def test_byte_order_marks_do_not_become_part_of_a_name(tmp_path):
    assert list(read_text(tmp_path, "\ufeffa,b\n1,2\n").columns) == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("t.xlsx", b"a", "must end in .csv, .csv.gz, .parquet"),
        ("t.csv", b"", "is empty; the first line must name the columns"),
        ("t.csv", b"a,b\n", "has no rows"),
        ("t.csv", b"a;b\n1;2\n", "with commas between the columns"),
        ("t.csv", b"a,a\n1,2\n", "more than one column named 'a'"),
        ("t.csv", b"a,b\n1,2,3\n", "more cells than there are column names"),
        ("t.csv", b"a,b\n1,2\n1,2,3\n", "cannot be read as CSV"),
        ("t.csv", "a,b\nä,1\n".encode("latin-1"), "wrong encoding"),
        ("t.csv.gz", b"not gzip", "cannot be read as CSV"),
        ("t.csv.gz", gzip.compress(bytes(range(256)), mtime=0)[:100], "cannot be read as CSV"),
        ("t.parquet", b"not parquet", "is not a Parquet file, or is damaged"),
    ],
)
def test_files_that_cannot_be_read_are_one_sentence(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_table(tmp_path / name)
    assert sentence in str(caught.value)
    assert caught.value.argument == "data"


def test_absent_files_folders_and_targets_are_one_sentence(tmp_path):
    with pytest.raises(InputError, match="does not exist; check the path"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(InputError, match=r"folder .* does not exist"):
        write_table(TABLE, tmp_path / "none" / "t.csv")
    with pytest.raises(InputError, match=r"out file .* must end in"):
        write_table(TABLE, tmp_path / "t.txt")


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    write_table(TABLE, path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("synthesis.tables.os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_table(TABLE.iloc[:1], path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def read_lines(tmp_path: Path, content: bytes, name: str = "t.csv") -> list[list[object]]:
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    table = read_records(tmp_path / name)
    return table.astype(object).where(table.notna(), None).to_numpy().tolist()


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (b"3,4,5\n", None),
        (b"3\n", None),
        (b"\n", None),
        (b"3,\xff\n", ["3", "\ufffd"]),
        (b"3," + b"x" * 200_000 + b"\n", ["3", "x" * 200_000]),
        (b'3,"a ""quoted"", cell"\n', ["3", 'a "quoted", cell']),
        (b"3,a\x00b\n", ["3", "a\x00b"]),
        (b"3,\n", ["3", None]),
        (b'3,"open\n', None),
        (b'3,"a"b\n', None),
        (b'"\n', None),
    ],
)
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_no_line_decides_whether_other_records_are_read(
    tmp_path: Path, line: bytes, kept: list[object] | None, name: str
) -> None:
    for place in range(3):
        lines = [b"1,a\n", b"2,b\n"]
        lines.insert(place, line)
        expected: list[list[object]] = [["1", "a"], ["2", "b"]]
        if kept is not None:
            expected.insert(place, kept)
        assert read_lines(tmp_path, b"x,y\n" + b"".join(lines), name) == expected


def test_records_of_a_file_without_any_are_an_empty_table(tmp_path: Path) -> None:
    assert read_lines(tmp_path, b"x,y\n") == []
    assert list(read_records(tmp_path / "t.csv").columns) == ["x", "y"]


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_records_without_names_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match="first line must name the columns"):
        read_lines(tmp_path, content)
