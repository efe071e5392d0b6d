"""The coordinator's disk is full: first for a checkpoint, then for the release."""

from __future__ import annotations

from pathlib import Path

import pytest
from federation import Federation, federation
from outages import assert_paid_once
from small_disk import SmallDisk, small_disk

pytestmark = [pytest.mark.slow, pytest.mark.long]

SITES = ("north", "south")


def test_a_full_disk_at_the_coordinator_halts_the_study_until_there_is_room(tmp_path: Path) -> None:
    study, releases = (tmp_path / "coordinator" / name for name in ("studies", "releases"))
    with federation(tmp_path) as lab, small_disk(study, "128k") as first:
        with small_disk(releases, "32k") as second:
            _bear(lab, first, second)


def _bear(lab: Federation, checkpoints: SmallDisk, releases: SmallDisk) -> None:
    study = lab.write_study("full", rounds=1, deadline_s=60.0)
    joined = [lab.join(name, study) for name in SITES if lab.add_site(name)]
    run = ("server", "run", study, "--schema", "schema.toml", "--server", "coordinator")

    said = lab.cli(*run, code=1)
    assert "the system refused a file: No space left on device" in said
    assert "make room. What the study has is kept: run the same command again" in said
    kept = {path.name for path in (checkpoints.folder / "full" / "checkpoint").iterdir()}
    assert "query.sketch.safetensors" in kept
    assert not [name for name in kept if name.startswith("fit")]

    checkpoints.grow("64m")
    assert "No space left on device" in lab.cli(*run, code=1)
    assert list(releases.folder.iterdir()) == []

    releases.grow("64m")
    lab.cli(*run)
    assert [path.name for path in releases.folder.iterdir()] == ["full"]
    assert [lab.end(process, 60) for process in joined] == [0, 0]
    for name in SITES:
        assert_paid_once(lab, name, "full")
