"""The sketch of a site: charged before a row is read, released once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from asking import ask_sketch, be_inside_a_run
from tiny_sites import ROWS, make_request, write_site
from tiny_world import SCHEMA, draw_codes

from client.site import Site, load_site
from client.sketching import release_sketch, reserve_study
from privacy import AlreadyReleased, BudgetExceeded, Part, State
from synthesis import InputError
from synthesis.layout import SketchLayout, compute_sketch
from synthesis.schema import Schema
from synthesis.units import Units


def states_of(site: Site) -> list[tuple[State, str]]:
    return [(entry.state, entry.note) for entry in site.ledger.entries()[1:]]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return write_site(tmp_path / "site-1")


def test_the_ledger_holds_the_study_before_a_row_is_read(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[float, list[tuple[State, str]]]] = []

    def watched(self: Site, part: Part) -> Units:
        seen.append((self.ledger.epsilon(), states_of(self)))
        return original(self, part)

    original = Site.read_units
    monkeypatch.setattr(Site, "read_units", watched)
    release_sketch(site, make_request())
    ((epsilon, states),) = seen
    assert epsilon > 0.99
    assert [state for state, _ in states] == [State.RESERVED, State.RESERVED, State.RUNNING]
    assert states[-1] == (State.RUNNING, "sketch")


def test_a_study_the_budget_does_not_allow_reads_nothing(tmp_path: Path) -> None:
    site = write_site(tmp_path / "s", epsilon=0.5)
    (site.folder / "rows.parquet").unlink()  # reading would be an InputError
    with pytest.raises(BudgetExceeded):
        release_sketch(site, make_request())
    assert states_of(site) == []


def test_a_missing_data_file_leaves_the_budget_spent(site: Site) -> None:
    (site.folder / "rows.parquet").unlink()
    with pytest.raises(InputError):
        release_sketch(site, make_request())
    assert (spent := site.ledger.epsilon()) > 0.99
    for _ in range(2):  # it may begin again, which costs nothing and gives nothing back
        with pytest.raises(InputError):
            release_sketch(site, make_request())
    with pytest.raises(AlreadyReleased, match="interrupted 3 times"):
        release_sketch(site, make_request())
    assert site.ledger.epsilon() == spent


def test_a_second_sketch_of_a_study_is_refused(site: Site) -> None:
    be_inside_a_run()
    assert not ask_sketch(site.folder.parent).has_error()
    before = site.ledger.head()
    with pytest.raises(AlreadyReleased, match="answered before"):
        release_sketch(site, make_request())
    assert site.ledger.head() == before


def test_a_second_study_finds_the_budget_spent(site: Site) -> None:
    release_sketch(site, make_request())
    with pytest.raises(BudgetExceeded):
        release_sketch(site, make_request(study_id="another"))


@pytest.mark.parametrize(
    "change",
    [
        {"rounds": 3, "discriminator_steps": 2},
        {"rounds": 1, "discriminator_steps": 6},
        {"sample_rate": 0.1},
        {"adversarial_share": 0.5},
        {"epsilon": 0.9},
        {"config_hash": "another"},
    ],
)
def test_a_study_cannot_be_asked_again_with_other_settings(site: Site, change) -> None:
    reserve_study(site, make_request())
    with pytest.raises(ValueError, match="other events or details"):
        reserve_study(site, make_request(**change))


def test_the_plan_costs_at_most_what_was_asked(site: Site) -> None:
    plan, _ = reserve_study(site, make_request())
    assert site.ledger.events() == plan.events()
    assert site.ledger.epsilon() <= 1.0
    assert site.ledger.epsilon("rdp") < 1.6  # a looser rule, but of the same order


def test_noise_has_the_size_of_the_plan_and_is_that_of_the_whole_sketch(site: Site) -> None:
    layout = SketchLayout.from_schema(SCHEMA)
    release = release_sketch(site, make_request())
    assert release.plan.sketch_noise_multiplier is not None
    noise = release.statistics - compute_sketch(layout, draw_codes(ROWS[0]))
    expected = release.plan.sketch_noise_multiplier * layout.sensitivity
    assert noise.shape == (layout.dimension,)
    assert noise.std() == pytest.approx(expected, rel=5 / np.sqrt(2 * len(noise)))
    assert abs(noise.mean()) < 5 * expected / np.sqrt(len(noise))


def test_sites_and_studies_have_noise_of_their_own(tmp_path: Path) -> None:
    layout = SketchLayout.from_schema(SCHEMA)
    exact = compute_sketch(layout, draw_codes(ROWS[0]))
    noise = [
        release_sketch(write_site(tmp_path / name), make_request(study_id=study)).statistics - exact
        for name, study in [("a", "one"), ("b", "one"), ("c", "two")]
    ]
    assert np.abs(np.corrcoef(noise) - np.eye(3)).max() < 0.5


def test_the_sketch_alone_ends_the_reservation(site: Site) -> None:
    be_inside_a_run()
    assert not ask_sketch(site.folder.parent, rounds=0, adversarial_share=0.0).has_error()
    assert states_of(site)[-1][0] is State.DONE


def test_a_table_without_rows_answers_like_any_other(tmp_path: Path) -> None:
    site = write_site(tmp_path / "s")
    table = pd.read_parquet(site.folder / "rows.parquet")
    table.iloc[0:0].to_parquet(site.folder / "rows.parquet")
    statistics = release_sketch(site, make_request()).statistics
    assert np.isfinite(statistics).all()
    assert statistics.std() > 1.0  # nothing but noise


def sketch_of(site: Site) -> np.ndarray:
    units = site.read_units(Part.TRAINING)
    return compute_sketch(SketchLayout.from_schema(site.schema), units.codes, units.weights())


@pytest.mark.parametrize("broken", ["999", "old", "", "-1"])
def test_a_record_that_breaks_the_schema_cannot_be_told_from_its_absence(
    tmp_path: Path, broken: str
) -> None:
    """Neither an error nor a change in how others are read: it does not take part."""
    lines = ["age,colour,outcome,smokes", *["12,red,ill,yes", "7,blue,well,no", "3,,ill,no"] * 5]
    before, after = (write_site(tmp_path / name) for name in ("before", "after"))
    for site, extra in ((before, []), (after, [f"{broken},red,ill,yes"])):
        _use_csv(site, [*lines, *extra])
    assert before.read_units(Part.TRAINING).n_units == 15
    np.testing.assert_array_equal(sketch_of(after), sketch_of(before))


def test_one_record_never_changes_how_others_are_read(tmp_path: Path) -> None:
    """Numbers in a CSV column stay what they are when a word joins them."""
    levels = ("1", "2", "x")
    content = SCHEMA.model_dump() | {"columns": list(SCHEMA.model_dump()["columns"])}
    content["columns"][1] = {"kind": "categorical", "name": "colour", "categories": levels}
    schema = Schema.model_validate(content)
    lines = ["age,colour,outcome,smokes", *["12,1.0,ill,yes", "7,2,well,no"] * 10]
    before, after = (write_site(tmp_path / n, schema=schema) for n in ("before", "after"))
    _use_csv(before, lines)
    _use_csv(after, [*lines, "3,x,ill,no"])
    moved = np.linalg.norm(sketch_of(after) - sketch_of(before))
    assert moved == pytest.approx(SketchLayout.from_schema(schema).sensitivity)


def _use_csv(site: Site, lines: list[str]) -> None:
    (site.folder / "rows.csv").write_text("\n".join(lines) + "\n")
    config = (site.folder / "site.toml").read_text()
    (site.folder / "site.toml").write_text(config.replace("rows.parquet", "rows.csv"))
    object.__setattr__(site, "config", load_site(site.folder).config)


@pytest.mark.parametrize("change", [{"study_id": "two"}, {"name": "b"}])
def test_each_study_and_each_site_has_noise_of_its_own(tmp_path: Path, change: dict) -> None:
    """One thing changes at a time; shared noise would cancel by subtraction."""
    exact = compute_sketch(SketchLayout.from_schema(SCHEMA), draw_codes(ROWS[0]))
    noise = []
    for number, chosen in enumerate([{}, change]):
        home = tmp_path / str(number) / chosen.get("name", "a")
        request = make_request(study_id=chosen.get("study_id", "one"))
        noise.append(release_sketch(write_site(home), request).statistics - exact)
    assert abs(np.corrcoef(noise)[0, 1]) < 0.5
