"""Images are read from PNG folders, NPZ and IDX files, and bad ones are named on the own screen."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from synthesis import InputError
from synthesis.images.reading import check_images, read_image_units, save_images
from synthesis.images.schema import ImageSchema
from synthesis.units import Codes

GREY = ImageSchema(name="grey", height=5, width=4, classes=("a", "b", "c"))
COLOUR = ImageSchema(name="colour", height=5, width=4, channels=3, classes=("a", "b", "c"))


def draw_codes(schema: ImageSchema, number: int, seed: int = 0) -> Codes:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 256, (number, schema.num_pixels + 1)).astype(np.int16)
    codes[:, -1] = np.sort(rng.integers(0, schema.num_classes, number))
    return codes


def write_pngs(folder: Path, codes: Codes, schema: ImageSchema) -> Path:
    for number, row in enumerate(codes):
        place = folder / schema.classes[row[-1]] / f"{number:04}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        pixels = row[:-1].astype(np.uint8).reshape(schema.shape).transpose(1, 2, 0)
        Image.fromarray(pixels[:, :, 0] if schema.channels == 1 else pixels).save(place)
    return folder


def write_idx(folder: Path, codes: Codes, schema: ImageSchema, *, packed: bool) -> Path:
    images, labels = codes[:, :-1].astype(np.uint8), codes[:, -1].astype(np.uint8)
    heads = (
        struct.pack(">BBBBIII", 0, 0, 8, 3, len(codes), schema.height, schema.width),
        struct.pack(">BBBBI", 0, 0, 8, 1, len(codes)),
    )
    end = ".gz" if packed else ""
    names = (f"train-images-idx3-ubyte{end}", f"train-labels-idx1-ubyte{end}")
    for name, head, values in zip(names, heads, (images, labels), strict=True):
        content = head + values.tobytes()
        (folder / name).write_bytes(gzip.compress(content) if packed else content)
    return folder / names[0]


@given(number=st.integers(1, 12), seed=st.integers(0, 999), schema=st.sampled_from([GREY, COLOUR]))
def test_what_is_written_is_read_back_from_npz_and_png(
    tmp_path_factory: pytest.TempPathFactory, number: int, seed: int, schema: ImageSchema
) -> None:
    folder = tmp_path_factory.mktemp("images")
    codes = draw_codes(schema, number, seed)
    save_images(folder / "all.npz", codes, schema)
    write_pngs(folder / "pngs", codes, schema)
    for place in (folder / "all.npz", folder / "pngs"):
        np.testing.assert_array_equal(read_image_units(place, schema).codes, codes)
        assert check_images(place, schema) == []


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_are_read_by_name_and_by_folder(tmp_path: Path, packed: bool) -> None:
    codes = draw_codes(GREY, 9)
    place = write_idx(tmp_path, codes, GREY, packed=packed)
    for path in (place, tmp_path):
        np.testing.assert_array_equal(read_image_units(path, GREY).codes, codes)


def test_the_same_images_give_the_same_bytes(tmp_path: Path) -> None:
    codes = draw_codes(COLOUR, 20)
    for name in ("one.npz", "other.npz"):
        save_images(tmp_path / name, codes, COLOUR)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()


def save_as(mode: str, size: tuple[int, int] = (4, 5)) -> Callable[[Path], None]:
    return lambda path: Image.new(mode, size).save(path, "PNG")


def cut_short(path: Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (5, 4), dtype=np.uint8)).save(path, "PNG")
    path.write_bytes(path.read_bytes()[:-24])


BAD_FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "another size": (save_as("L", (9, 9)), "it has 9 x 9; resize it"),
    "colour": (save_as("RGB"), "it is colour; convert it"),
    "transparency": (save_as("LA"), "it is grey with transparency"),
    "palette": (save_as("P"), "it is a palette"),
    "one bit": (save_as("1"), "it is black and white of 1 bit"),
    "16 bits": (save_as("I;16"), "it is 16 bits"),
    "no PNG": (lambda path: path.write_bytes(b"nothing"), "is none that can be read"),
    "empty": (lambda path: path.write_bytes(b""), "is none that can be read"),
    "cut short": (cut_short, "is cut short or damaged"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_png_is_as_if_it_were_absent_and_is_named_on_the_own_screen(
    tmp_path: Path, name: str
) -> None:
    write, told = BAD_FILES[name]
    codes = draw_codes(GREY, 6)
    folder = write_pngs(tmp_path / "pngs", codes, GREY)
    (folder / "b").mkdir(exist_ok=True)
    write(folder / "b" / "zzz.png")
    np.testing.assert_array_equal(read_image_units(folder, GREY).codes, codes)
    (bad,) = check_images(folder, GREY)
    assert bad.sentence().startswith("b/zzz.png ")
    assert told in bad.sentence()


def test_other_files_are_named_and_hidden_ones_passed_over(tmp_path: Path) -> None:
    folder = write_pngs(tmp_path / "pngs", draw_codes(GREY, 3), GREY)
    place = next(folder.iterdir())
    (place / ".DS_Store").write_bytes(b"x")
    assert check_images(folder, GREY) == []
    (place / "notes.txt").write_text("x")
    (bad,) = check_images(folder, GREY)
    assert "must be a PNG file" in bad.sentence()


def test_labels_out_of_range_do_not_take_part(tmp_path: Path) -> None:
    codes = draw_codes(GREY, 5)
    codes[2, -1] = 7
    save_images(tmp_path / "a.npz", codes, GREY)
    read = read_image_units(tmp_path / "a.npz", GREY).codes
    np.testing.assert_array_equal(read, codes[[0, 1, 3, 4]])
    (bad,) = check_images(tmp_path / "a.npz", GREY)
    assert bad.sentence() == "label number 3 of a.npz must be from 0 to 2."


def write_npz(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


IMAGES = np.zeros((3, 5, 4), np.uint8)
LABELS = np.zeros(3, np.uint8)
BROKEN: dict[str, tuple[Callable[[Path], Path], str]] = {
    "nothing there": (lambda folder: folder / "none.npz", "there is nothing at"),
    "no container": (lambda folder: _write(folder / "a.npz", b"PK nothing"), "is damaged or holds"),
    "cut short": (
        lambda folder: _cut(write_npz(folder / "a.npz", images=IMAGES, labels=LABELS)),
        "is damaged or holds",
    ),
    "objects": (
        lambda folder: write_npz(
            folder / "a.npz", images=np.array([{}, {}, {}], dtype=object), labels=LABELS
        ),
        "is damaged or holds Python objects",
    ),
    "no labels": (lambda folder: write_npz(folder / "a.npz", images=IMAGES), "an array 'labels'"),
    "floats": (
        lambda folder: write_npz(folder / "a.npz", images=IMAGES / 255, labels=LABELS),
        "whole numbers from 0 to 255, and they are float64",
    ),
    "large numbers": (
        lambda folder: write_npz(folder / "a.npz", images=IMAGES + np.int64(999), labels=LABELS),
        "and some are not",
    ),
    "another size": (
        lambda folder: write_npz(
            folder / "a.npz", images=np.zeros((3, 9, 4), np.uint8), labels=LABELS
        ),
        "must have 5 x 4 pixels, as the schema says, and the array has shape (n, 9, 4)",
    ),
    "fewer labels": (
        lambda folder: write_npz(folder / "a.npz", images=IMAGES, labels=LABELS[:2]),
        "one for each image",
    ),
    "no images": (
        lambda folder: write_npz(folder / "a.npz", images=IMAGES[:0], labels=LABELS[:0]),
        "it holds none",
    ),
    "another form": (lambda folder: _write(folder / "a.csv", b"1,2"), "is none of them"),
    "unknown class": (
        lambda folder: _write(folder / "pngs" / "d" / "1.png", b"").parent.parent,
        "and it holds d",
    ),
    "empty folder": (lambda folder: _folder(folder / "pngs"), "and it holds none"),
    "wrong magic": (
        lambda folder: _break_idx(folder, lambda content: b"\0\0\x0d\3" + content[4:]),
        "its first bytes say otherwise",
    ),
    "short IDX": (lambda folder: _break_idx(folder, lambda content: content[:-3]), "it is shorter"),
    "long IDX": (lambda folder: _break_idx(folder, lambda content: content + b"x"), "it is longer"),
    "huge IDX": (
        lambda folder: _break_idx(folder, lambda content: content[:4] + b"\xff" * 12),
        "must hold at most 2 GiB",
    ),
    "labels missing": (
        lambda folder: _without_labels(write_idx(folder, draw_codes(GREY, 3), GREY, packed=False)),
        "must lie beside it as train-labels-idx1-ubyte",
    ),
    "cut gzip": (
        lambda folder: _cut(write_idx(folder, draw_codes(GREY, 30), GREY, packed=True)),
        "is damaged or cut short",
    ),
}


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-40])
    return path


def _without_labels(path: Path) -> Path:
    (path.parent / "train-labels-idx1-ubyte").unlink()
    return path


def _break_idx(folder: Path, change: Callable[[bytes], bytes]) -> Path:
    path = write_idx(folder, draw_codes(GREY, 3), GREY, packed=False)
    path.write_bytes(change(path.read_bytes()))
    return path


@pytest.mark.parametrize("name", BROKEN)
def test_a_source_that_is_broken_as_a_whole_is_one_sentence(tmp_path: Path, name: str) -> None:
    make, told = BROKEN[name]
    place = make(tmp_path)
    for read in (read_image_units, check_images):
        with pytest.raises(InputError) as caught:
            read(place, GREY)
        assert caught.value.argument == "data"
        assert told in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_class_may_have_one_image_or_none(tmp_path: Path) -> None:
    codes = draw_codes(GREY, 3)
    codes[:, -1] = [0, 0, 1]
    folder = write_pngs(tmp_path / "pngs", codes, GREY)
    np.testing.assert_array_equal(read_image_units(folder, GREY).codes, codes)
