"""A site that declares that it lacks columns: nothing of them is read, told or trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from asking import (
    DIMENSION,
    ask_evaluate,
    ask_hello,
    ask_sketch,
    ask_train,
    be_inside_a_run,
    code_of,
    settings_of,
    train_records,
)
from flwr.app import Array, ArrayRecord
from tiny_sites import ROWS, make_request, write_site
from tiny_world import SCHEMA, draw_codes, draw_table

from client.site import Site, load_site
from client.site_config import SITE_FILE
from client.sketching import release_sketch
from client.training import train_round
from client.unit_rule import check_same_units
from privacy import Part
from strategies import protocol
from strategies.protocol import POOLED_SKETCH, SKETCH, STATISTICS
from synthesis import InputError
from synthesis.coverage import Coverage
from synthesis.kinds.tables import count_for_sketch
from synthesis.layout import SketchLayout, compute_sketch
from synthesis.tables import read_table, write_table

LACKING = ("colour", "smokes")
POSITIONS = {1, 3}
LAYOUT = SketchLayout.from_schema(SCHEMA)
POOLED = torch.ones(LAYOUT.dimension)


def lack(folder: Path, columns: tuple[str, ...] = LACKING, **more) -> Site:
    """Found a site whose table has no such columns at all."""
    site = write_site(folder, missing_columns=columns, **more)
    write_table(
        read_table(folder / "rows.parquet").drop(columns=list(columns)), folder / "rows.parquet"
    )
    return site


def test_hello_names_the_columns_and_only_where_some_are_missing(tmp_path: Path) -> None:
    be_inside_a_run()
    lack(tmp_path / "site-1")
    answer = settings_of(ask_hello(tmp_path))
    assert answer[protocol.ACCEPTED] is True
    assert answer[protocol.MISSING_COLUMNS] == "1,3"
    write_site(tmp_path / "other" / "site-1")
    assert protocol.MISSING_COLUMNS not in settings_of(ask_hello(tmp_path / "other"))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (("outcome",), "must not name the label"),
        (("colr",), "must be columns of the schema, got 'colr'"),
        (("age", "colour", "smokes"), "must leave columns that a study counts"),
        (("age", "colour"), "must leave columns that a study counts"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(tmp_path: Path, columns, words) -> None:
    with pytest.raises(InputError, match=words):
        write_site(tmp_path / "s", missing_columns=columns)
    assert not (tmp_path / "s").exists()


def test_the_declaration_survives_the_site_file(tmp_path: Path) -> None:
    site = lack(tmp_path / "s")
    assert load_site(site.folder, is_simulated=True).missing == (1, 3)
    usual = write_site(tmp_path / "t")
    assert "missing_columns = []" in (usual.folder / SITE_FILE).read_text()
    assert load_site(usual.folder, is_simulated=True).missing == ()


def test_a_column_that_is_missing_and_not_declared_is_still_an_error(tmp_path: Path) -> None:
    site = lack(tmp_path / "s", ("colour",))
    write_table(draw_table(9).drop(columns=["smokes"]), site.folder / "rows.parquet")
    with pytest.raises(InputError, match="smokes"):
        site.read_units(Part.TRAINING)


def test_noise_is_on_told_cells_alone_and_has_the_size_of_what_is_told(tmp_path: Path) -> None:
    site, request = lack(tmp_path / "s"), make_request()
    layout = LAYOUT.lacking(POSITIONS)
    release = release_sketch(site, request)
    assert release.statistics.shape == (LAYOUT.dimension,)
    assert not release.statistics[~layout.told_cells].any()
    noise = (release.statistics - compute_sketch(layout, draw_codes(ROWS[0])))[layout.told_cells]
    assert (noise != 0).all()
    expected = (release.plan.sketch_noise_multiplier or 0.0) * layout.sensitivity
    assert layout.sensitivity < LAYOUT.sensitivity
    assert noise.std() == pytest.approx(expected, rel=5 / np.sqrt(2 * len(noise)))


def test_one_record_more_moves_the_counts_by_no_more_than_stated(tmp_path: Path) -> None:
    layout = LAYOUT.lacking(POSITIONS)
    sites = [lack(tmp_path / str(rows), rows=rows) for rows in (60, 61)]
    table = draw_table(61)
    for site, rows in zip(sites, (60, 61), strict=True):
        write_table(table[:rows].drop(columns=list(LACKING)), site.folder / "rows.parquet")
    (fewer, stated), (more, _) = (
        count_for_sketch(layout, site.read_units(Part.TRAINING)) for site in sites
    )
    assert stated == layout.sensitivity
    assert np.linalg.norm(more - fewer) == pytest.approx(stated, rel=1e-12)


def test_what_the_table_holds_of_a_missing_column_reaches_nothing(tmp_path: Path) -> None:
    """Two tables that differ there alone, nonsense included, give the same answers, bit for bit."""
    sites = [write_site(tmp_path / name / "s", missing_columns=LACKING) for name in "ab"]
    table = read_table(sites[1].folder / "rows.parquet").astype(object)
    table["colour"], table["smokes"] = "Zyxquintessa", 8675309
    write_table(table.astype(str), sites[1].folder / "rows.parquet")
    sketches = [release_sketch(site, make_request()).statistics for site in sites]
    np.testing.assert_array_equal(*sketches)
    trained = [
        train_round(
            site,
            make_request(),
            _generator(),
            server_round=1,
            pooled_sketch=POOLED,
            pooled_noise_std=3.0,
        )
        for site in sites
    ]
    for one, other in zip(*(each.parameters() for each in trained), strict=True):
        assert torch.equal(one, other)


def _generator():
    from tiny_world import make_generator

    return make_generator(SCHEMA)


def test_the_ledger_is_charged_as_without_and_keeps_the_declaration(tmp_path: Path) -> None:
    site, usual = lack(tmp_path / "s"), write_site(tmp_path / "t")
    for each in (site, usual):
        release_sketch(each, make_request())
    assert site.ledger.events() == usual.ledger.events()
    assert site.ledger.epsilon() == usual.ledger.epsilon()
    details = [e.details for e in site.ledger.entries() if e.details]
    assert details[-1]["missing-columns"] == "1,3"
    assert not any("missing-columns" in e.details for e in usual.ledger.entries())


def test_the_declaration_cannot_change_within_a_study(tmp_path: Path) -> None:
    be_inside_a_run()
    site = lack(tmp_path / "site-1", epsilon=3.0)
    assert not ask_sketch(tmp_path).has_error()
    text = (site.folder / SITE_FILE).read_text()
    (site.folder / SITE_FILE).write_text(text.replace('"smokes",', ""))
    assert load_site(site.folder, is_simulated=True).missing == (1,)
    assert code_of(ask_train(tmp_path)) == "study-changed"


def test_records_that_are_held_out_stay_so_while_the_declaration_stays(tmp_path: Path) -> None:
    """A record's side follows from its codes, and these from what is read."""
    site = lack(tmp_path / "s", holdout=0.3, epsilon=3.0)
    release_sketch(site, make_request())
    text = (site.folder / SITE_FILE).read_text()
    (site.folder / SITE_FILE).write_text(text.replace('"smokes",', ""))
    with pytest.raises(InputError, match="missing columns"):
        check_same_units(load_site(site.folder, is_simulated=True))


def test_a_site_that_lacks_columns_answers_no_evaluation(tmp_path: Path) -> None:
    be_inside_a_run()
    site = lack(tmp_path / "site-1", holdout=0.3)
    assert not ask_sketch(tmp_path, evaluation=True).has_error()
    before = site.ledger.head()
    assert code_of(ask_evaluate(tmp_path)) == "malformed"
    assert site.ledger.head() == before


def test_a_round_takes_a_pooled_sketch_with_its_coverage_and_no_odd_one(tmp_path: Path) -> None:
    be_inside_a_run()
    lack(tmp_path / "site-1")
    assert not ask_sketch(tmp_path).has_error()
    good = np.concatenate([np.ones(DIMENSION), Coverage.of_site(LAYOUT).to_vector()])
    untold = np.concatenate([np.ones(DIMENSION), Coverage.of_site(LAYOUT.lacking({1})).to_vector()])
    odd = good.copy()
    odd[-1] = 2.0
    for vector in (odd, good[:-1], untold):
        assert code_of(ask_train(tmp_path, with_pooled(vector))) == "malformed"
    reply = ask_train(tmp_path, with_pooled(good))
    assert not reply.has_error()


def with_pooled(vector: np.ndarray):
    pooled = ArrayRecord({STATISTICS: Array(vector.astype(np.float32))})
    return train_records() | {POOLED_SKETCH: pooled}


def test_the_audit_of_messages_holds_where_columns_are_missing(tmp_path: Path) -> None:
    be_inside_a_run()
    lack(tmp_path / "site-1")
    statistics = ask_sketch(tmp_path).content.array_records[SKETCH][STATISTICS].numpy()
    told = LAYOUT.lacking(POSITIONS).told_cells
    exact = compute_sketch(LAYOUT.lacking(POSITIONS), draw_codes(ROWS[0]))
    assert (statistics[told] != exact[told]).all()
    assert (statistics[told] != np.round(statistics[told])).mean() > 0.9
    assert not np.unique(statistics[~told]).any()


def test_a_csv_without_the_columns_reads_as_parquet_does(tmp_path: Path) -> None:
    site = lack(tmp_path / "s")
    found = site.read_units(Part.TRAINING).codes
    assert not found[:, sorted(POSITIONS)].any()
    table = pd.read_parquet(site.folder / "rows.parquet")
    table.to_csv(site.folder / "rows.csv", index=False)
    text = (site.folder / SITE_FILE).read_text()
    (site.folder / SITE_FILE).write_text(text.replace("rows.parquet", "rows.csv"))
    other = load_site(site.folder, is_simulated=True)._read_all_units()
    np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(other.codes, axis=0))
