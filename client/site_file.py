"""The text of ``site.toml``: every setting with a sentence that says what it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import tomli_w

if TYPE_CHECKING:
    from client.site_config import SiteConfig

_HEAD = """\
# This folder is a data site of fedsynth. Nothing that a coordinator sends can change this file.
# Keep keys/ and the ledger in a backup of their own, and never put back an older ledger.
"""
_POLICY = """
# What this site allows on this data set. You may tighten it at any time. Loosening it, or changing
# who may approve, needs an approval: fedsynth site policy approve.
# delta, unit and holdout are fixed for the life of the data set.
"""
_COMMENTS = {
    "name": "how the site calls itself in its own ledger",
    "data": "the table, from this folder: a CSV or Parquet file, or a folder of them; or images:\n"
    "# a folder of PNG files for each class, an NPZ or an IDX file",
    "schema": "the public schema that the site has approved",
    "ledger": "what was ever released from this data set",
    "canaries": "made-up units planted in every study, for the audit of it; 0, or 50 to 2000",
    "missing_columns": "columns of the schema that this site does not have; public",
    "simulation_seed": "makes noise repeatable, so it protects nobody; for simulations only",
    "epsilon": "the most that all studies in the life of the data set may cost one unit",
    "delta": "failure probability of that promise",
    "unit": "whom it protects: record or person",
    "holdout": "share of units kept for evaluation, never trained on",
    "max_epsilon_per_study": "the most one study may cost; leave it out for all of epsilon",
    "study_kinds": "what a study may release",
    "models": "generator families that may be trained",
    "smallest_noise_multiplier": "least noise of any mechanism",
    "max_rounds": "most adversarial rounds of one study",
    "row_count_public": "whether the number of units may be sent without noise",
    "may_be_told_apart": "whether a study may describe this site apart from the others",
    "may_send_discriminator": "whether the discriminator may leave, as with strategy mdgan",
    "expires": "last day (UTC) on which a study may start",
    "approvers": "who may loosen this policy: name and public key",
}
_DATA_COMMENTS = {
    "url": "the database, without user and password",
    "query": "one SELECT whose columns are those of the schema",
    "dataset": "the public name of the data in the ledger; never changes",
    "user": "who logs in; give it no more than the right to SELECT",
    "password_file": "file with the password, closed to all others (mode 0600)",
    "user_env": "environment variable that holds the user",
    "password_env": "environment variable that holds the password",
    "connect_timeout_s": "longest wait for a connection",
    "statement_timeout_s": "longest wait for the records, from the first to the last",
}
_DATA = """
# The table, from a database. No password may stand in this file.
[data]
"""
_EXAMPLES = {"max_epsilon_per_study": "0.5", "expires": "2030-12-31"}  # of what may be left out
_NOBODY = {"name": "nobody yet", "public_key": "64 hexadecimal digits"}


def render_site_file(config: SiteConfig) -> str:
    """Return the content of ``site.toml`` for a configuration."""
    content = config.model_dump(mode="json", by_alias=True, exclude_none=True)
    policy = content.pop("policy")
    approvers = policy.pop("approvers")
    expires = config.policy.expires
    if expires is not None:
        policy["expires"] = expires  # a date of TOML, not a text
    database = content.pop("data") if isinstance(content["data"], dict) else None
    parts = [_HEAD, _lines(content)]
    if database is not None:
        parts += [_DATA, _lines(database, _DATA_COMMENTS)]
    parts += [_POLICY, "[policy]\n", _lines(policy)]
    parts += [
        f"# {_COMMENTS[name]}\n# {name} = {example}\n"
        for name, example in _EXAMPLES.items()
        if name not in policy
    ]
    people = "".join(f"[[policy.approvers]]\n{tomli_w.dumps(a)}" for a in approvers or [_NOBODY])
    if not approvers:
        people = "".join(f"# {line}\n" for line in people.splitlines())
    return "".join([*parts, f"\n# {_COMMENTS['approvers']}\n", people])


def _lines(settings: dict[str, Any], comments: Mapping[str, str] = _COMMENTS) -> str:
    return "".join(
        f"# {comments[name]}\n{tomli_w.dumps({name: value}, multiline_strings=True)}"
        for name, value in settings.items()
    )
