"""The key of a site's split: made once, whole, and for nobody else to read."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from client.split_key import KEY_FILE, load_split_key
from privacy import SeededRandomness, SystemRandomness
from synthesis import InputError


def test_a_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    key = load_split_key(tmp_path, SystemRandomness(), site="a")
    assert len(key) == 32 and len(set(key)) > 8
    assert load_split_key(tmp_path, SystemRandomness(), site="a") == key
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
    (tmp_path / "other").mkdir()
    assert load_split_key(tmp_path / "other", SystemRandomness(), site="a") != key


def test_a_simulation_has_keys_that_repeat_and_writes_none(tmp_path: Path) -> None:
    keys = [
        load_split_key(tmp_path, SeededRandomness(seed), site=site)
        for seed, site in [(1, "a"), (1, "a"), (2, "a"), (1, "b")]
    ]
    assert keys[0] == keys[1] and len(set(keys)) == 3
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"k" * 31, b"k" * 33])
def test_a_file_that_is_no_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(InputError, match="must hold the 32 bytes"):
        load_split_key(tmp_path, SystemRandomness(), site="a")
    assert (tmp_path / KEY_FILE).read_bytes() == content
