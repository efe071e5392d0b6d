"""Studies of unlike sites: groups are formed, fitted, improved by their own, and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from site_sketches import LAYOUT, fold, pool, sketch_of
from tiny_sites import make_study, write_site
from tiny_world import SCHEMA, draw_table

from client.app import app
from server.app import Coordinator
from server.checkpoint import Checkpoint
from server.outcome import StudyOutcome
from server.pooling import grouped_pool
from server.pooling.grouped_pool import find_comparison, find_groups
from server.report import build_consistency
from server.study import Study
from simulations.grid import LocalGrid
from strategies.aggregation import PooledSketch
from strategies.protocol import STATISTICS
from synthesis import write_table
from synthesis.group_fitting import SHARE_OF_ALL

NAMES = {101: "north", 102: "south", 103: "east", 104: "west"}


def unlike(number: int = 4) -> dict[int, PooledSketch]:
    return {n: sketch_of(1500 + 10 * n, n, mirrored=n % 2 == 1) for n in range(number)}


def test_groups_and_comparison_come_with_the_answers() -> None:
    answers = fold(unlike())
    groups = find_groups(answers)
    assert [group.nodes for group in groups] == [(1, 3), (0, 2)]
    assert sum(group.sketch.values for group in groups) == pytest.approx(
        pool(unlike()).values, abs=0.1
    )
    compared = find_comparison(answers)
    assert compared is not None
    assert compared.differences.shape == (4, 4)


def test_sites_alike_are_one_group_of_all() -> None:
    answers = fold({n: sketch_of(1500, n) for n in range(3)})
    (group,) = find_groups(answers)
    assert group.nodes == (0, 1, 2)
    assert np.array_equal(group.sketch.values, answers.sums[STATISTICS])
    assert find_comparison(answers) is not None


@pytest.mark.parametrize(
    ("name", "most"), [("MOST_SITES", 3), ("MOST_NUMBERS", 3 * LAYOUT.dimension)]
)
def test_too_many_sketches_are_not_held(
    monkeypatch: pytest.MonkeyPatch, name: str, most: int
) -> None:
    monkeypatch.setattr(grouped_pool, name, most)
    answers = fold(unlike())
    assert len(find_groups(answers)) == 1
    assert find_comparison(answers) is None
    assert len(find_groups(fold(unlike(3)))) == 2


def write(home: Path) -> Path:
    """Two sites whose columns lean one way, and two whose columns lean the other."""
    for number in range(4):
        rows = 1200 + 100 * number
        table = draw_table(rows, number)
        if number % 2 == 1:
            table["smokes"] = np.where(table["smokes"] == "yes", "no", "yes")
            table["outcome"] = np.where(table["outcome"] == "ill", "well", "ill")
        site = write_site(home / f"site-{number + 1}", rows=rows, seed=number, epsilon=10.0)
        write_table(table, site.folder / "rows.parquet")
    return home


def run(home: Path, study: Study, checkpoint: Checkpoint | None = None) -> StudyOutcome:
    grid = LocalGrid(app, 4, run_config={"sites-dir": str(home)})
    coordinator = Coordinator(study, SCHEMA, num_sites=4, checkpoint=checkpoint)
    return coordinator.run(grid)


def study_of(**changes: Any) -> Study:
    return make_study(**({"epsilon": 10.0, "fit_steps": 60} | changes))


def weights_of(outcome: StudyOutcome) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in outcome.generator.parameters()])


def test_a_study_of_unlike_sites_describes_them_apart(tmp_path: Path) -> None:
    outcome = run(write(tmp_path), study_of()).with_names(NAMES)
    *groups, everywhere = outcome.generator.settings.groups
    assert sorted(group.sites for group in groups) == [("east", "north"), ("south", "west")]
    assert everywhere.sites == () and everywhere.share == SHARE_OF_ALL
    assert sum(group.share for group in groups) == pytest.approx(1 - SHARE_OF_ALL)
    assert all(record.changed and len(record.valid) == 4 for record in outcome.rounds)
    parts = [each.anchors.chunk(3) for each in (outcome.sketch_generator, outcome.generator)]
    improved = [not torch.equal(*several) for several in zip(*parts, strict=True)]
    assert improved == [False, False, True]  # rounds improve what describes all sites
    told = build_consistency(outcome, SCHEMA, NAMES)
    assert [site.name for site in told.sites] == ["east", "north", "south", "west"]
    found = {conflict.columns for site in told.sites for conflict in site.conflicts}
    assert ("age", "smokes") in found
    assert ("age",) not in found
    assert sum(group.share for group in told.groups) == pytest.approx(1)
    assert all(group.sites for group in told.groups)
    assert told.differences[0][1] < 1.6 < 10 < told.differences[0][2]
    assert told.apart == 4.0


def test_a_study_may_ask_for_one_group(tmp_path: Path) -> None:
    outcome = run(
        write(tmp_path), study_of(max_site_groups=1, rounds=0, adversarial_share=0)
    ).with_names(NAMES)
    (group,) = outcome.generator.settings.groups
    assert group.sites == ("east", "north", "south", "west")
    assert outcome.comparison is None  # a study that describes all together compares none of them
    told = build_consistency(outcome, SCHEMA, NAMES)
    assert told is not None and (told.sites, told.differences) == ((), ())


@pytest.mark.slow
def test_a_study_of_groups_resumes_bit_for_bit(tmp_path: Path) -> None:
    """The coordinator ends after its fit, and another takes what was kept."""

    class Died(BaseException):
        pass

    study, kept = study_of(), tmp_path / "kept"
    expected = run(write(tmp_path / "a"), study)
    home = write(tmp_path / "b")

    def die(event: Any) -> None:
        if event["event"] == "round-finished":
            raise Died

    grid = LocalGrid(app, 4, run_config={"sites-dir": str(home)})
    with pytest.raises(Died):
        Coordinator(study, SCHEMA, num_sites=4, checkpoint=Checkpoint(kept), on_event=die).run(grid)
    again = run(home, study, Checkpoint(kept))
    assert again.groups == expected.groups
    assert torch.equal(weights_of(again), weights_of(expected))
