import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis.schema import Continuous, Integer
from synthesis.schema.grid import build_grid


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(2, 400), st.booleans())
def test_every_value_has_exactly_one_code_and_every_code_a_value(data, count, log):
    masses = data.draw(st.lists(st.integers(0, count - 1), max_size=min(4, count - 1), unique=True))
    bins = data.draw(st.integers(1, count - len(masses)))
    grid = build_grid(origin=1, step=1, count=count, masses=tuple(masses), bins=bins, log=log)
    codes = grid.encode(np.arange(count))
    assert sorted(set(codes.tolist())) == list(range(len(masses) + bins))
    for code, mass in enumerate(masses):
        assert np.flatnonzero(codes == code).tolist() == [mass]
    ordinary = codes[~np.isin(np.arange(count), masses)]
    assert (np.diff(ordinary) >= 0).all()
    low, high = grid.bounds
    for cell in range(bins):
        inside = np.flatnonzero(codes == len(masses) + cell)
        assert (inside.min(), inside.max()) == (low[cell], high[cell])


def test_equal_bins_differ_by_one_value_at_most():
    for count in (10, 17, 100, 1000):
        for bins in (1, 3, 7, 10):
            sizes = np.diff(build_grid(origin=0, step=1, count=count, bins=bins).edges)
            assert sizes.sum() == count and np.ptp(sizes) <= 1


def test_log_bins_have_equal_ratio_once_values_are_dense():
    column = Continuous(name="x", minimum=1, maximum=1e4, decimals=4, bins=20, transform="log")
    low = column.grid.to_values(column.grid.bounds[0])
    np.testing.assert_allclose(low[1:] / low[:-1], 10**0.2, rtol=1e-3)


def test_log_bins_begin_with_single_values_where_ratios_would_leave_a_cell_empty():
    column = Integer(
        name="loss", minimum=0, maximum=4356, bins=31, transform="log", point_masses=(0,)
    )
    assert column.size == 32
    assert column.cell_labels[:6] == ("0", "1", "2", "3", "4", "5")
    assert column.cell_labels[-1] == "3326 to 4356"


def test_as_many_log_bins_as_values_give_one_code_each():
    column = Integer(name="x", minimum=1, maximum=9, bins=9, transform="log")
    assert column.cell_labels == tuple("123456789")


def test_far_and_fine_grids_stay_exact():
    column = Continuous(name="x", minimum=-1e5, maximum=1e5, decimals=9, bins=7)
    positions = np.array([0, 1, column.grid.count - 1])
    assert column.grid.to_values(positions).tolist() == [-1e5, -99999.999999999, 1e5]


@pytest.mark.parametrize(
    ("settings_", "sentence"),
    [
        ({"minimum": 5, "maximum": 4}, "minimum must not be above maximum"),
        ({"maximum": 500}, "give bins"),
        ({"maximum": 10**15, "minimum": -(10**16), "bins": 3}, r"between -2\*\*53 and 2\*\*53"),
        ({"bins": 11}, r"bins must be at most the number of values \(10\), got 11"),
        ({"transform": "log"}, "give bins, or remove the transform"),
        ({"transform": "log", "bins": 3}, r"point_masses = \[0\]"),
        ({"point_masses": (3, 3)}, "must not repeat a value"),
        ({"point_masses": (12,)}, "must lie between minimum and maximum"),
        ({"resolution": 3, "point_masses": (1,)}, "on the column's resolution"),
        ({"maximum": 1, "point_masses": (0, 1)}, "every value is a point mass"),
        ({"resolution": 4}, "minimum plus a multiple of resolution"),
        ({"maximum": 0}, "a column with one code"),
        ({"bins": 1}, "give more bins"),
    ],
)
def test_impossible_whole_number_columns_are_refused(settings_, sentence):
    with pytest.raises(ValueError, match=sentence):
        Integer(**({"name": "n", "minimum": 0, "maximum": 9} | settings_))


@pytest.mark.parametrize(
    ("settings_", "sentence"),
    [
        ({"minimum": 0.05}, "at most 1 decimals, got 0.05"),
        ({"point_masses": (0.25,)}, "at most 1 decimals"),
        ({"maximum": 1e16}, "too many digits"),
        ({"maximum": 9e15, "decimals": 0, "minimum": -9e15, "bins": 2}, "use fewer decimals"),
        ({"minimum": float("nan")}, "finite number"),
    ],
)
def test_impossible_decimal_columns_are_refused(settings_, sentence):
    with pytest.raises(ValueError, match=sentence):
        Continuous(**({"name": "x", "minimum": 0.0, "maximum": 1.0, "decimals": 1} | settings_))
