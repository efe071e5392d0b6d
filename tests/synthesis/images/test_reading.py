"""Images read back as they were written, from every kind of source."""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from image_files import (
    collections,
    idx_bytes,
    make_codes,
    make_schema,
    write_idx,
    write_png_folder,
)

from synthesis import InputError
from synthesis.images import check_images, read_image_units, save_images, to_images

GREY, COLOUR = make_schema(), make_schema(channels=3)
ROOT = Path(__file__).parents[3]
FASHION = Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")


def in_order_of_classes(codes):
    return codes[np.argsort(codes[:, -1], kind="stable")] if len(codes) else codes


@settings(deadline=None, max_examples=40)
@given(collections())
def test_an_archive_reads_back_as_it_was_saved(collection):
    schema, codes = collection
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.npz"
        save_images(path, codes, schema)
        units = read_image_units(path, schema)
        problems = check_images(path, schema)
    assert units.codes.dtype == np.int16 and units.ids is None
    np.testing.assert_array_equal(units.codes, codes)
    assert [each.rule.value for each in problems] == [] if len(codes) else ["no image"]


@settings(deadline=None, max_examples=40)
@given(collections())
def test_png_files_read_back_class_by_class_in_the_order_of_their_names(collection):
    schema, codes = collection
    with TemporaryDirectory() as folder:
        write_png_folder(Path(folder), codes, schema)
        read = read_image_units(Path(folder), schema).codes
    order = sorted(range(3), key=schema.classes.__getitem__)
    wanted = [codes[codes[:, -1] == number] for number in order]
    np.testing.assert_array_equal(read, np.concatenate(wanted))


@settings(deadline=None, max_examples=40)
@given(collections(channels=(1,)))
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_idx_files_read_back_by_their_folder_and_by_name(ending, collection):
    schema, codes = collection
    with TemporaryDirectory() as folder:
        path = write_idx(Path(folder), codes, schema, ending)
        for source in (Path(folder), path):
            np.testing.assert_array_equal(read_image_units(source, schema).codes, codes)


def test_pixels_lie_plane_by_plane_and_line_by_line(tmp_path):
    images = np.zeros((1, 4, 5, 3), np.uint8)
    images[0, 2, 3] = (10, 20, 30)
    np.savez(tmp_path / "a.npz", images=images, labels=[2])
    (row,) = read_image_units(tmp_path / "a.npz", COLOUR).codes
    assert {int(at): int(row[at]) for at in np.flatnonzero(row)} == {13: 10, 33: 20, 53: 30, 60: 2}


@pytest.mark.parametrize("names", [("x", "y"), ("X", "y"), ("image", "label")])
@pytest.mark.parametrize("shape", [(4, 5), (20,), (4, 5, 1)])
@pytest.mark.parametrize("kind", ["uint8", "int64", ">u4"])
def test_arrays_may_have_other_names_and_be_flat_if_grey(tmp_path, names, shape, kind):
    codes = make_codes(GREY)
    images, labels = to_images(codes, GREY)
    arrays = {names[0]: images.reshape(4, *shape), names[1]: labels.astype(kind)}
    np.savez(tmp_path / "a.npz", index=np.arange(9), **arrays)
    np.testing.assert_array_equal(read_image_units(tmp_path / "a.npz", GREY).codes, codes)


def test_arrays_in_the_order_of_columns_are_read_alike(tmp_path):
    codes = make_codes(COLOUR)
    images, labels = to_images(codes, COLOUR)
    np.savez(tmp_path / "a.npz", images=np.asfortranarray(images), labels=labels)
    np.testing.assert_array_equal(read_image_units(tmp_path / "a.npz", COLOUR).codes, codes)


def test_the_same_images_are_saved_to_the_same_bytes(tmp_path, monkeypatch):
    codes = make_codes(COLOUR)
    save_images(tmp_path / "a.npz", codes, COLOUR)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 1e6)
    save_images(tmp_path / "b.npz", codes.astype(np.int64), COLOUR)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        shapes = {name: (arrays[name].shape, str(arrays[name].dtype)) for name in arrays.files}
    assert shapes == {"images": ((4, 4, 5, 3), "uint8"), "labels": ((4,), "int64")}


@pytest.mark.parametrize("name", ["a.png", "absent/a.npz"])
def test_images_are_saved_as_npz_into_a_folder_that_exists(tmp_path, name):
    with pytest.raises(InputError, match=r"must end in \.npz and lie in a folder") as caught:
        save_images(tmp_path / name, make_codes(GREY), GREY)
    assert caught.value.argument == "out"


@pytest.mark.parametrize("place, value", [(0, 256), (0, -1), (-1, 3), (-1, -1)])
def test_codes_out_of_range_are_not_saved(tmp_path, place, value):
    codes = make_codes(GREY)
    codes[1, place] = value
    with pytest.raises(InputError, match="pixels from 0 to 255 and then a class from 0 to 2"):
        save_images(tmp_path / "a.npz", codes, GREY)
    with pytest.raises(InputError, match=r"got shape \(4, 20\)"):
        to_images(codes[:, 1:], GREY)
    assert list(tmp_path.iterdir()) == []


def test_of_several_pairs_of_idx_files_one_must_be_named(tmp_path):
    codes = make_codes(GREY)
    path = write_idx(tmp_path, codes, GREY, ".gz")
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(to_images(codes, GREY)[0]))
    with pytest.raises(InputError, match="name the file of images itself instead of the folder"):
        read_image_units(tmp_path, GREY)
    np.testing.assert_array_equal(read_image_units(path, GREY).codes, codes)
    with pytest.raises(InputError, match="be called t10k-labels-idx1-ubyte, and there is no"):
        read_image_units(tmp_path / "t10k-images-idx3-ubyte", GREY)


def test_labels_compressed_otherwise_than_images_are_found(tmp_path):
    codes = make_codes(GREY)
    path = write_idx(tmp_path, codes, GREY)
    zipped = write_idx(tmp_path / "zipped", codes, GREY, ".gz")
    labels = zipped.with_name("train-labels-idx1-ubyte.gz")
    os.replace(labels, tmp_path / labels.name)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    np.testing.assert_array_equal(read_image_units(path, GREY).codes, codes)


def test_reading_a_schema_or_an_archive_does_not_wait_for_what_it_does_not_need(tmp_path):
    save_images(tmp_path / "a.npz", make_codes(GREY), GREY)
    code = (
        "import sys; from pathlib import Path; from synthesis.images import *\n"
        "schema = ImageSchema.model_validate_json(sys.argv[1])\n"
        "read_image_units(Path(sys.argv[2]), schema)\n"
        "raise SystemExit(str({'PIL', 'pandas', 'torch'} & set(sys.modules)))"
    )
    words = [sys.executable, "-c", code, GREY.model_dump_json(), str(tmp_path / "a.npz")]
    run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.stderr.strip() == "set()"


@pytest.mark.skipif(not FASHION.exists(), reason="needs Debian's dataset-fashion-mnist")
def test_fashion_mnist_is_read_as_it_is_published():
    schema = make_schema(28, 28).model_copy(update={"classes": tuple("abcdefghij")})
    codes = read_image_units(FASHION, schema).codes
    assert codes.shape == (60_000, 785)
    assert np.bincount(codes[:, -1]).tolist() == [6000] * 10
    assert codes[:, :-1].min() == 0 and codes[:, :-1].max() == 255
