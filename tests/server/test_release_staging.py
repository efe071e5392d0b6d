"""A release is there as a whole or not at all, through a full disk and a kill."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from server.release import check_output, clear_staging, staged_folder


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "releases" / "flu"
    with pytest.raises(OSError, match="No space"), staged_folder(target) as staging:
        (staging / "synthetic.parquet").write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    left = tmp_path / ".flu-ab12_xyz"
    others = [tmp_path / name for name in (".flu-b-ab12_xyz", ".flu-ab12", "flu-ab12_xyz", ".git")]
    for folder in (left, *others):
        folder.mkdir()
        (folder / "file").touch()
    clear_staging(tmp_path / "flu")
    assert sorted(tmp_path.iterdir()) == sorted(others)


def test_a_folder_that_was_empty_before_a_writer_was_killed_can_be_used_again(
    tmp_path: Path,
) -> None:
    target = tmp_path / "flu"
    (target / ".flu-ab12_xyz").mkdir(parents=True)
    clear_staging(target)
    check_output(target)
    assert list(target.iterdir()) == []


def test_no_folder_is_needed_to_clear(tmp_path: Path) -> None:
    clear_staging(tmp_path / "releases" / "flu")
    assert list(tmp_path.iterdir()) == []
