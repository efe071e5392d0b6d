"""A public target in the report of a study: what it says of sites, and when it says why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coordinators import make_server
from digit_images import DIGITS
from example_evidence import example_target
from example_report import example_report
from tiny_sites import ROWS, make_study, write_site
from tiny_world import SCHEMA, draw_table

from client.app import app
from privacy import Ledger
from server.app import Coordinator
from server.checkpoint import Checkpoint
from server.deploy.reporting import make_report
from server.deploy.studying import StudyOrder, run_study
from server.pooling import grouped_pool
from server.public_target import PublicTarget
from server.report import Report, TargetReport, render_html, report_from_json, report_to_json
from simulations.grid import LocalGrid
from synthesis import InputError, write_table
from synthesis.mixing.margin_cells import MarginCells
from synthesis.mixing.target_file import Target

NAMES = {101: "west", 102: "north", 103: "east"}
SMOKES = {"column": "smokes", "shares": {"yes": 0.5}}
WITH_AGE = {"columns": ["age", "smokes"], "shares": {"<15": {"yes": 0.1}}}
TEXT = '[[margins]]\ncolumn = "smokes"\nshares = { yes = 0.5 }\n'


def target_of(*margins: dict[str, Any]) -> PublicTarget:
    target = Target.of({"margins": list(margins)})
    cells = tuple(map(MarginCells.of, target.read(SCHEMA)))
    return PublicTarget(margins=cells, sha256=target.digest())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Three sites; at the second, called north, everybody smokes."""
    for number, rows in enumerate(ROWS):
        site = write_site(tmp_path / f"site-{number + 1}", rows=rows, seed=number, epsilon=20.0)
        if number == 1:
            table = draw_table(rows, number)
            table["smokes"] = "yes"
            write_table(table, site.folder / "rows.parquet")
    return tmp_path


def run(
    home: Path, target: PublicTarget | None, checkpoint: Checkpoint | None = None, **changes: Any
) -> Report:
    study = make_study(epsilon=20.0, rounds=0, adversarial_share=0, **changes)
    grid = LocalGrid(app, 3, run_config={"sites-dir": str(home)})
    coordinator = Coordinator(study, SCHEMA, num_sites=3, checkpoint=checkpoint, target=target)
    outcome = coordinator.run(grid).with_names(NAMES)
    return make_report(study, SCHEMA, outcome, NAMES, 100)


def told_of(report: Report) -> TargetReport:
    assert report_from_json(report_to_json(report)) == report
    assert report.target is not None
    return report.target


def text_of(page: str) -> str:
    return " ".join(page.split())


def test_a_report_of_real_sites_says_how_far_they_are_from_a_public_target(home: Path) -> None:
    report = run(home, target := target_of(SMOKES, WITH_AGE))
    assert report.promise.randomness == "system" and report.utility is None
    told = told_of(report)
    assert (told.sha256, told.sites) == (target.sha256, ("east", "north", "west"))
    assert [margin.columns for margin in told.margins] == [("smokes",), ("age", "smokes")]
    smokes = told.margins[0]
    north = smokes.sites[1]
    assert north is not None and north.is_beyond
    assert north.distance == pytest.approx(0.5, abs=6 * north.expected)
    assert told.furthest == ("north", smokes, north)
    others = [draw_table(ROWS[number], number)["smokes"] == "yes" for number in (0, 2)]
    share = (sum(each.sum() for each in others) + ROWS[1]) / sum(ROWS)
    assert smokes.together is not None
    assert smokes.together.distance == pytest.approx(
        abs(share - 0.5), abs=6 * smokes.together.expected
    )
    page = text_of(render_html(report))
    assert "Site <b>north</b> is furthest from the target in smokes" in page


def test_a_target_costs_nothing_and_changes_nothing_else(home: Path, tmp_path: Path) -> None:
    place = tmp_path / "kept"
    with_target = run(home, target_of(SMOKES), Checkpoint(place))
    without = run(home, None, Checkpoint(place))
    assert without.target is None and 'id="target"' not in render_html(without)
    assert without.consistency == with_target.consistency
    spent = {Ledger.open(path).events() for path in home.glob("site-*/ledger.sqlite")}
    assert spent == {make_study(epsilon=20.0, rounds=0, adversarial_share=0).make_plan().events()}


@pytest.mark.parametrize("most", ["sites", "groups"])
def test_where_sites_are_not_compared_the_page_says_so_instead(
    home: Path, monkeypatch: pytest.MonkeyPatch, most: str
) -> None:
    changes = {"max_site_groups": 1} if most == "groups" else {}
    if most == "sites":
        monkeypatch.setattr(grouped_pool, "MOST_SITES", 2)
    report = run(home, target_of(SMOKES), **changes)
    told = told_of(report)
    assert (told.sites, told.margins[0].sites, told.furthest) == ((), (), None)
    assert told.margins[0].together is not None and told.margins[0].generator > 0
    assert "Sites are not shown by themselves" in text_of(render_html(report))


def test_what_is_kept_of_sites_is_kept_for_its_target(home: Path, tmp_path: Path) -> None:
    """Sketches are forgotten once they are added up; another target comes too late for sites."""
    place = tmp_path / "kept"
    first = told_of(run(home, target_of(SMOKES), Checkpoint(place)))
    assert told_of(run(home, target_of(SMOKES), Checkpoint(place))) == first
    other = told_of(run(home, target_of(WITH_AGE), Checkpoint(place)))
    assert other.sites == () and other.margins[0].together is not None


def test_only_what_is_beyond_noise_is_said_in_a_sentence() -> None:
    report = example_report()
    assert "Site <b>west</b> is furthest from the target in age: 0.313, where noise alone" in (
        text_of(render_html(report))
    )
    quiet = [
        margin.model_copy(
            update={
                "sites": tuple(
                    each and each.model_copy(update={"is_beyond": False}) for each in margin.sites
                )
            }
        )
        for margin in example_target().margins
    ]
    update = {"target": example_target().model_copy(update={"margins": tuple(quiet)})}
    page = text_of(render_html(report.model_copy(update=update)))
    assert "is furthest from" not in page
    assert "No site is further from the target than noise explains." in page
    assert "south&nbsp;not told" in page


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("margins = 3", "^target file .* cannot be used"),
        (TEXT.replace("smokes", "smoke"), "target: the schema has no column 'smoke'"),
        (TEXT.replace("yes = 0.5", "yes = 0.5, no = 0.6"), "target: the shares of 'smokes' add"),
        (TEXT + TEXT, "target: there are two margins of 'smokes'"),
        (None, r"^target file .* cannot be read \(No such file"),
    ],
)
def test_a_target_that_cannot_be_used_is_refused_in_a_sentence(
    tmp_path: Path, text: str | None, said: str
) -> None:
    path = tmp_path / "target.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=said) as caught:
        PublicTarget.load(path, SCHEMA)
    assert caught.value.argument == "target"


def test_images_have_no_margins(tmp_path: Path) -> None:
    (tmp_path / "target.toml").write_text(TEXT)
    with pytest.raises(InputError, match="target is for tables"):
        PublicTarget.load(tmp_path / "target.toml", DIGITS)


def test_a_good_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "target.toml").write_text(TEXT)
    found = PublicTarget.load(tmp_path / "target.toml", SCHEMA)
    assert found.sha256 == target_of(SMOKES).sha256
    assert np.allclose(found.margins[0].shares, [0.5, 0.5])


def test_an_order_hands_its_target_to_the_coordinator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[PublicTarget | None] = []

    class Stop(Exception):
        pass

    def stop(*_: object, target: PublicTarget | None, **__: object) -> None:
        seen.append(target)
        raise Stop

    monkeypatch.setattr("server.deploy.studying.Coordinator", stop)
    monkeypatch.setattr("server.deploy.studying._find_sites", lambda server, order: {})
    order = StudyOrder(
        study=make_study(),
        schema=SCHEMA,
        num_sites=None,
        num_rows=None,
        out=tmp_path / "out",
        target=(target := target_of(SMOKES)),
    )
    with pytest.raises(Stop):
        run_study(make_server(tmp_path / "coordinator"), order, lambda event: None)
    assert seen == [target]
