"""A policy in words: what it allows, and in what it differs from another."""

from __future__ import annotations

from collections.abc import Mapping

from privacy import Policy


def policy_cells(policy: Policy) -> Mapping[str, str]:
    """Return every setting of a policy as its name in the file and a text."""
    expires = policy.expires
    return {
        "epsilon": f"{policy.epsilon:g}",
        "delta": f"{policy.delta:g}",
        "unit": policy.unit.value,
        "holdout": f"{policy.holdout:g}",
        "max_epsilon_per_study": f"{policy.study_limit:g}",
        "study_kinds": ", ".join(kind.value for kind in policy.study_kinds) or "none",
        "models": ", ".join(policy.models) or "none",
        "smallest_noise_multiplier": f"{policy.smallest_noise_multiplier:g}",
        "max_rounds": str(policy.max_rounds),
        "row_count_public": "yes" if policy.row_count_public else "no",
        "may_be_told_apart": "yes" if policy.may_be_told_apart else "no",
        "may_send_discriminator": "yes" if policy.may_send_discriminator else "no",
        "expires": "never" if expires is None else expires.isoformat(),
        "approvers": ", ".join(f"{a.name} ({a.key.fingerprint})" for a in policy.approvers)
        or "nobody",
    }


def describe_policy(policy: Policy) -> list[str]:
    """Return the settings as phrases."""
    return [f"{name} {text}" for name, text in policy_cells(policy).items()]


def describe_changes(old: Policy, new: Policy) -> list[str]:
    """Return what differs, as phrases."""
    before, after = policy_cells(old), policy_cells(new)
    return [f"{k} {before[k]} -> {after[k]}" for k in before if before[k] != after[k]]
