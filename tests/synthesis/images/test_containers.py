"""Archives and IDX files: what is refused as a whole, and the images that are left out."""

import gzip
import io
import os
import re
import struct
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_files import idx_bytes, make_codes, make_schema, write_idx

from synthesis import InputError
from synthesis.images import ImageRule, check_images, read_image_units, save_images, to_images

GREY, COLOUR = make_schema(), make_schema(channels=3)
CODES = make_codes(GREY)
IMAGES, LABELS = to_images(CODES, GREY)


def refusal(path: Path, schema=GREY) -> str:
    with pytest.raises(InputError) as caught:
        read_image_units(path, schema)
    assert caught.value.argument == "data"
    assert path.name.split("-")[0] in str(caught.value) and ";" in str(caught.value)
    return str(caught.value)


def npy_header(text: str) -> bytes:
    body = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(body)) + body


def declared(shape: object, kind: str = "|u1") -> bytes:
    return npy_header(repr({"descr": kind, "fortran_order": False, "shape": shape}))


@pytest.mark.parametrize(
    ("arrays", "schema", "words"),
    [
        ({"pictures": IMAGES, "labels": LABELS}, GREY, "called images, image, x, X, and one of"),
        ({"images": IMAGES, "x": IMAGES, "y": LABELS}, GREY, "and holds 2 called images, image"),
        ({"images": IMAGES}, GREY, "labels, called labels, label, y, and holds 0"),
        ({"x": IMAGES / 255, "y": LABELS}, GREY, "of type uint8, got float64"),
        ({"x": IMAGES.astype(np.int16), "y": LABELS}, GREY, "save images.astype('uint8')"),
        ({"x": IMAGES.astype(object), "y": LABELS}, GREY, "of type uint8, got object"),
        ({"x": IMAGES, "y": LABELS.astype(object)}, GREY, "from 0, got object"),
        ({"x": IMAGES, "y": LABELS.astype(float)}, GREY, "save labels.astype('int64')"),
        ({"x": IMAGES, "y": LABELS.astype(str)}, GREY, "must be whole numbers"),
        ({"x": IMAGES, "y": LABELS > 0}, GREY, "must be whole numbers"),
        ({"x": IMAGES, "y": LABELS[:-1]}, GREY, "of the n = 4 images, got (3,)"),
        ({"x": IMAGES, "y": LABELS[:, None]}, GREY, "got (4, 1)"),
        ({"x": IMAGES.transpose(0, 2, 1), "y": LABELS}, GREY, "(n, 4, 5), got (4, 5, 4)"),
        ({"x": IMAGES[0], "y": LABELS}, GREY, "got (4, 5)"),
        ({"x": np.uint8(3), "y": LABELS}, GREY, "got ()"),
        ({"x": IMAGES, "y": LABELS}, COLOUR, "(n, 4, 5, 3), channels last, got (4, 4, 5)"),
        ({"x": np.stack([IMAGES] * 3, -1), "y": LABELS}, GREY, "got (4, 4, 5, 3)"),
        ({"x": np.stack([IMAGES] * 3, 1), "y": LABELS}, COLOUR, "got (4, 3, 4, 5)"),
        ({"x": np.zeros((4, 60), np.uint8), "y": LABELS}, COLOUR, "got (4, 60)"),
    ],
)
def test_arrays_of_another_name_type_or_shape_are_refused(tmp_path, arrays, schema, words):
    np.savez(tmp_path / "a.npz", **arrays)
    assert words in refusal(tmp_path / "a.npz", schema)


@pytest.mark.parametrize("labels", [[0, 3, 1, -1], [2**62, 1, 2, 9]])
def test_an_image_without_a_class_is_as_if_it_were_absent(tmp_path, labels):
    labels = np.array(labels)
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=labels)
    fits = (labels >= 0) & (labels <= 2)
    read = read_image_units(tmp_path / "a.npz", GREY).codes
    np.testing.assert_array_equal(read[:, :-1], CODES[fits, :-1])
    np.testing.assert_array_equal(read[:, -1], labels[fits])
    (violation,) = check_images(tmp_path / "a.npz", GREY)
    assert violation.rule is ImageRule.LABEL_OUT_OF_RANGE
    assert violation.sentence() == (
        f"the data hold 2 labels outside 0 to 2, the numbers of the 3 classes (the first: image "
        f"{np.argmin(fits) + 1}); correct it or declare all classes in the schema."
    )


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (declared((2**31 + 1,)), "must not declare arrays of more than 2 GiB"),
        (declared((2**40, 4, 5)), "must not declare arrays of more than 2 GiB"),
        (declared((10**8, 4, 5)) + bytes(80), "is damaged or cut short"),
        (declared((4, 4, 5)) + bytes(79), "is damaged or cut short"),
        (declared((4, 4, 5)) + bytes(81), "is damaged or cut short"),
        (declared((-4, 4, 5)) + bytes(80), "is damaged or cut short"),
        (declared("4"), "is damaged or cut short"),
        (npy_header("(" * 9000), "is damaged or cut short"),
        (npy_header("-" * 9000 + "1"), "is damaged or cut short"),
        (npy_header("{" * 90), "is damaged or cut short"),
        (npy_header("'" * 3), "is damaged or cut short"),
        (b"cos\nsystem\n(S'true'\ntR.", "is damaged or cut short"),
        (b"", "is damaged or cut short"),
    ],
)
@pytest.mark.filterwarnings("default")
def test_headers_are_checked_before_anything_is_allocated(tmp_path, images, words):
    labels = io.BytesIO()
    np.save(labels, LABELS)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", images)
        archive.writestr("labels.npy", labels.getvalue())
    assert words in refusal(tmp_path / "a.npz")


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("archive") / "a.npz"
    save_images(path, CODES, GREY)
    return path.read_bytes()


def test_an_archive_that_points_before_its_beginning_is_refused(tmp_path, archive):
    content = bytearray(archive)
    content[-10:-6] = b"\xff\xff\xff\x7f"  # the length of the directory (APPNOTE 4.3.16)
    (tmp_path / "a.npz").write_bytes(content)
    assert "is damaged or cut short" in refusal(tmp_path / "a.npz")
    entry = archive.index(b"PK\x01\x02")
    content = bytearray(archive)
    content[entry + 42 : entry + 46] = b"\xff\xff\xff\x7f"  # the place of the first array
    (tmp_path / "a.npz").write_bytes(content)
    assert "is damaged or cut short" in refusal(tmp_path / "a.npz")


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_a_damaged_archive_is_refused_in_one_sentence_or_read_as_it_was(archive, data):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.npz"
        content = bytearray(archive)
        for _ in range(data.draw(st.integers(0, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
        try:
            codes = read_image_units(path, GREY).codes
        except InputError:
            return
    np.testing.assert_array_equal(codes, CODES)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: content[:-1], "is damaged or cut short"),
        (lambda content: content + b"\0", "is damaged or cut short"),
        (lambda content: content[:10], "is damaged or cut short"),
        (lambda content: b"", "is damaged or cut short"),
        (lambda content: content[:3] + b"\1" + content[4:], "the number 2051 of an IDX file of"),
        (lambda content: idx_bytes(LABELS.astype(np.uint8)), "got 2049; check that images and"),
        (lambda content: gzip.compress(content), "a compressed file is called .gz"),
        (lambda content: content[:4] + b"\xff" * 4 + content[8:], "more than 2 GiB"),
        (lambda content: content[:4] + b"\0\0\0\5" + content[8:], "is damaged or cut short"),
        (lambda content: idx_bytes(IMAGES[:3]), "n = 3 images, got (4,)"),
        (lambda content: idx_bytes(IMAGES.transpose(0, 2, 1)), "(n, 4, 5), got (4, 5, 4)"),
    ],
)
def test_idx_files_that_are_not_as_they_must_be_are_refused(tmp_path, ending, change, words):
    path = write_idx(tmp_path, CODES, GREY, ending)
    content = change(idx_bytes(IMAGES))
    path.write_bytes(gzip.compress(content) if ending else content)
    assert words in refusal(path)


@pytest.mark.parametrize("keep", [0, 5, 30, -4])
def test_a_gzip_that_is_cut_short_or_is_none_is_refused(tmp_path, keep):
    path = write_idx(tmp_path, CODES, GREY, ".gz")
    path.write_bytes(path.read_bytes()[:keep])
    assert "is damaged or cut short" in refusal(path)
    path.write_bytes(idx_bytes(IMAGES))
    assert "is damaged or cut short" in refusal(path)


def test_idx_holds_no_colour_and_needs_labels(tmp_path):
    path = write_idx(tmp_path, CODES, GREY)
    assert "IDX knows no colour" in refusal(path, COLOUR)
    labels = tmp_path / "train-labels-idx1-ubyte"
    assert "name the file of images and not that of labels" in refusal(labels)
    labels.unlink()
    assert "be called train-labels-idx1-ubyte, and there" in refusal(path)
    labels.touch()
    path.unlink()
    assert "and holds none" in refusal(tmp_path)


def test_an_idx_image_without_a_class_is_left_out(tmp_path):
    path = write_idx(tmp_path, CODES, GREY)
    labels = np.array([1, 255, 0, 2], np.uint8)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    read = read_image_units(path, GREY).codes
    np.testing.assert_array_equal(read[:, :-1], CODES[[0, 2, 3], :-1])
    assert [each.count for each in check_images(path, GREY)] == [1]


@pytest.mark.parametrize("name", ["a.npz", "a-images-idx3-ubyte", "a-images-idx3-ubyte.gz"])
def test_files_that_may_not_be_read_are_refused(tmp_path, monkeypatch, name):
    path = tmp_path / name
    path.touch()
    path.with_name(name.replace("images-idx3", "labels-idx1")).touch()

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    for place in (Path, zipfile.io, gzip.builtins):
        monkeypatch.setattr(place, "open", refuse)
    with pytest.raises(InputError, match="must be readable by the user this runs as"):
        read_image_units(path, GREY)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.symlink_to("nothing"), "does not exist"),
        (Path.touch, "must be a folder with a folder of PNG files"),
        (os.mkfifo, "must be a folder with a folder of PNG files"),
    ],
)
def test_what_is_no_source_is_refused(tmp_path, make, words):
    make(tmp_path / "a.csv")
    assert re.search(words, refusal(tmp_path / "a.csv"))
