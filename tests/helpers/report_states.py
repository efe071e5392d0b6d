"""Every kind of report that a reader may meet, each as the example with something changed."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

import numpy as np
from example_report import SITES, STUDY, example_evaluation, example_report

from privacy import Unit
from server.report import (
    Copies,
    Event,
    Gain,
    Grid,
    ImageFigures,
    ImageRow,
    Images,
    Rates,
    Refusal,
    Release,
    Report,
    Site,
    Spending,
    Totals,
)
from server.report.gain import list_beliefs
from server.report.images import PNG_PREFIX, RoundGrid
from synthesis.images.pictures import draw_grid
from synthesis.images.schema import ImageSchema


def without_pictures() -> Report:
    """The example, quick to render."""
    return example_report().model_copy(update={"pictures": None})


def deployed() -> Report:
    """A study with real sites and without an evaluation: what the coordinator knows."""
    report = example_report()
    promise = report.promise.model_copy(update={"randomness": "system"})
    absent = ("utility", "pictures", "evaluation", "attacks", "audit", "command")
    unread = {"ledger_head": None, "policy": None, "left": None, "history": ()}
    sites = tuple(site.model_copy(update=unread) for site in report.sites)
    return report.model_copy(
        update=dict.fromkeys(absent) | {"promise": promise, "sites": sites, "limits": ()}
    )


def evaluated() -> Report:
    """The same with figures from hold-outs and with canaries."""
    evaluation = example_evaluation()
    figures = tuple(f.model_copy(update={"exact": None}) for f in evaluation.figures)
    known = evaluation.model_copy(update={"figures": figures})
    return deployed().model_copy(update={"evaluation": known, "audit": example_report().audit})


def failed_audit() -> Report:
    """Canaries at one site were guessed too well."""
    report = evaluated()
    assert report.audit is not None
    first, second, third = report.audit.sites
    found = {"right": 97, "one_run": 2.4172, "f_dp": 2.9031, "refutes": True}
    sites = (first, second.model_copy(update=found), third)
    return report.model_copy(update={"audit": report.audit.model_copy(update={"sites": sites})})


def refused_site() -> Report:
    """Two sites were asked and are not in the release."""
    report = evaluated()
    refusals = (
        Refusal(site="west", phase="hello", reason="no-reply"),
        Refusal(site="island", phase="sketch", reason="refused-budget-exceeded"),
    )
    return report.model_copy(update={"refusals": refusals, "sites": report.sites[:3]})


def succeeding_attack() -> Report:
    """Membership can be told from the published rows, by more than the promise allows."""
    found = {"found": 0.731, "low": 0.714, "high": 0.748, "succeeds": True}
    return _with_first_attack(found)


def foreseen_attack() -> Report:
    """An attack succeeds by no more than the promise allows, and another cannot win at all."""
    found = {"found": 0.523, "low": 0.514, "high": 0.532, "succeeds": True}
    return _with_first_attack(found, {"control": 0.502, "control_succeeds": False})


def _with_first_attack(found: dict[str, object], other: dict[str, object] | None = None) -> Report:
    report = without_pictures()
    assert report.attacks is not None
    first, second, *others = report.attacks.attacks
    attacks = (first.model_copy(update=found), second.model_copy(update=other or {}), *others)
    return report.model_copy(
        update={"attacks": report.attacks.model_copy(update={"attacks": attacks})}
    )


def persons() -> Report:
    """Persons are protected, and their ledgers hold an earlier study."""
    report = without_pictures()
    promise = report.promise.model_copy(update={"unit": Unit.PERSON})
    gain = Gain(
        epsilon=1.9022,
        delta=1e-5,
        beliefs=list_beliefs(1.9022),
        from_losses=_rates(0.03213, 0.004461, 0.59392),
        from_epsilon_delta=_rates(0.067012, 0.0067112, 0.870151),
    )
    sites = tuple(map(_with_older, report.sites))
    return report.model_copy(update={"promise": promise, "gain": gain, "sites": sites})


def _rates(coarse: float, sharp: float, right: float) -> Rates:
    return Rates(
        true_positive_1_percent=coarse,
        true_positive_0_1_percent=sharp,
        posterior_1_percent=coarse / (coarse + 0.01),
        posterior_0_1_percent=sharp / (sharp + 0.001),
        right_guesses=right,
    )


def _with_older(site: Site) -> Site:
    older = Event(
        study="older", purpose="sketch", mechanism="gaussian", noise_multiplier=2.5, epsilon=1.5231
    )
    history = (
        Spending(study="older", reserved="2025-02-03T10:00:00+00:00", alone=1.5231, total=1.5231),
        Spending(study=STUDY, reserved="2026-11-22T18:01:11+00:00", alone=0.99871, total=1.9022),
    )
    return site.model_copy(
        update={
            "budget": 3.0,
            "left": 1.0978,
            "events": (older, *site.events),
            "history": history,
            "total": Totals(pld=1.9022, rdp=2.1104, prv=1.9121),
        }
    )


def sixty_sites() -> Report:
    """Many sites, which are told together where they agree."""
    report = deployed()
    sites = tuple(
        report.sites[number % 4].model_copy(update={"name": f"clinic {number + 1}"})
        for number in range(60)
    )
    return report.model_copy(update={"sites": sites})


def not_private() -> Report:
    """No noise was added and nothing was counted."""
    report = example_report()
    content = report.model_dump(exclude={"stamp"})
    content["promise"] |= {"epsilon": None, "delta": None}
    sites = [Site(name=name, budget=None, delta=None, total=None, left=None) for name in SITES]
    absent = dict.fromkeys(("gain", "refusals", "audit", "evaluation", "sketch_noise"))
    return Report.model_validate(content | absent | {"private": False, "sites": sites})


def of_images() -> Report:
    """A simulation on images instead of a table."""
    absent = ("utility", "pictures", "evaluation", "attacks", "audit", "consistency", "target")
    rows = [("real", 0.9013, 0.03, -0.0012), ("sketch", 0.8016, 3.72, 0.239)]
    figures = ImageFigures(
        train_images=60_000,
        test_images=10_000,
        extractor="b" * 64,
        rows=tuple(
            ImageRow.model_validate(
                {
                    "kind": kind,
                    "accuracy": told,
                    "accuracy_low": told - 0.008,
                    "accuracy_high": told + 0.007,
                    "frechet": frechet,
                    "kernel": kernel,
                }
            )
            for kind, told, frechet, kernel in rows
        ),
        copies=Copies(closer_to_train=0.503, low=0.472, high=0.534, copies=0),
    )
    schema = ImageSchema(name="clothes", height=28, width=28, classes=("T-shirt", "Bag", "Boot"))
    codes = np.random.default_rng(0).integers(0, 256, (30, 785)).astype(np.int16)
    codes[:, -1] = np.arange(30) % 3
    png = PNG_PREFIX + base64.b64encode(draw_grid(codes, schema)).decode()
    grids = tuple(
        Grid.model_validate({"kind": kind, "png": png}) for kind in ("synthetic", "real", "nearest")
    )
    rounds = tuple(RoundGrid(server_round=number, png=png) for number in range(1, 9))
    images = Images(
        shape=schema.shape, classes=schema.classes, grids=grids, rounds=rounds, figures=figures
    )
    release = Release(rows=60_000, columns=("image", "class"), label="class")
    cost = example_report().cost.model_copy(update={"rounds": ()})
    return example_report().model_copy(
        update=dict.fromkeys(absent) | {"images": images, "release": release, "cost": cost}
    )


STATES: Mapping[str, Callable[[], Report]] = {
    "good": example_report,
    "deployed": deployed,
    "evaluated": evaluated,
    "failed-audit": failed_audit,
    "refused-site": refused_site,
    "succeeding-attack": succeeding_attack,
    "foreseen-attack": foreseen_attack,
    "persons": persons,
    "sixty-sites": sixty_sites,
    "not-private": not_private,
    "of-images": of_images,
}
