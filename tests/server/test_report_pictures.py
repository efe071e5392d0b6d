import re
import xml.etree.ElementTree as ElementTree

import pytest
from example_report import example_pictures

from server.report.bars import Bars, choose_bars
from server.report.parts import ColumnPicture
from server.report.pictures import draw_bins, draw_distances, draw_levels

BARS = Bars(labels=("a & b", "c", "d"), real=(0.5, 0.3, 0.2), synthetic=(0.4, 0.4, 0.2))


def column(**changes: object) -> ColumnPicture:
    fields = {
        "name": "ward",
        "labels": ("a", "b"),
        "real": (0.25, 0.75),
        "synthetic": (0.5, 0.5),
        "distance": 0.25,
        "is_numeric": False,
        "is_ordered": False,
    }
    return ColumnPicture.model_validate(fields | changes)


def all_drawings() -> list[str]:
    matrix = [[0.1, 0.2], [0.2, 0.3]]
    return [
        draw_levels(BARS, 'real "and" synthetic'),
        draw_bins(BARS, "bins"),
        draw_distances(["one", "two"], matrix, "pairs"),
    ]


@pytest.mark.parametrize("place", range(3))
def test_drawings_are_the_same_every_time_and_well_formed(place: int) -> None:
    drawing = all_drawings()[place]
    assert drawing == all_drawings()[place]
    root = ElementTree.fromstring(drawing.replace("xlink:href", "href"))
    assert root.get("role") == "img" and root.get("aria-label")


@pytest.mark.parametrize("place", range(3))
def test_drawings_leave_colours_and_fonts_to_the_page(place: int) -> None:
    drawing = all_drawings()[place]
    assert not re.search(r"#(?!000000)[0-9a-f]{6}\b", drawing.split("</style>")[-1])
    assert "DejaVu" not in drawing and "<metadata" not in drawing and "<image" not in drawing
    assert "var(--ink)" in drawing


def test_levels_are_drawn_by_size_and_the_many_small_ones_together() -> None:
    labels = tuple(f"level {number}" for number in range(20))
    real = tuple(number / 190 for number in range(20))
    bars = choose_bars(column(labels=labels, real=real, synthetic=real))
    assert bars.labels[0] == "level 19" and bars.labels[-1] == "9 others"
    assert sum(bars.real) == pytest.approx(1) == sum(bars.synthetic)


def test_ordered_levels_keep_their_order() -> None:
    assert choose_bars(column(is_ordered=True)).labels == ("a", "b")
    assert choose_bars(column()).labels == ("b", "a")


def test_exact_and_missing_values_are_said_not_drawn() -> None:
    bars = choose_bars(
        column(
            labels=("0", "1 to 9", "missing"),
            real=(0.7, 0.2, 0.1),
            synthetic=(0.6, 0.2, 0.2),
            is_numeric=True,
            num_point_masses=1,
            has_missing=True,
        )
    )
    assert bars.labels == ("1 to 9",)
    assert bars.spoken == (("exactly 0", 0.7, 0.6), ("missing", 0.1, 0.2))


def test_all_columns_of_the_census_are_drawn_with_all_rows_accounted_for() -> None:
    pictures = example_pictures()
    assert len(pictures.columns) == 13
    for each in pictures.columns:
        bars = choose_bars(each)
        told = sum(bars.real) + sum(share for _, share, _ in bars.spoken)
        assert told == pytest.approx(1)


def test_a_column_without_rows_in_its_bins_is_drawn() -> None:
    assert "<svg" in draw_bins(Bars(labels=("1",), real=(0.0,), synthetic=(0.0,)), "empty")
