"""``fedsynth sample`` with a chosen composition: the rows, the record, refusals in a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from command_line import CommandLine
from tiny_world import SCHEMA, make_generator

import fedsynth
from synthesis import conform, read_table
from synthesis.architecture import SiteGroup
from synthesis.model_files import save_generator

TARGET = """
[[margins]]
column = "colour"
shares = { red = 0.5, green = 0.3 }

[[margins]]
columns = ["age", "smokes"]
[margins.shares]
"0 to 9" = { yes = 0.3 }
">=20" = { yes = 0.1, no = 0.2 }
"""
IMPOSSIBLE = """
[[margins]]
column = "outcome"
shares = { ill = 0.5, well = 0.6 }
"""
SCHEDULE = """
period_column = "period"
[[periods]]
name = "early"
rows = 20
match = "target.toml"
[[periods]]
name = "late"
rows = 30
"""
WISHES: list[list[str]] = [
    ["--match", "target.toml"],
    ["--match", "target.toml", "--where", "age<25", "--parity", "colour,outcome"],
    ["--balance", "outcome", "--interpolate", "smote", "--strength", "0.5"],
    ["--interpolate", "mixup"],
    ["--interpolate", "latent", "--match", "target.toml"],
]


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    made = CommandLine(tmp_path, monkeypatch, capsys)
    (tmp_path / "release").mkdir()
    save_generator(tmp_path / "release", make_generator(), SCHEMA)
    (tmp_path / "target.toml").write_text(TARGET)
    (tmp_path / "impossible.toml").write_text(IMPOSSIBLE)
    (tmp_path / "schedule.toml").write_text(SCHEDULE)
    return made


def sample(shell: CommandLine, out: str, *words: str, rows: str = "500") -> tuple[int, str, str]:
    size = ["--rows", rows] if rows else []
    ended = shell.run("sample", "release", *size, "--out", out, *words)
    return ended.code, ended.out, ended.err


def record_of(path: Path) -> dict[str, Any]:
    if path.suffix == ".parquet":
        found: dict[str, Any] = json.loads(pq.ParquetFile(path).metadata.metadata[b"fedsynth"])
        return found
    found = json.loads(path.with_name(f"{path.name}.provenance.json").read_text("utf-8"))
    return found


@pytest.mark.parametrize("wishes", WISHES)
@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_a_record_is_enough_to_draw_the_file_again(
    shell: CommandLine, wishes: list[str], ending: str
) -> None:
    code, out, err = sample(shell, f"one{ending}", *wishes, "--seed", "3")
    assert (code, err) == (0, "")
    assert out.startswith(f"500 rows in one{ending}")
    assert "two-way distance to the generator's rows" in out
    record = record_of(shell.home / f"one{ending}")
    (part,) = record["parts"]
    asked = part["asked"]
    match = asked["match"] and {"margins": asked["match"]["margins"]}
    again = fedsynth.Mixing(
        match=match,
        balance=asked["balance"],
        parity=asked["parity"] and tuple(asked["parity"]),
        interpolate=asked["interpolate"],
        strength=asked["strength"],
    )
    told: list[Any] = []
    fedsynth.write_sample(
        "release",
        record["rows"],
        f"two{ending}",
        where=asked["where"],
        seed=record["seed"],
        mixing=again,
        on_record=told.append,
    )
    assert Path(f"one{ending}").read_bytes() == Path(f"two{ending}").read_bytes()
    assert told == [record] == [record_of(shell.home / f"two{ending}")]
    assert record["format"] == "fedsynth-sample/1"
    assert set(record["generator_sha256"]) == {"generator.safetensors", "generator.json"}
    table = fedsynth.sample("release", 500, where=asked["where"], seed=3, mixing=again)
    pd.testing.assert_frame_equal(conform(SCHEMA, read_table(f"one{ending}")), table)


@pytest.mark.slow
@pytest.mark.parametrize("wishes", [WISHES[1], WISHES[2]])
def test_workers_change_nothing_in_the_file(shell: CommandLine, wishes: list[str]) -> None:
    for name, workers in (("one", "1"), ("two", "2")):
        words = [*wishes, "--workers", workers]
        assert sample(shell, f"{name}.parquet", *words, rows="140000")[0] == 0
    assert Path("one.parquet").read_bytes() == Path("two.parquet").read_bytes()


def test_a_schedule_says_how_many_rows(shell: CommandLine) -> None:
    code, out, err = sample(shell, "rows.csv", "--schedule", "schedule.toml", rows="")
    assert (code, err) == (0, "")
    assert out.startswith("50 rows in rows.csv; this spent nothing.\nearly: 20 rows.\n")
    table = read_table("rows.csv")
    assert table["period"].tolist() == ["early"] * 20 + ["late"] * 30
    record = record_of(shell.home / "rows.csv")
    assert [part["period"] for part in record["parts"]] == ["early", "late"]
    assert record["columns"] == [*SCHEMA.names, "period"]
    frame = fedsynth.sample("release", mixing=fedsynth.Mixing(schedule="schedule.toml"))
    assert frame["period"].tolist() == table["period"].tolist()


def test_a_file_without_wishes_has_no_record(shell: CommandLine) -> None:
    assert sample(shell, "a.csv")[0] == sample(shell, "a.parquet")[0] == 0
    assert not Path("a.csv.provenance.json").exists()
    assert b"fedsynth" not in pq.ParquetFile("a.parquet").metadata.metadata


def test_the_answer_says_what_came_of_parity(shell: CommandLine) -> None:
    code, out, _ = sample(shell, "a.csv", "--parity", "colour,outcome", rows="5000")
    assert code == 0
    assert "parity 'colour' with 'outcome': distance 0.0" in out
    assert "gap in 'ill' between" in out or "gap in 'well' between" in out
    assert "without parity 0." in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--match", "none.toml"], "match file none.toml cannot be read"),
        (["--match", "impossible.toml"], "the shares of 'outcome' add to 1.1"),
        (["--match", "schedule.toml"], "match file schedule.toml cannot be used: margins is"),
        (["--match", "release"], "match file release cannot be read"),
        (["--balance", "age"], "balance: 'age' must have levels"),
        (["--parity", "colour"], "parity must name two columns"),
        (["--interpolate", "cubic"], "interpolate must be mixup, smote or latent"),
        (["--strength", "0.5"], "nothing is interpolated"),
        (["--interpolate", "smote", "--match", "target.toml"], "would undo match"),
        (["--schedule", "schedule.toml"], "schedule goes without rows"),
        (["--balance", "outcome", "--seed", "-1"], "seed must be 0 or more"),
    ],
)
def test_wishes_that_cannot_be_met_leave_nothing(
    shell: CommandLine, words: list[str], said: str
) -> None:
    before = shell.files()
    code, out, err = sample(shell, "a.csv", *words)
    assert (code, out) == (2, "")
    assert err.startswith("fedsynth: ") and err.count("\n") == 1
    assert said in err
    assert shell.files() == before


def test_rows_are_needed_without_a_schedule(shell: CommandLine) -> None:
    for words in ([], ["--balance", "outcome"]):
        code, _, err = sample(shell, "a.csv", *words, rows="")
        assert (code, "rows are needed" in err) == (2, True)
    with pytest.raises(fedsynth.InputError, match="rows are needed"):
        fedsynth.sample("release")


def test_a_record_is_not_written_over(shell: CommandLine) -> None:
    (shell.home / "a.csv.provenance.json").write_text("mine")
    before = shell.files()
    code, _, err = sample(shell, "a.csv", "--balance", "outcome")
    assert (code, "a.csv.provenance.json beside it" in err) == (2, True)
    assert shell.files() == before


def test_nothing_is_left_of_a_record_when_rows_fail(shell: CommandLine) -> None:
    def fail(rows: int) -> None:
        raise KeyboardInterrupt

    before = shell.files()
    with pytest.raises(KeyboardInterrupt):
        fedsynth.write_sample(
            "release", 9, "a.csv", mixing=fedsynth.Mixing(balance="outcome"), on_rows=fail
        )
    assert shell.files() == before


def test_the_answer_says_how_far_rows_are_from_what_describes_each_group(
    shell: CommandLine,
) -> None:
    groups = (SiteGroup(share=0.6, sites=("north",)), SiteGroup(share=0.4, sites=("a", "b")))
    generator = make_generator(num_members=2, groups=groups)
    (shell.home / "told").mkdir()
    save_generator(shell.home / "told", generator, SCHEMA)
    words = ["--rows", "500", "--out", "m.parquet", "--mix", "north=1"]
    ended = shell.run("sample", "told", *words)
    assert (ended.code, ended.err) == (0, "")
    (part,) = record_of(shell.home / "m.parquet")["parts"]
    north, others = part["figures"]["two_way_distance_to_sites"]
    assert (north["sites"], others["sites"]) == (["north"], ["a", "b"])
    said = " ".join(ended.out.split())
    for names, each in (("north", north), ("a and b", others)):
        assert (
            f"two-way distance to what describes {names}: {each['distance']:.4f} (the generator "
            f"alone {each['distance_before']:.4f}, chance alone {each['distance_by_chance']:.4f})."
        ) in said
