"""What a site finds out about a study before it joins; a process of its own, run by ``join``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from client.node.keys import load_node_key
from client.reserving import check_study
from client.settings import StudyRequest
from client.site import load_site
from fedsynth.endings import sentences
from fedsynth.site.reading import read_ledger, source_of_site
from fedsynth.site.rehearsal import rehearse
from privacy import State, compute_epsilon
from server.question import settings_of
from server.study import load_study


def check_before_joining(folder: Path, study_file: Path) -> dict[str, str]:
    """Return name and digest of a study and what it costs here at most; nothing is written.

    Of a study that this site's ledger closed as finished it says that, under ``over``.

    Raises:
        InputError: if the site or the study cannot be used.
        BudgetExceeded, PolicyViolation, StudyChanged: if the site would refuse it.
    """
    site, study = load_site(folder), load_study(study_file)
    load_node_key(folder)
    reading = read_ledger(source_of_site(site))
    known = reading.book.of_study(study.name)
    request = StudyRequest.from_config(dict(settings_of(study)))
    with rehearse(site) as rehearsed:
        plan = check_study(rehearsed, request)
        policy = rehearsed.ledger.policy
    if any(entry.state is State.DONE for entry in known):
        over = (
            f"Study {study.name!r} is finished and closed in this site's ledger; nothing is left "
            "to answer, so this site does not wait."
        )
        return {"study": study.name, "over": over}
    unit, spent = policy.unit.value, reading.summary.epsilon_pld
    if known:
        cost = (
            f"study {study.name!r} is in this site's ledger already and costs nothing more; "
            f"spent so far is epsilon {spent:.4f} of {policy.epsilon:g}"
        )
    else:
        together = compute_epsilon(plan.events(), policy.delta)
        after = compute_epsilon((*reading.book.events(), *plan.events()), policy.delta)
        cost = (
            f"study {study.name!r} costs one {unit} at most epsilon {together:.4f} at delta "
            f"{policy.delta:g}; this site would then have spent {after:.4f} of {policy.epsilon:g}"
        )
    several = f"{study.rounds} adversarial round{'s' if study.rounds > 1 else ''}"
    rounds = several if study.rounds else "no adversarial round"
    sentence = (
        f"This site will answer hello, send one noisy sketch, take part in {rounds}"
        f"{' and send noised counts of its hold-out' if study.evaluation else ''}: {cost}."
    )
    return {"study": study.name, "config_hash": study.digest(), "sentence": sentence}


if __name__ == "__main__":
    with sentences():
        finding = check_before_joining(Path(sys.argv[1]), Path(sys.argv[2]))
        sys.stdout.write(json.dumps(finding))
