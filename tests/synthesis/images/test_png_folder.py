"""One file never decides anything but whether its own image takes part."""

import errno
import io
import os
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_files import make_codes, make_schema, png_chunk, write_png_folder
from PIL import Image

from synthesis import InputError, SourceUnavailable
from synthesis.images import ImageRule, check_images, read_image_units
from synthesis.images.png_file import decode_png
from synthesis.images.violations import _WORDS, MAX_FILE_BYTES, ImageViolation

GREY, COLOUR = make_schema(), make_schema(channels=3)
PIXELS = np.arange(20, dtype=np.uint8).reshape(4, 5)


def png(mode: str = "L", size: tuple[int, int] = (5, 4), **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, format="PNG", **options)
    return buffer.getvalue()


def raw_png(header: bytes, *chunks: bytes) -> bytes:
    whole = [png_chunk(b"IHDR", header), *chunks, png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(whole)


HEADER = bytes([0, 0, 0, 5, 0, 0, 0, 4, 8, 0, 0, 0, 0])
LINES = b"".join(b"\0" + line.tobytes() for line in PIXELS)
DATA = png_chunk(b"IDAT", zlib.compress(LINES))
PLAIN = raw_png(HEADER, DATA)
BROKEN = {
    "size": (png(size=(4, 5)), ImageRule.WRONG_SIZE),
    "bomb": (raw_png(b"\xff\xff\xff\xff" * 2 + HEADER[8:], DATA), ImageRule.WRONG_SIZE),
    "equal channels": (png("RGB"), ImageRule.COLOUR),
    "alpha": (png("RGBA"), ImageRule.TRANSPARENCY),
    "grey alpha": (png("LA"), ImageRule.TRANSPARENCY),
    "transparent grey": (png(transparency=0), ImageRule.TRANSPARENCY),
    "palette": (png("P"), ImageRule.PALETTE),
    "one bit": (png("1"), ImageRule.FEW_BITS),
    "16 bits": (png("I;16"), ImageRule.SIXTEEN_BITS),
    "animated": (
        png(save_all=True, append_images=[Image.new("L", (5, 4), 9)]),
        ImageRule.ANIMATED,
    ),
    "strange depth": (raw_png(HEADER[:8] + b"\x07" + HEADER[9:], DATA), ImageRule.DAMAGED),
    "strange filter": (raw_png(HEADER[:11] + b"\x09" + HEADER[12:], DATA), ImageRule.DAMAGED),
    "two headers": (raw_png(HEADER, png_chunk(b"IHDR", HEADER), DATA), ImageRule.DAMAGED),
    "no pixels": (raw_png(HEADER), ImageRule.DAMAGED),
    "few pixels": (
        raw_png(HEADER, png_chunk(b"IDAT", zlib.compress(LINES[:-1]))),
        ImageRule.DAMAGED,
    ),
    "no zlib": (raw_png(HEADER, png_chunk(b"IDAT", b"pixels")), ImageRule.DAMAGED),
    "no end": (PLAIN[:-12], ImageRule.DAMAGED),
    "other bit": (PLAIN[:-20] + bytes([PLAIN[-20] ^ 1]) + PLAIN[-19:], ImageRule.DAMAGED),
    "empty": (b"", ImageRule.DAMAGED),
    "JPEG": (b"\xff\xd8\xff\xe0" + bytes(99), ImageRule.NO_PNG),
    "too long": (PLAIN + bytes(MAX_FILE_BYTES), ImageRule.TOO_LONG),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_png_folder(tmp_path / "pets", make_codes(GREY, 9), GREY)
    return tmp_path / "pets"


def check_left_out(folder: Path, rule: ImageRule, first: str, before: np.ndarray) -> None:
    """The data read as before, and the site's own screen names what was left out."""
    np.testing.assert_array_equal(read_image_units(folder, GREY).codes, before)
    (violation,) = check_images(folder, GREY)
    assert (violation.rule, violation.count, violation.first) == (rule, 1, first)


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_that_breaks_the_schema_is_as_if_it_were_absent(folder, case):
    before = read_image_units(folder, GREY).codes
    content, rule = BROKEN[case]
    (folder / "dog" / "0.png").write_bytes(content)
    check_left_out(folder, rule, "'dog/0.png'", before)


def test_grey_is_no_colour():
    assert decode_png(png("L"), COLOUR) is ImageRule.GREY


@pytest.mark.parametrize(
    ("name", "make", "rule"),
    [
        ("dog/notes.txt", Path.touch, ImageRule.OTHER_FORMAT),
        ("dog/a.jpeg", Path.touch, ImageRule.OTHER_FORMAT),
        ("dog/more", Path.mkdir, ImageRule.NOT_A_FILE),
        ("dog/a.png", Path.mkdir, ImageRule.NOT_A_FILE),
        ("dog/pipe.png", os.mkfifo, ImageRule.NOT_A_FILE),
        ("dog/loop.png", lambda path: path.symlink_to(path), ImageRule.UNREADABLE),
        ("dog/gone.png", lambda path: path.symlink_to("nothing"), ImageRule.UNREADABLE),
        ("dog/up", lambda path: path.symlink_to(".."), ImageRule.NOT_A_FILE),
        ("loop", lambda path: path.symlink_to(path), ImageRule.OUTSIDE_CLASSES),
        ("a.png", lambda path: path.write_bytes(PLAIN), ImageRule.OUTSIDE_CLASSES),
        ("Dog", Path.mkdir, ImageRule.UNKNOWN_CLASS),
        ("up", lambda path: path.symlink_to(".."), ImageRule.UNKNOWN_CLASS),
    ],
)
def test_what_does_not_belong_is_left_out(folder, name, make, rule):
    before = read_image_units(folder, GREY).codes
    make(folder / name)
    check_left_out(folder, rule, repr(name), before)


def test_a_file_that_may_not_be_read_is_left_out(folder, monkeypatch):
    (first, *_), before = sorted((folder / "dog").iterdir()), read_image_units(folder, GREY).codes
    opened = Path.open

    def refuse(path, *arguments):
        if path == first:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *arguments)

    monkeypatch.setattr(Path, "open", refuse)
    rest = before[np.flatnonzero(before[:, -1] != 1).tolist() + _dogs(before)[1:]]
    read = read_image_units(folder, GREY).codes
    assert sorted(map(tuple, read)) == sorted(map(tuple, rest))
    (violation,) = check_images(folder, GREY)
    assert violation.rule is ImageRule.UNREADABLE


def _dogs(codes: np.ndarray) -> list[int]:
    return np.flatnonzero(codes[:, -1] == 1).tolist()


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ENOENT])
def test_a_disk_that_fails_is_no_matter_of_one_file(folder, monkeypatch, code):
    def fail(path, *arguments):
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(SourceUnavailable) as caught:
        read_image_units(folder, GREY)
    assert str(folder) not in str(caught.value)


@pytest.mark.parametrize("place", ["", "dog"])
def test_a_folder_that_may_not_be_read_is_refused(folder, monkeypatch, place):
    allowed = os.access
    closed = folder / place
    monkeypatch.setattr(os, "access", lambda path, mode: path != closed and allowed(path, mode))
    with pytest.raises(InputError, match="must be readable by the user this runs as"):
        read_image_units(folder, GREY)


def test_hidden_files_are_passed_over_and_endings_may_be_capitals(folder):
    for name in (".DS_Store", "dog/.DS_Store", "dog/._000.txt"):
        (folder / name).touch()
    (folder / "dog" / "Z.PNG").write_bytes(PLAIN)
    assert check_images(folder, GREY) == []
    assert len(read_image_units(folder, GREY).codes) == 10


def test_classes_may_be_absent_and_have_one_image(tmp_path):
    (tmp_path / "cat").mkdir()
    assert len(read_image_units(tmp_path, GREY).codes) == 0
    (violation,) = check_images(tmp_path, GREY)
    assert violation.sentence().startswith("the data hold no image to fit the schema; hand")
    (tmp_path / "cat" / "a.png").write_bytes(PLAIN)
    assert check_images(tmp_path, GREY) == []
    assert read_image_units(tmp_path, GREY).codes.tolist() == [[*range(20), 0]]


@pytest.mark.parametrize("names", [[], ["Cat"], ["train/cat"]])
def test_a_folder_without_any_class_is_taken_for_the_wrong_one(tmp_path, names):
    for name in names:
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(InputError, match=r"class \(cat, dog, T shirt; capitals count\), and holds"):
        check_images(tmp_path, GREY)


@pytest.mark.parametrize("schema", [GREY, COLOUR])
@pytest.mark.parametrize("rule", ImageRule)
def test_every_rule_has_a_sentence_with_a_way_out(schema, rule):
    one = ImageViolation(rule=rule, count=1, first="'dog/a.png'", schema=schema).sentence()
    many = ImageViolation(rule=rule, count=1200, schema=schema).sentence()
    assert one.startswith(f"the data hold 1 {_WORDS[rule][0]} ") and "(the first: 'dog/a" in one
    assert many.startswith("the data hold 1,200 ") and "the first" not in many
    assert all(";" in text and text.endswith(".") and "{" not in text for text in (one, many))


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted(BROKEN.keys() - {"too long"})), st.data())
def test_no_bytes_at_all_stop_the_reading(case, data):
    content = bytearray(BROKEN[case][0] if data.draw(st.booleans()) else PLAIN)
    for _ in range(data.draw(st.integers(0, 4))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(0, len(content)))])
    assert isinstance(decode_png(cut, GREY), ImageRule) or cut.startswith(b"\x89PNG")
    assert isinstance(
        decode_png(_with_right_checksums(bytes(content)), GREY), ImageRule | np.ndarray
    )


def _with_right_checksums(content: bytes) -> bytes:
    """Let damage reach the decoder."""
    fixed, start = content[:8], 8
    while start + 12 <= len(content):
        end = start + 8 + int.from_bytes(content[start : start + 4], "big")
        fixed += png_chunk(content[start + 4 : start + 8], content[start + 8 : end])
        start = end + 4
    return fixed


def test_a_name_of_any_bytes_can_be_shown():
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cat").mkdir()
        (folder / "cat" / "a\n\x1b\udcff").touch()
        sentence = check_images(folder, GREY)[0].sentence()
    assert sentence.encode() and sentence.isprintable()
