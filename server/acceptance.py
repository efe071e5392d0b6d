"""Whether every site that answered takes part, and if not, why, in words for the coordinator.

A site says no in one word of a fixed list. What it allows stands in the same answer, so the
sentence can name it; nothing else of a site is repeated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from privacy import PublicKey
from server.study import Study
from strategies import protocol
from strategies.collect import Answers
from strategies.errors import StudyFailed
from strategies.protocol import RefusalCode
from strategies.receipts import ReceiptProblem
from strategies.validation import UNREACHABLE, ConfigValue

LEAST_NOISE_SHARE: Final = 1 - 1e-6
"""A site that states less noise than the plan asks for would outweigh all others."""
_REFUSED: Final = "refused-"
_MEANING: Final[Mapping[str, str]] = {
    RefusalCode.SCHEMA_MISMATCH: "it has approved another schema",
    RefusalCode.VERSION_MISMATCH: "its software {software-version} speaks another protocol",
    RefusalCode.MALFORMED: "it does not understand the question",
    RefusalCode.UNKNOWN_MESSAGE: "it does not understand the question",
    RefusalCode.POLICY_EXPIRES: "its policy has expired",
    RefusalCode.POLICY_STUDY_KINDS: "its policy does not allow all that the study releases",
    RefusalCode.POLICY_HOLDOUT: "it holds nobody out, and the study asks for an evaluation",
    RefusalCode.POLICY_MODELS: "its policy does not allow the model {asked-model}",
    RefusalCode.POLICY_MAX_ROUNDS: (
        "its policy allows {policy-max-rounds} rounds and the study asks for {asked-rounds}"
    ),
    RefusalCode.POLICY_SMALLEST_NOISE_MULTIPLIER: (
        "its policy asks for a noise multiplier of at least {policy-smallest-noise-multiplier:g} "
        "in every release, and the study would use less"
    ),
    RefusalCode.POLICY_MAX_EPSILON_PER_STUDY: (
        "its policy allows one study epsilon {policy-max-epsilon-per-study:g} and this one asks "
        "for {asked-epsilon:g}"
    ),
    RefusalCode.POLICY_MAY_BE_TOLD_APART: (
        "its policy says may_be_told_apart = false and the study may tell sites apart; set "
        "max_site_groups = 1 and a strategy that compares no sites"
    ),
    RefusalCode.POLICY_MAY_SEND_DISCRIMINATOR: (
        "its policy says may_send_discriminator = false and the study takes discriminators; choose "
        "another strategy than mdgan, or on images rounds = 0"
    ),
    RefusalCode.BUDGET_EXCEEDED: "its budget for life has too little left",
    RefusalCode.STUDY_CHANGED: "it knows a study of this name with other settings",
    RefusalCode.ALREADY_RELEASED: (
        "it has answered this study before, or was interrupted over it too often"
    ),
    RefusalCode.LEDGER_BROKEN: "its ledger was altered, or is older than a receipt it gave",
    RefusalCode.NOT_JOINED: "it has joined another study, or other settings of this one",
    RefusalCode.UNKNOWN_BUNDLE: "the bundle of this run is not one that it knows",
    RefusalCode.TOO_LARGE: "the message is larger than it accepts",
    RefusalCode.LOCAL_FAILURE: "something failed there, and its own log says what",
    ReceiptProblem.NOT_SIGNED: "its receipt is not signed with the key it names",
    ReceiptProblem.KEY_CHANGED: "it has another key than before",
    ReceiptProblem.KEY_SHARED: "another node says hello with the same key",
    ReceiptProblem.LEDGER_REPLACED: "its ledger is not the one it gave a receipt for",
    ReceiptProblem.WENT_BACK: "its ledger is older than a receipt it gave",
    ReceiptProblem.FORKED: "its ledger was copied, and both copies were used",
}


LARGEST_NOISE = 1e6
"""Largest noise multiplier of a sketch that a site may state; calibration never asks for more."""


def check_acceptance(answers: Answers, study: Study, keys: Mapping[int, PublicKey]) -> None:
    """Raise unless every site that can be reached takes part.

    One that says no ends the study here, where it costs nobody anything: settings that all sites
    accept are better found before the others have spent their budgets.

    Args:
        answers: to hello.
        study: what was asked for.
        keys: by node, of the sites whose receipts are good.

    Raises:
        StudyFailed: naming each such site, its code and what it allows.
    """
    refused: dict[int, str] = {
        node: _say(str(reply.config[protocol.REFUSAL_CODE]), study, reply.config)
        for node, reply in answers.valid.items()
        if not reply.config[protocol.ACCEPTED]
    }
    broken = {
        node: _say(code, study, {})
        for node, code in answers.rejected.items()
        if code not in UNREACHABLE
    }
    if reasons := broken | refused:
        sites = "; ".join(f"{_name(n, keys)}: {reason}" for n, reason in sorted(reasons.items()))
        raise StudyFailed(f"no budget was spent, because not every site can take part ({sites}).")


def _say(code: str, study: Study, answer: Mapping[str, ConfigValue]) -> str:
    facts = {
        "asked-rounds": study.rounds,
        "asked-epsilon": study.epsilon,
        "asked-model": study.model,
    }
    meaning = _MEANING.get(code.removeprefix(_REFUSED))
    if meaning is None:
        return code
    try:
        return f"{code}, {meaning.format_map({**facts, **answer})}"
    except KeyError:  # an error reply says the code alone
        return code


def _name(node: int, keys: Mapping[int, PublicKey]) -> str:
    key = keys.get(node)
    return f"site {node}" if key is None else f"site {node} with key {key.fingerprint}"


def find_least_noise(study: Study) -> Callable[[float], float]:
    """Return which sketch noise a site must state at least, by the epsilon that it states.

    It is infinite where a site may not spend that.
    """

    @cache
    def find(epsilon: float) -> float:
        is_less = study.allow_less_epsilon and 0 < epsilon < study.epsilon
        if epsilon != study.epsilon and not is_less:
            return math.inf
        try:
            plan = study.make_plan(epsilon)
        except (ValueError, ArithmeticError):  # as of an epsilon next to nothing
            return math.inf
        return LEAST_NOISE_SHARE * (plan.sketch_noise_multiplier or 0.0)

    return find
