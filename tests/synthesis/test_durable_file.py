import os
import stat

import pytest

from synthesis.durable_file import replace_file


def test_a_file_is_replaced_whole_and_closed_to_others(tmp_path):
    path = tmp_path / "note"
    replace_file(path, b"first")
    replace_file(path, b"second")
    assert path.read_bytes() == b"second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["note"]


def test_a_file_that_cannot_be_replaced_is_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "note"
    replace_file(path, b"first")
    monkeypatch.setattr(os, "fsync", _full_disk)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, b"second")
    assert path.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["note"]


def _full_disk(descriptor):
    raise OSError(28, "No space left on device")
