"""Sampled files: the rows of the table in memory, the same bytes for every engine, or nothing."""

from __future__ import annotations

import gzip
import re
import signal
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from small_disk import small_disk
from stages import but_for
from tiny_world import make_generator

from simulations.benchmarks.sampler import draw_apart, make_adult_generator
from synthesis import conform, read_table
from synthesis.errors import InputError
from synthesis.model_files import save_generator
from synthesis.sample_files import write_sample
from synthesis.schema import Boolean, Categorical, Continuous, Datetime, Integer, Ordinal, Schema
from synthesis.sharded_sample import ShardedSample
from synthesis.worker_processes import WorkerProcesses

KINDS = Schema(
    name="kinds",
    columns=(
        Integer(name="whole", minimum=-5, maximum=20),
        Integer(name="some, whole", minimum=0, maximum=9, missing=True),
        Continuous(name="price", minimum=-1, maximum=2.5, decimals=2, bins=4, missing=True),
        Continuous(name="tiny", minimum=0, maximum=1, decimals=9, bins=2),
        Datetime(name="day", minimum="2020-02-27", maximum="2020-03-02", missing=True),
        Datetime(
            name="hour",
            minimum="1969-12-31",
            maximum="1970-01-02",
            resolution="hour",
        ),
        Categorical(name="words", categories=('a "quote"', "comma, ü", "two\nlines", "NA")),
        Ordinal(name="size", categories=("low", "high"), missing=True),
        Boolean(name="label", true="yes", false="no"),
    ),
    label="label",
)
ENDINGS = (".parquet", ".csv", ".csv.gz")


def make_sample(rows: int = 250, schema: Schema = KINDS, **wanted: object) -> ShardedSample:
    sample = ShardedSample.of(make_generator(schema), schema, rows, seed=9, **wanted)  # type: ignore[arg-type]
    return replace(sample, shard_rows=100)


def in_memory(sample: ShardedSample) -> pd.DataFrame:
    frames = [sample.frame(index) for index in range(sample.num_shards)]
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("rows", [1, 100, 250])
def test_files_hold_the_rows_of_the_table(tmp_path: Path, ending: str, rows: int) -> None:
    path = tmp_path / f"rows{ending}"
    sample, told = make_sample(rows), []
    write_sample(sample, path, on_rows=told.append)
    table = read_table(path)
    if ending == ".parquet":
        assert list(table.dtypes.astype(str)) == [
            *("int64", "Int64", "float64", "float64"),
            *("datetime64[ms]", "datetime64[ms]", "str", "str", "str"),
        ]
        assert pq.ParquetFile(path).num_row_groups == sample.num_shards
    pd.testing.assert_frame_equal(conform(KINDS, table), in_memory(sample))
    assert told == [*range(100, rows, 100), rows]
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_csv_is_written_as_people_write_it(tmp_path: Path) -> None:
    sample = make_sample(where=["whole=-3", "price=-0.05", "tiny<0.01", "hour<1970-01-01"])
    write_sample(sample, tmp_path / "rows.csv")
    lines = (tmp_path / "rows.csv").read_bytes().split(b"\n")
    assert lines[0] == b'whole,"some, whole",price,tiny,day,hour,words,size,label'
    text = b"\n".join(lines).decode()
    assert re.search(r"\n-3,\d?,-0\.05,0\.00\d{7},", text)
    for words in (",2020-02-28,1969-12-31 ", ',"a ""quote""",', ",,"):
        assert words in text
    assert '"two\nlines"' in text and '"low"' not in text


def test_pandas_alone_reads_the_same(tmp_path: Path) -> None:
    sample = make_sample()
    for ending in ENDINGS:
        write_sample(sample, tmp_path / f"rows{ending}")
    plain = (tmp_path / "rows.csv").read_bytes()
    assert gzip.decompress((tmp_path / "rows.csv.gz").read_bytes()) == plain
    table = pd.read_parquet(tmp_path / "rows.parquet")
    assert table["words"].equals(in_memory(sample)["words"])
    assert len(pd.read_csv(tmp_path / "rows.csv.gz")) == 250


@pytest.mark.parametrize("ending", but_for(ENDINGS, ".csv.gz"))
def test_workers_write_the_same_bytes(tmp_path: Path, ending: str) -> None:
    sample = make_sample(530)
    alone, together = tmp_path / f"one{ending}", tmp_path / f"two{ending}"
    write_sample(sample, alone)
    write_sample(sample, together, engine=WorkerProcesses(workers=2))
    assert alone.read_bytes() == together.read_bytes()


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, MemoryError])
def test_nothing_is_left_of_a_file_that_failed(
    tmp_path: Path, ending: str, error: type[BaseException]
) -> None:
    seen: list[list[str]] = []

    def fail(rows: int) -> None:
        seen.append([path.name for path in tmp_path.iterdir()])
        if rows > 100:
            raise error

    with pytest.raises(error):
        write_sample(make_sample(), tmp_path / f"rows{ending}", on_rows=fail)
    assert [name[0] for names in seen for name in names] == [".", "."]  # hidden until it is whole
    assert list(tmp_path.iterdir()) == []


def test_a_failed_file_lets_the_engine_go(tmp_path: Path) -> None:
    ended: list[str] = []

    def engine(function: Callable[[int], object], count: int) -> Generator[object, None, None]:
        try:
            yield from map(function, range(count))
        finally:
            ended.append("ended")

    def fail(rows: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match=r"No space left on device: '.*rows.csv'"):
        write_sample(make_sample(), tmp_path / "rows.csv", engine=engine, on_rows=fail)
    assert ended == ["ended"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_full_disk_is_said_with_the_name_of_the_file(tmp_path: Path, ending: str) -> None:
    sample = replace(make_sample(40_000), shard_rows=10_000)
    with small_disk(tmp_path / "small", "64k") as disk:
        with pytest.raises(OSError, match=rf"No space left on device: '.*/rows{ending}'"):
            write_sample(sample, disk.folder / f"rows{ending}")
        assert list(disk.folder.iterdir()) == []


def test_an_absent_folder_and_another_ending_are_said(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"No such file or directory: '.*none/rows.csv'"):
        write_sample(make_sample(), tmp_path / "none" / "rows.csv")
    with pytest.raises(InputError, match="must end in"):
        write_sample(make_sample(), tmp_path / "rows.txt")


def test_a_worker_leaves_ctrl_c_to_the_process_that_asked(tmp_path: Path) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    write_sample(make_sample(), tmp_path / "rows.csv", engine=WorkerProcesses(workers=1))
    assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == before


@pytest.mark.slow
@pytest.mark.alone
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    save_generator(tmp_path, *make_adult_generator())
    few, many = (draw_apart(tmp_path, rows) for rows in (400_000, 4_000_000))
    assert many.peak_mib < few.peak_mib + 100
    assert many.peak_mib < 1024
    assert pq.ParquetFile(tmp_path / "1.parquet").metadata.num_rows == 4_000_000
