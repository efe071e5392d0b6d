"""The split of a site: one key for life, one rule for all studies, and no unit on both sides."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest
from tiny_persons import UNIT, draw_persons, write_person_site
from tiny_sites import make_request, write_site
from tiny_world import SCHEMA

from client.site import Site
from client.sketching import release_sketch, reserve_study
from client.split_key import KEY_FILE, load_split_key
from privacy import Part, SeededRandomness, SystemRandomness
from synthesis import InputError
from synthesis.schema import Schema
from synthesis.tables import read_table, write_table


def test_a_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    key = load_split_key(tmp_path, SystemRandomness(), site="a")
    assert len(key) == 32 and len(set(key)) > 8
    assert load_split_key(tmp_path, SystemRandomness(), site="a") == key
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
    (tmp_path / "other").mkdir()
    assert load_split_key(tmp_path / "other", SystemRandomness(), site="a") != key


def test_a_simulation_has_keys_that_repeat_and_writes_none(tmp_path: Path) -> None:
    keys = [
        load_split_key(tmp_path, SeededRandomness(seed), site=site)
        for seed, site in [(1, "a"), (1, "a"), (2, "a"), (1, "b")]
    ]
    assert keys[0] == keys[1] and len(set(keys)) == 3
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"k" * 31, b"k" * 33])
def test_a_file_that_is_no_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(InputError, match="must hold the 32 bytes"):
        load_split_key(tmp_path, SystemRandomness(), site="a")
    assert (tmp_path / KEY_FILE).read_bytes() == content


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
    with pytest.raises(InputError, match="holdout"):
        write_site(tmp_path / "s", holdout=holdout)


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
    for change in ({"holdout": 0.3}, {}, {"holdout": 0.2, "schema": more_bins()}):
        with pytest.raises(InputError, match="told apart and held out as in earlier"):
            second_study(write_site(tmp_path / "s", **change))
    with pytest.raises(InputError, match="told apart"):
        second_study(write_site(tmp_path / "s", holdout=0.2, seed=5))  # another key
    first_study(write_person_site(tmp_path / "p", draw_persons(5)))
    with pytest.raises(InputError, match="told apart"):
        second_study(write_site(tmp_path / "p", schema=other_person_column()))
