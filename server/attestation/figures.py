"""What is computed again: epsilon from events, and the figures of report and table."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from privacy import compute_epsilon
from server.attestation.checks import shown
from server.attestation.folder import FolderContent
from server.attestation.predicate import Predicate, SiteClaim
from server.attestation.verdict import Check
from synthesis.kinds import IMAGES, VAE

REPORT_FILE: Final = "report.json"
TABLE_FILE: Final = "synthetic.parquet"
IMAGES_FILE: Final = "synthetic.npz"
_TOLERANCE: Final = 1e-6
_MISSING: Final = object()


def check_epsilon(predicate: Predicate) -> Check:
    """Compute every site's epsilon again and hold it to what is stated and promised."""
    guarantee = predicate.guarantee
    problems = []
    for site in predicate.sites:
        name = shown(site.name)
        try:
            epsilon = compute_epsilon(
                site.read_events(), guarantee.delta, adjacency=guarantee.adjacency
            )
        except ValueError as error:
            problems.append(f"the events of site {name} cannot be accounted for: {error}")
            continue
        if not math.isclose(epsilon, site.epsilon, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE):
            problems.append(
                f"the events of site {name} cost epsilon {epsilon:.6f}, and {site.epsilon:.6f} is "
                "stated"
            )
        if epsilon > guarantee.epsilon * (1 + _TOLERANCE):
            problems.append(
                f"the events of site {name} cost epsilon {epsilon:.6f}, above the promised "
                f"{guarantee.epsilon:g}"
            )
    return Check(
        name="epsilon",
        found=f"computed again from the events of {len(predicate.sites)} sites",
        problems=tuple(problems),
    )


def check_report(
    predicate: Predicate, folder: Path, content: FolderContent, report: object
) -> Check:
    """Check that the report, as `read_report` returned it, and the table fit the statement."""
    problems = []
    if report is None:
        problems.append(f"{REPORT_FILE} is missing or cannot be read")
    else:
        problems += [
            f"{REPORT_FILE} and the statement differ in {what}"
            for what in _differences(report, predicate)
        ]
    is_of_images = _is_of_images(predicate, content)
    name, count = (IMAGES_FILE, _count_images) if is_of_images else (TABLE_FILE, _count_rows)
    rows = count(folder / name) if name in content.digests else None
    if rows is None:
        problems.append(f"{name} is missing or cannot be read")
    elif rows != predicate.sampling.rows:
        problems.append(f"{name} has {rows} rows, and {predicate.sampling.rows} are stated")
    return Check(
        name="report",
        found=f"{REPORT_FILE} and {name} beside the statement",
        problems=tuple(problems),
    )


def _is_of_images(predicate: Predicate, content: FolderContent) -> bool:
    """Return which of the two a release holds; an autoencoder is for both."""
    model = predicate.study.settings.get("model")
    return model == IMAGES or (model == VAE and IMAGES_FILE in content.digests)


def read_report(folder: Path, content: FolderContent) -> object:
    """Return the plain JSON of the report, or None if there is none that could be read."""
    if REPORT_FILE not in content.digests:
        return None
    try:
        return json.loads((folder / REPORT_FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def _count_rows(path: Path) -> int | None:
    from pyarrow import ArrowException
    from pyarrow.parquet import read_metadata

    try:
        return int(read_metadata(path).num_rows)
    except (OSError, ArrowException):
        return None


def _count_images(path: Path) -> int | None:
    import zipfile

    import numpy as np

    try:
        with zipfile.ZipFile(path) as archive, archive.open("labels.npy") as file:
            version = np.lib.format.read_magic(file)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            (number,), _, _ = read(file)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, NotImplementedError, EOFError):
        return None
    return int(number)


def _differences(report: object, predicate: Predicate) -> Iterator[str]:
    guarantee = predicate.guarantee
    stated = {
        "private": True,
        "dataset": predicate.dataset,
        "study": predicate.study.name,
        "software": [each.model_dump() for each in predicate.software],
        "release.rows": predicate.sampling.rows,
        **{f"promise.{key}": value for key, value in guarantee.model_dump(mode="json").items()},
    }
    yield from (name for name, value in stated.items() if _get(report, name) != value)
    sites = _get(report, "sites")
    if not isinstance(sites, list) or len(sites) != len(predicate.sites):
        yield "the number of sites"
        return
    for found, site in zip(sites, predicate.sites, strict=True):
        for what, value in _site_facts(site, guarantee.delta).items():
            if _get(found, what) != value:
                yield f"{what} of site {shown(site.name)}"
        if _events_of(found, predicate.study.name) != [_as_reported(e) for e in _events(site)]:
            yield f"the events of site {shown(site.name)}"


def _site_facts(site: SiteClaim, delta: float) -> dict[str, object]:
    facts: dict[str, object] = {"name": site.name, "delta": delta, "total.pld": site.epsilon}
    if site.receipt is None:
        return facts | {"receipt": None}
    return facts | {"receipt.public_key": site.public_key, "receipt.text": site.receipt}


def _events(site: SiteClaim) -> list[dict[str, Any]]:
    return [event.model_dump(mode="json") for event in site.events]


def _events_of(site: object, study: str) -> list[Mapping[str, object]]:
    events = _get(site, "events")
    found = events if isinstance(events, list) else []
    return [_as_reported(event) for event in found if _get(event, "study") == study]


def _as_reported(event: Mapping[str, object]) -> Mapping[str, object]:
    names = ("purpose", "mechanism", "noise_multiplier", "sample_rate", "steps")
    return {name: event.get(name) for name in names}


def _get(content: object, path: str) -> object:
    """Return what stands at a dotted path of plain JSON, or something that equals nothing else."""
    for name in path.split("."):
        if not isinstance(content, dict) or name not in content:
            return _MISSING
        content = content[name]
    return content
