"""Ways in which a release can be corrupted, each drawn at random and named by what it does."""

from __future__ import annotations

import base64
import json
import random
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from signed_release import STRANGER, flip, names_in, sign_again, write_envelope

from privacy import Envelope
from server.attestation import ENVELOPE_FILE

Corrupt = Callable[[Path, random.Random], None]
ODD: tuple[object, ...] = (
    *(None, True, "", "x" * 500, "\x1b[2J", "\ud800", [], {}, [[]], {"": {}}, [None, {}]),
    *(0, -1, 10**400, 0.5, -0.0, float("nan"), float("inf"), 1e308),
)


def flip_a_bit(folder: Path, rng: random.Random) -> None:
    path = _choose(folder, rng)
    flip(path, rng.randrange(path.stat().st_size), bit=rng.randrange(8))


def scramble_a_run_of_bytes(folder: Path, rng: random.Random) -> None:
    path = _choose(folder, rng)
    content = path.read_bytes()
    start, length = rng.randrange(len(content)), rng.randint(1, 200)
    path.write_bytes(content[:start] + rng.randbytes(length) + content[start + length :])


def truncate(folder: Path, rng: random.Random) -> None:
    path = _choose(folder, rng)
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])


def append(folder: Path, rng: random.Random) -> None:
    path = _choose(folder, rng)
    more = rng.choice([b"\n", b" ", b"\0", rng.randbytes(rng.randint(1, 100))])
    path.write_bytes(path.read_bytes() + more)


def move_a_piece(folder: Path, rng: random.Random) -> None:
    path = _choose(folder, rng)
    content = path.read_bytes()
    cut = sorted(rng.sample(range(len(content) + 1), 3))
    first, second = content[cut[0] : cut[1]], content[cut[1] : cut[2]]
    path.write_bytes(content[: cut[0]] + second + first + content[cut[2] :])


def swap_two_files(folder: Path, rng: random.Random) -> None:
    one, two = (folder / name for name in rng.sample(names_in(folder), 2))
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)


def take_a_file_away(folder: Path, rng: random.Random) -> None:
    _choose(folder, rng).unlink()


def rename_a_file(folder: Path, rng: random.Random) -> None:
    path = _choose(folder, rng)
    path.rename(path.with_name(f"{path.name}{rng.choice('.~_ ')}"))


def add_a_file(folder: Path, rng: random.Random) -> None:
    beside = _choose(folder, rng)
    shutil.copy(beside, beside.with_name(f"{rng.randrange(10**6)}-{beside.name}"))


def put_a_folder_in_place_of_a_file(folder: Path, rng: random.Random) -> None:
    path = _choose(folder, rng)
    path.unlink()
    path.mkdir()


def put_a_link_in_place_of_a_file(folder: Path, rng: random.Random) -> None:
    path = _choose(folder, rng)
    whole = path.replace(folder.parent / "whole")
    path.symlink_to(whole if path.name != ENVELOPE_FILE else folder / "nothing")


def alter_a_figure(folder: Path, rng: random.Random) -> None:
    texts = (".json", ".html", ".md", ".toml", ".txt")
    path = folder / rng.choice([name for name in names_in(folder) if name.endswith(texts)])
    path.write_bytes(_with_another_digit(path.read_bytes(), rng))


def alter_a_figure_of_the_statement(folder: Path, rng: random.Random) -> None:
    path = folder / ENVELOPE_FILE
    envelope = json.loads(path.read_text())
    payload = _with_another_digit(base64.b64decode(envelope["payload"]), rng)
    envelope["payload"] = base64.b64encode(payload).decode()
    path.write_text(json.dumps(envelope, separators=(",", ":")) + "\n")


def reorder_the_rows(folder: Path, rng: random.Random) -> None:
    path = folder / "synthetic.parquet"
    table = pq.read_table(path)
    pq.write_table(table.take(rng.sample(range(len(table)), len(table))), path)


def misshape_a_file_and_sign_as_a_stranger(folder: Path, rng: random.Random) -> None:
    path = folder / rng.choice([n for n in ("canaries.json", "report.json") if _is_in(folder, n)])
    content = json.loads(path.read_bytes())
    _misshape(content, rng)
    path.write_text(json.dumps(content))
    sign_again(folder, lambda statement: None, STRANGER)


def misshape_the_statement_and_sign_as_a_stranger(folder: Path, rng: random.Random) -> None:
    payload = Envelope.from_text((folder / ENVELOPE_FILE).read_text()).payload
    statement = json.loads(payload)
    _misshape(statement, rng)
    write_envelope(folder, json.dumps(statement).encode(), STRANGER)


CORRUPTIONS: Mapping[str, Corrupt] = {
    each.__name__: each
    for each in (
        flip_a_bit,
        scramble_a_run_of_bytes,
        truncate,
        append,
        move_a_piece,
        swap_two_files,
        take_a_file_away,
        rename_a_file,
        add_a_file,
        put_a_folder_in_place_of_a_file,
        put_a_link_in_place_of_a_file,
        alter_a_figure,
        alter_a_figure_of_the_statement,
        reorder_the_rows,
        misshape_a_file_and_sign_as_a_stranger,
        misshape_the_statement_and_sign_as_a_stranger,
    )
}


def _is_in(folder: Path, name: str) -> bool:
    return (folder / name).is_file()


def _choose(folder: Path, rng: random.Random) -> Path:
    return folder / rng.choice(names_in(folder))


def _with_another_digit(content: bytes, rng: random.Random) -> bytes:
    place = rng.choice([i for i, byte in enumerate(content) if chr(byte).isdecimal()])
    digit = rng.choice([d for d in b"0123456789" if d != content[place]])
    return content[:place] + bytes([digit]) + content[place + 1 :]


def _misshape(content: Any, rng: random.Random) -> None:
    """Put something odd in the place of a value, or take the value away."""
    places = list(_places(content))
    holder, key = rng.choice(places)
    if isinstance(holder, dict) and rng.random() < 0.2:
        del holder[key]
    else:
        holder[key] = rng.choice(ODD)


def _places(content: Any) -> Any:
    keys = content if isinstance(content, dict) else range(len(content))
    for key in list(keys):
        yield content, key
        if isinstance(content[key], dict | list):
            yield from _places(content[key])
