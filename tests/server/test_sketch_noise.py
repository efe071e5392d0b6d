"""What a report says of noise: always how much, and plainly when there is hardly anything else."""

from __future__ import annotations

import pytest
from example_report import example_report

from privacy import Unit
from server.report import SketchNoise, render_html, report_from_json, report_to_json

CLEAR = SketchNoise(units=39_000, pooled_std=62.4, site_std=31.2)
DROWNED = SketchNoise(units=480, pooled_std=156.0, site_std=78.0)


def test_the_sentence_gives_the_numbers() -> None:
    told = CLEAR.describe(Unit.RECORD)
    assert "standard deviation 62, beside about 39,000 records" in told
    assert "fewer than about 125 records share is noise" in told
    assert "fewer than about 31 records tells more noise" in told
    assert "mostly noise" not in told
    assert "39,000 persons" in CLEAR.describe(Unit.PERSON)


def test_a_table_of_noise_is_called_so() -> None:
    assert DROWNED.is_drowned and not CLEAR.is_drowned
    told = DROWNED.describe(Unit.RECORD)
    assert "this table is mostly noise" in told and "would help" in told


@pytest.mark.parametrize("noise", [CLEAR, DROWNED])
def test_the_page_and_the_record_hold_it(noise: SketchNoise) -> None:
    report = example_report().model_copy(update={"sketch_noise": noise})
    assert ("mostly noise" in render_html(report)) is noise.is_drowned
    assert report_from_json(report_to_json(report)) == report


def test_a_study_without_units_is_drowned() -> None:
    assert SketchNoise(units=1, pooled_std=0.0, site_std=0.0).smallest_visible == 1
    assert SketchNoise(units=0, pooled_std=5.0, site_std=5.0).is_drowned
