"""Images by the Python API: simulated, drawn as tables, written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fedsynth
from synthesis.image_tables import COLUMNS
from synthesis.images.reading import read_image_units
from synthesis.images.sampling import sample_images
from synthesis.mixing import Mixing


@pytest.fixture(scope="module")
def release(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[fedsynth.ImageSimulationResult, Path]:
    place = tmp_path_factory.mktemp("api")
    study, folder = place / "study.toml", place / "release"
    study.write_text('name = "api"\nmodel = "images"\nepsilon = 10.0\nfit_steps = 20\n')
    result = fedsynth.simulate(study, demo="digits", sites=2, rows=300, out=folder)
    assert isinstance(result, fedsynth.ImageSimulationResult)
    return result, folder


def flat(table: pd.DataFrame) -> np.ndarray:
    return np.stack(table["image"]).reshape(len(table), -1)


def test_a_table_holds_the_images_that_were_published(release) -> None:
    result, folder = release
    table = fedsynth.sample(folder, 300)
    assert tuple(table.columns) == COLUMNS
    assert table["image"][0].shape == (8, 8) and table["image"][0].dtype == np.uint8
    np.testing.assert_array_equal(flat(table), result.synthetic[:, :-1])
    np.testing.assert_array_equal(table["class"].astype(int), result.synthetic[:, -1])
    pd.testing.assert_frame_equal(result.sample(300), table)


def test_one_class_is_drawn_alone(release) -> None:
    result, folder = release
    table = fedsynth.sample(folder, 20, where=["class=3"], seed=5)
    assert set(table["class"]) == {"3"}
    pd.testing.assert_frame_equal(result.sample(20, where=["class=3"], seed=5), table)


def test_parts_are_the_whole(release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fedsynth.sampling.SHARD_ROWS", 16)
    parts = list(fedsynth.sample_batches(release[1], 40, seed=1))
    assert [len(part) for part in parts] == [16, 16, 8]
    whole = pd.concat(parts, ignore_index=True)
    assert flat(whole).tobytes() == flat(fedsynth.sample(release[1], 40, seed=1)).tobytes()


def test_images_are_written_as_arrays(release, tmp_path: Path) -> None:
    result, folder = release
    out, told = tmp_path / "more.npz", []
    assert fedsynth.write_sample(folder, 25, out, seed=2, on_rows=told.append) == 1.0
    schema = result._sites.schema
    kept = read_image_units(out, schema).codes
    np.testing.assert_array_equal(kept, sample_images(result.outcome.generator, schema, 25, seed=2))
    assert told == [25]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"rows": 5, "where": ["age<3"]}, "one condition class=NAME"),
        ({"rows": 5, "where": ["class=x"]}, "class must be one of"),
        ({"rows": None}, "rows are needed"),
        ({"rows": 0}, "rows must be at least 1"),
        ({"rows": 5, "mixing": Mixing(balance="class")}, "mixing is for tables"),
    ],
)
def test_what_images_do_not_have_is_refused(release, tmp_path: Path, asked, said: str) -> None:
    with pytest.raises(fedsynth.InputError, match=said):
        fedsynth.sample(release[1], **asked)
    rows = asked.pop("rows")
    with pytest.raises(fedsynth.InputError, match=said):
        fedsynth.write_sample(release[1], rows, tmp_path / "out.npz", **asked)
    assert not (tmp_path / "out.npz").exists()
