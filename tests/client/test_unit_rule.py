"""The split of a site: one rule for all studies, and no unit on both sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_persons import UNIT, draw_persons, write_person_site
from tiny_sites import make_request, write_site
from tiny_world import SCHEMA

from client.site import SPLIT_KEY_FILE, Site, load_site
from client.sketching import release_sketch, reserve_study
from privacy import Part
from synthesis import InputError
from synthesis.schema import Schema
from synthesis.tables import read_table, write_table


@pytest.mark.parametrize("is_person", [True, False])
def test_the_parts_of_a_site_are_disjoint_and_the_same_every_time(
    tmp_path: Path, is_person: bool
) -> None:
    if is_person:
        site = write_person_site(tmp_path / "s", draw_persons(200), holdout=0.3)
    else:
        site = write_site(tmp_path / "s", rows=500, holdout=0.3)
    first, again = ([site.read_units(part) for part in Part] for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.codes, other.codes)
        assert one.n_units > 30 and one.ids == other.ids
    if is_person:
        assert not set(first[0].ids or ()) & set(first[1].ids or ())
    table = read_table(site.folder / "rows.parquet")
    assert sum(len(part.codes) for part in first) == len(table)
    write_table(table.iloc[::-1], site.folder / "rows.parquet")
    turned = [site.read_units(part) for part in Part]
    for one, other in zip(first, turned, strict=True):
        assert sorted(map(tuple, one.codes.tolist())) == sorted(map(tuple, other.codes.tolist()))


def test_what_is_held_out_is_in_no_sketch(tmp_path: Path) -> None:
    """Two tables that differ in the hold-out alone give the same release, noise and all."""
    site = write_person_site(tmp_path / "a" / "s", draw_persons(60), holdout=0.5)
    table = read_table(site.folder / "rows.parquet")
    kept = table[table["patient"].isin(site.read_units(Part.TRAINING).ids or ())]
    assert 0 < len(kept) < len(table)
    less = write_person_site(tmp_path / "b" / "s", kept, holdout=0.5)
    releases = [release_sketch(s, make_request()).statistics for s in (site, less)]
    np.testing.assert_array_equal(*releases)


@pytest.mark.parametrize("holdout", [-0.1, 0.51, "half"])
def test_a_share_out_of_range_is_refused(tmp_path: Path, holdout: object) -> None:
    with pytest.raises(ValueError, match="holdout"):
        write_site(tmp_path / "s", holdout=holdout)
    assert not (tmp_path / "s").exists()


def other_person_column() -> Schema:
    unit = UNIT.model_dump() | {"person_column": "family"}
    return Schema.model_validate(SCHEMA.model_dump() | {"unit": unit})


def more_bins() -> Schema:
    columns = list(SCHEMA.model_dump()["columns"])
    columns[0] = columns[0] | {"maximum": 39}
    return Schema.model_validate(SCHEMA.model_dump() | {"columns": columns})


def first_study(site: Site) -> None:
    reserve_study(site, make_request(epsilon=0.3))


def second_study(site: Site) -> None:
    reserve_study(site, make_request(epsilon=0.3, study_id="second"))


def test_a_second_study_with_the_same_rule_is_fine(tmp_path: Path) -> None:
    first_study(write_site(tmp_path / "s", holdout=0.2))
    second_study(write_site(tmp_path / "s", holdout=0.2))
    first_study(write_site(tmp_path / "t"))  # with no hold-out another schema moves nobody
    second_study(write_site(tmp_path / "t", schema=more_bins()))


def test_a_second_study_that_divides_the_units_otherwise_is_refused(tmp_path: Path) -> None:
    """A unit that was trained on and is then evaluated on would pay twice."""
    first_study(write_site(tmp_path / "s", holdout=0.2))
    for change in ({"holdout": 0.3}, {}):
        with pytest.raises(InputError, match="holdout is fixed for the life of a data set"):
            second_study(write_site(tmp_path / "s", **change))
    with pytest.raises(InputError, match="told apart and held out as in earlier"):
        second_study(write_site(tmp_path / "s", holdout=0.2, schema=more_bins()))
    site = write_site(tmp_path / "s", holdout=0.2)
    (site.folder / SPLIT_KEY_FILE).write_text("ab" * 32)
    with pytest.raises(InputError, match="told apart"):
        second_study(load_site(site.folder, is_simulated=True))
    first_study(write_person_site(tmp_path / "p", draw_persons(5)))
    with pytest.raises(InputError, match="told apart"):
        second_study(write_site(tmp_path / "p", schema=other_person_column()))
