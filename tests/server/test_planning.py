"""What is told of a study before it runs: exact where it can be, and never beyond what is known."""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import SCHEMA, write_inputs
from stages import but_for

from fedsynth import InputError, simulate
from server.planning import (
    MEASURES,
    Circumstances,
    Point,
    Reference,
    compute_noise,
    find_own_concern,
    load_reference,
    make_forecast,
)
from server.planning.expectation import STRENGTHS, find_band, find_margin
from server.planning.noise import find_worthwhile
from server.study import Study
from strategies.aggregation import SketchSum
from synthesis.schema import Schema, load_schema, parse_schema

DATA = Path(__file__).parents[2] / "simulations" / "data"
REFERENCE = load_reference()
SKETCH_ALONE = {"rounds": 0, "adversarial_share": 0}


def make_schema() -> Schema:
    return parse_schema(tomllib.loads(SCHEMA))


def make_where(*units: int, schema: Schema | None = None) -> Circumstances:
    return Circumstances(schema=schema or make_schema(), units=units, basis="made up")


def concerns_of(*units: int, schema: Schema | None = None, **settings: float) -> str:
    study = Study.model_validate({"nominal_rows": round(sum(units) / len(units))} | settings)
    where = make_where(*units, schema=schema)
    return "\n".join(make_forecast(study, study.make_plan(), where, REFERENCE).concerns)


def make_points(**figures: list[tuple[float, float]]) -> list[Point]:
    """Return points with the same figure for every measure, from {table: [(signal, figure)]}."""
    return [
        Point(
            table=table,
            epsilon=1.0,
            num_sites=4,
            rows=400,
            signal=signal,
            two_way=figure,
            gain_kept=figure,
            two_sample_auc=figure,
        )
        for table, pairs in figures.items()
        for signal, figure in pairs
    ]


def test_the_noise_is_that_of_the_sum_that_the_coordinator_makes() -> None:
    where = make_where(500, 700, 900)
    plan = Study(epsilon=2.0).make_plan()
    assert plan.sketch_noise_multiplier is not None
    noise = compute_noise(plan, where)
    layout = where.layout
    total = SketchSum()
    for _ in range(3):
        total.add(np.zeros(layout.dimension), plan.sketch_noise_multiplier)
    pooled = total.pooled
    pooled_std = pooled.noise_variance**0.5 * layout.sensitivity  # of what a record adds 2 to
    assert noise.pooled_std == pytest.approx(pooled_std / 2)
    assert noise.site_std == pytest.approx(noise.pooled_std / 3**0.5)
    assert (2 * noise.blocks, noise.cells) == (len(layout.blocks), layout.dimension)
    cells_of_a_block = layout.dimension / len(layout.blocks)
    assert noise.signal == pytest.approx(2100 / (noise.pooled_std * cells_of_a_block**0.5))
    assert noise.site_signals[2] == pytest.approx(noise.site_signals[0] * 9 / 5)


def test_more_epsilon_and_rows_give_more_signal_and_more_sites_of_the_same_rows_less() -> None:
    def signal(epsilon: float, *units: int) -> float:
        return compute_noise(Study(epsilon=epsilon).make_plan(), make_where(*units)).signal

    assert signal(2.0, 500, 500) > signal(1.0, 500, 500)
    assert signal(1.0, 600, 600) > signal(1.0, 500, 500)
    assert signal(1.0, 1000, 1000) == pytest.approx(signal(1.0, *[500] * 4) * 2**0.5)


@pytest.mark.parametrize(
    ("rounds", "strategy"), but_for([(0, "fedavg"), (2, "fedavg"), (2, "mdgan")], (2, "fedavg"))
)
def test_traffic_is_what_a_study_sends(tmp_path: Path, rounds: int, strategy: str) -> None:
    write_inputs(tmp_path)
    given = {"data": tmp_path / "visits.csv", "schema": tmp_path / "visits.toml"}
    study = tmp_path / "tiny.toml"
    study.write_text(f'strategy = "{strategy}"\n{study.read_text()}')
    result = simulate(study, **given, partition="column:clinic", rounds=rounds)
    where = make_where(20, 40, schema=load_schema(tmp_path / "visits.toml"))
    plan = result.study.make_plan()
    cost = make_forecast(result.study, plan, where, REFERENCE).cost
    for traffic in result.report.cost.traffic:
        assert cost.site_up == pytest.approx(traffic.bytes_up, rel=0.02, abs=4000)
        assert cost.site_down == pytest.approx(traffic.bytes_down, rel=0.02, abs=4000)


def test_time_and_memory_grow_with_what_is_asked() -> None:
    def cost(**settings: int):
        study = Study.model_validate(settings)
        return make_forecast(study, study.make_plan(), make_where(5000, 5000), REFERENCE).cost

    usual, more = cost(), cost(rounds=10, fit_steps=4000)
    assert 0 < usual.site_s < more.site_s
    assert 0 < usual.coordinator_s < more.coordinator_s
    central = cost(strategy="mdgan")
    assert central.site_s < usual.site_s and central.coordinator_s > usual.coordinator_s
    adult = make_where(5000, 5000, schema=load_schema(DATA / "adult.toml"))
    wide = make_forecast(Study(), Study().make_plan(), adult, REFERENCE).cost
    assert wide.site_memory > usual.site_memory > 1e8
    assert wide.site_s > usual.site_s


def test_a_band_goes_from_the_lowest_to_the_highest_table_at_a_signal() -> None:
    points = make_points(a=[(1, 0.2), (100, 0.4)], b=[(10, 0.6), (1000, 0.8)], c=[(20, 1), (30, 1)])
    band = find_band(points, "gain_kept", 10.0, margin=0.0)
    assert band is not None
    assert (band.low, band.high, band.tables) == (pytest.approx(0.3), 0.6, 2)
    wider = find_band(points, "gain_kept", 10.0, margin=0.1)
    assert wider is not None
    assert (wider.low, wider.high) == (pytest.approx(0.2), pytest.approx(0.7))
    distance = find_band(points, "two_way", 10.0, margin=math.log(2))
    assert distance is not None
    assert (distance.low, distance.high) == (pytest.approx(0.15), 1.0)
    auc = find_band(points, "two_sample_auc", 10.0, margin=0.0)
    assert auc is not None
    assert auc.low == 0.5


@pytest.mark.parametrize("signal", [0.5, 5.0, 200.0, 5000.0])
def test_nothing_is_extrapolated(signal: float) -> None:
    points = make_points(a=[(1, 0.2), (100, 0.4)], b=[(10, 0.6), (1000, 0.8)])
    for measure in MEASURES:
        assert find_band(points, measure, signal, margin=0.1) is None


def test_the_margin_is_the_least_that_holds_what_was_left_out() -> None:
    levels = {"a": 0.5, "b": 0.6, "c": 0.7, "d": 0.8, "e": 0.9}
    points = make_points(**{name: [(5, level), (50, level)] for name, level in levels.items()})
    margin, held = find_margin(points, "gain_kept", "strong")
    # The middle three lie inside; the outer two lie 0.1 outside, and 3 of 5 are not enough.
    assert (margin, held) == (pytest.approx(0.1), 1.0)
    with pytest.raises(ValueError, match="weak"):
        find_margin(points, "gain_kept", "weak")


def test_the_shipped_reference_is_whole_and_holds_what_it_says() -> None:
    assert Reference.from_dict(REFERENCE.to_dict()) == REFERENCE
    data = {path.name.split(".")[0] for path in DATA.iterdir() if path.suffix != ".toml"}
    shipped = {path.stem for path in DATA.glob("*.toml")} & data
    assert set(REFERENCE.tables) >= shipped
    for strength, measure in itertools.product(STRENGTHS, MEASURES):
        margin, held = find_margin(REFERENCE.points, measure, strength)
        assert REFERENCE.margins[strength][measure] == pytest.approx(margin, abs=1e-3)
        assert REFERENCE.held[strength][measure] == pytest.approx(held, abs=1e-3)
        assert round(held, 6) >= 0.8


def test_more_signal_is_expected_to_give_more() -> None:
    few, many = (REFERENCE.expect("two_way", signal) for signal in (0.5, 30.0))
    assert few is not None
    assert many is not None
    assert many.high < few.high


def test_sites_that_lower_the_signal_are_found_as_by_trying_all_choices() -> None:
    for units in ((413, 164, 22, 3), (5, 5, 5), (100, 49, 1), (7,), (90, 80, 45, 40, 3)):
        best = max(
            (sum(chosen) / len(chosen) ** 0.5, len(chosen))
            for number in range(1, len(units) + 1)
            for chosen in itertools.combinations(units, number)
        )
        assert find_worthwhile(units) == best[1]


def test_a_good_study_raises_no_concern() -> None:
    schema, units = load_schema(DATA / "adult.toml"), (9768, 9768, 9768, 9768)
    assert concerns_of(*units, schema=schema, epsilon=10.0) == ""
    assert concerns_of(*units, schema=schema, epsilon=1.0, **SKETCH_ALONE) == ""


def test_a_hopeless_epsilon_is_said_to_be_hopeless() -> None:
    said = concerns_of(120, 120, epsilon=0.1, **SKETCH_ALONE)
    assert "epsilon 0.1 is hopeless here" in said
    assert "all sites together have 240" in said
    assert "hopeless" not in concerns_of(5000, 5000, epsilon=1.0)
    lost = concerns_of(20, 20, epsilon=0.001, **SKETCH_ALONE)
    assert re.search(r"about \d{1,3}(,\d{3})+ times as many rows", lost), lost


def test_tiny_sites_are_told_to_stay_out_and_equal_ones_are_not() -> None:
    schema = load_schema(DATA / "indomethacin.toml")
    said = concerns_of(413, 164, 22, 3, schema=schema, epsilon=5.0)
    assert "Sites 3 (22 rows), 4 (3 rows) would spend budget for nothing" in said
    assert "for nothing" not in concerns_of(20, 20, 20, 20, schema=schema, epsilon=1.0)
    assert "for nothing" not in concerns_of(50_000, 5_000)


@pytest.mark.parametrize(
    ("units", "settings", "sentence"),
    [
        ((40, 60), {"delta": 0.02}, "delta 0.02 is not below 1/rows = 0.01"),
        ((5000, 5000), {"rounds": 1, "discriminator_steps": 2}, "2 discriminator steps in all"),
        ((300, 300), {"epsilon": 0.3}, "Discriminators would be mostly noise"),
        ((2000, 2000), {}, "The rounds take 10% of the budget and are likely to bring less"),
        ((2000, 2000), {}, "a signal of 48.9 with the whole budget, and on public tables rounds"),
        ((5000, 5000), {"fit_steps": 5}, "fit_steps is 5"),
        ((5000, 5000), {"nominal_rows": 100}, "nominal_rows is 100"),
        ((5000, 5000), {"minimum_sites": 3}, "minimum_sites is 3 and there are 2"),
    ],
)
def test_what_speaks_against_a_study_is_said(
    units: tuple[int, ...], settings: dict[str, float], sentence: str
) -> None:
    assert sentence in concerns_of(*units, **settings)
    assert sentence not in concerns_of(5000, 5000)


def test_a_wide_schema_is_said_to_be_wide() -> None:
    said = concerns_of(5000, 5000, schema=load_schema(DATA / "indomethacin.toml"))
    assert "The schema is wide: 31 columns make 436 tables" in said


def test_a_site_is_warned_of_its_own_rows_only_where_it_is_smaller_than_others() -> None:
    study, schema = Study(nominal_rows=5000), make_schema()
    plan = study.make_plan()
    said = find_own_concern(study, plan, schema, 12)
    assert said is not None
    assert "for 12 rows of this site" in said
    assert find_own_concern(study, plan, schema, 4000) is None
    assert find_own_concern(study.model_copy(update={"nominal_rows": 12}), plan, schema, 12) is None
    assert find_own_concern(study, plan, schema, 0) is None


def test_a_plan_without_a_sketch_has_no_noise_to_tell() -> None:
    plan = replace(Study().make_plan(), sketch_noise_multiplier=None)
    with pytest.raises(ValueError, match="adversarial_share"):
        compute_noise(plan, make_where(5, 5))


def test_no_site_has_no_rows() -> None:
    with pytest.raises(InputError, match="rows must be at least 1"):
        make_where(5, 0)
