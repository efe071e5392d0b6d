"""Membership inference: was this row trained on? Told from the published rows or the generator."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from synthesis.attacks.likeness import Likeness
from synthesis.attacks.records import Records
from synthesis.attacks.trial import Trial
from synthesis.generator import Generator
from synthesis.units import Codes

Scores = NDArray[np.float64]

DISTANCE = "distance to the closest synthetic row"
DENSITY = "density of rows, over independent columns"
LIKELIHOOD = "likelihood under the published generator"
_PART = 500  # rows at a time
_LEAST = 1e-30


def attack_by_rows(records: Records) -> list[Trial]:
    """Try two scores that need the published rows alone.

    The distance to the closest synthetic row is what many tools show. The density of synthetic rows
    around a row, over what it would be if columns were independent, asks how much more of it was
    published than its cells alone explain (after DOMIAS, van Breugel et al. 2023; as a reference,
    independent columns found more members here than real rows did, and need none).
    """
    likeness, shares = Likeness(records.schema), records.shares()

    def score(rows: Codes) -> tuple[Scores, Scores]:
        nearest, density = np.empty(len(rows)), np.empty(len(rows))
        for part, distances in likeness.compare(rows, records.compared):
            nearest[part] = distances.min(axis=1)
            density[part] = likeness.log_density(distances)
        return -nearest, density - likeness.log_independent(rows, shares)

    scored = zip(*map(score, records.tried), strict=True)
    return [
        Trial.of_scores(name, members, others)
        for name, (members, others) in zip((DISTANCE, DENSITY), scored, strict=True)
    ]


def attack_by_likelihood(records: Records, generator: Generator) -> Trial:
    """Try how likely the generator gives a row, over what independent columns would."""
    shares = records.shares()

    def score(rows: Codes) -> Scores:
        independent = sum(np.log(each[rows[:, i]]) for i, each in enumerate(shares))
        return log_likelihood(generator, rows) - independent

    number = max(len(records.tried[0]), round(len(records.members) * records.thrift))
    return Trial.of_scores(
        LIKELIHOOD, score(records.members[:number]), score(records.others[:number])
    )


@torch.no_grad()
def log_likelihood(generator: Generator, rows: Codes) -> Scores:
    """Return the exact log probability of rows, ``(len(rows),)``, by the sum over latent codes."""
    mixture = generator.mixture()
    tables = [column.double().clamp_min(_LEAST).log() for column in mixture.columns]
    label_index = mixture.label_index
    told = []
    for start in range(0, len(rows), _PART):
        codes = torch.from_numpy(rows[start : start + _PART].astype(np.int64))
        label = codes[:, label_index]
        total = torch.zeros(len(codes), len(mixture.label), dtype=torch.float64)
        for index, table in enumerate(tables):
            if table.ndim == 3:  # (classes, parts, codes)
                total += table[label, :, codes[:, index]]
            else:
                total += table[:, codes[:, index]].T
        told.append(torch.logsumexp(total, dim=1) - np.log(total.shape[1]))
    return np.asarray(torch.cat(told).numpy(), dtype=np.float64)
