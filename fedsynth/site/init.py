"""``fedsynth site init``: from options to a founded site, and what its people do next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import ValidationError

from client.canaries import check_canaries
from client.data_source import SqlSource
from client.founding import found_site
from client.node.coordinator_file import COORDINATOR_FILE, adopt_coordinator, load_coordinator
from client.node.keys import (
    ADMISSION_FILE,
    NODE_KEY_FILE,
    admission_fingerprint,
    load_node_key,
    public_line,
)
from client.site import KEY_FILE, SPLIT_KEY_FILE, Site
from client.site_config import SITE_FILE
from fedsynth.console import add_row, make_table, say, screen
from fedsynth.public_keys import read_public_key
from fedsynth.site.data import DataReading, read_data, show_data
from privacy import Approver, Policy, Unit
from privacy.keys import fingerprint_of
from server.study import explain_settings
from synthesis import InputError
from synthesis.kinds import IMAGES, AnySchema, load_any_schema, model_of

USUAL_HOLDOUT = 0.1
"""Of tables; images have no evaluation that a hold-out could be for."""


@dataclass(frozen=True, kw_only=True)
class NewSite:
    """What was asked for on the command line; the meanings are those of the options."""

    folder: Path
    name: str
    data: str | SqlSource
    schema: Path
    epsilon: float
    delta: float
    max_epsilon_per_study: float | None
    holdout: float | None
    expires: date | None
    approvers: tuple[str, ...]
    canaries: int
    may_be_told_apart: bool = True
    may_send_discriminator: bool = True
    missing_columns: tuple[str, ...] = ()
    coordinator: Path | None = None


def init_site(asked: NewSite) -> None:
    """Found a site and say where things are and what to do next.

    Raises:
        InputError: if something given cannot be used; nothing is written.
    """
    schema = load_any_schema(asked.schema)
    check_canaries(asked.canaries, schema)  # before data are read, which may take long
    policy = _make_policy(asked, schema)
    reading = read_data(schema, asked.data, Path(), asked.missing_columns)
    _check_delta(policy, reading)
    if not (asked.name.strip() and asked.name.isprintable() and len(asked.name) <= 100):
        raise InputError(
            "name must be 1 to 100 printable characters on one line; choose another.",
            argument="name",
        )
    if asked.coordinator is not None:
        load_coordinator(asked.coordinator)
    site = found_site(
        asked.folder,
        name=asked.name,
        data=asked.data,
        schema=schema,
        policy=policy,
        canaries=asked.canaries,
        missing_columns=asked.missing_columns,
    )
    if asked.coordinator is not None:
        adopt_coordinator(asked.coordinator, site.folder)
    _show_places(site)
    show_data(reading)
    _show_next(site)


def parse_approver(text: str) -> Approver:
    """Return name and public key from ``"Name=KEY"``.

    Raises:
        InputError: if it is not of that form.
    """
    name, _, key = text.rpartition("=")
    if not name.strip():
        raise InputError(
            f"approver must be a name, the sign = and a public key or its file, got {text!r:.100}; "
            "'fedsynth keys new' makes a key and prints its public half.",
            argument="approver",
        )
    public_key = read_public_key(key, argument="approver")
    return Approver(name=name.strip(), public_key=public_key.hex)


def _make_policy(asked: NewSite, schema: AnySchema) -> Policy:
    if asked.expires is not None and asked.expires < datetime.now(UTC).date():
        raise InputError(
            f"expires must be today or later, got {asked.expires.isoformat()}; a policy that has "
            "expired allows no study.",
            argument="expires",
        )
    usual = 0.0 if model_of(schema) == IMAGES else USUAL_HOLDOUT
    try:
        return Policy(
            epsilon=asked.epsilon,
            delta=asked.delta,
            unit=Unit(schema.unit.kind),
            holdout=usual if asked.holdout is None else asked.holdout,
            models=(model_of(schema),),
            max_epsilon_per_study=asked.max_epsilon_per_study,
            may_be_told_apart=asked.may_be_told_apart,
            may_send_discriminator=asked.may_send_discriminator,
            approvers=tuple(map(parse_approver, asked.approvers)),
            expires=asked.expires,
        )
    except ValidationError as error:
        raise explain_settings(error, Policy) from None


def _check_delta(policy: Policy, reading: DataReading) -> None:
    if policy.delta * reading.units >= 1:
        raise InputError(
            f"delta must be below 1 / number of {reading.unit_plural}, got {policy.delta:g}: with "
            f"a larger one, a {reading.unit} could be published outright. It is fixed for life; "
            "1e-05 or less is usual.",
            argument="delta",
        )


def _show_places(site: Site) -> None:
    folder, policy, data = site.folder, site.config.policy, site.config.data
    table = make_table(f"Site {site.config.name}", ["what", "where"], [])
    places = {
        "what this site allows": folder / SITE_FILE,
        "what was ever spent": folder / site.config.ledger,
        "its signing key": folder / KEY_FILE,
        "its key for the coordinator's door": folder / NODE_KEY_FILE,
        "the key of the hold-out": folder / SPLIT_KEY_FILE,
        "the schema, approved": folder / site.config.schema_file,
        "the data, left in place": data.url if isinstance(data, SqlSource) else data,
    }
    for what, where in places.items():
        add_row(table, [what, str(where)])
    screen.print(table)
    say(
        screen,
        f"For life, all studies together may cost one {policy.unit.value} at most epsilon "
        f"{policy.epsilon:g} at delta {policy.delta:g}; {_describe_holdout(policy)}.",
    )


def _describe_holdout(policy: Policy) -> str:
    if policy.holdout == 0:
        return f"no {policy.unit.value} is held out, so all take part in training"
    return f"{policy.holdout:.0%} of the {policy.unit.value}s are held out for evaluation"


def _show_next(site: Site) -> None:
    node_key = public_line(load_node_key(site.folder))
    say(screen, f"Public key:  {site.public_key.hex}")
    say(screen, f"Fingerprint: {site.public_key.fingerprint}")
    fingerprint = admission_fingerprint(node_key, site.public_key.hex)
    say(screen, f"Fingerprint of {ADMISSION_FILE} (both keys): {fingerprint}")
    if (handout := site.folder / COORDINATOR_FILE).is_file():
        say(screen, f"Fingerprint of {handout.name}: {fingerprint_of(handout.read_bytes())}")
    say(screen, "")
    say(screen, "What to do next:")
    for number, step in enumerate(_next_steps(site), start=1):
        say(screen, f"{number}. {step}")


def _next_steps(site: Site) -> list[str]:
    folder = site.folder
    who = ", ".join(approver.name for approver in site.config.policy.approvers)
    has_coordinator = (folder / COORDINATOR_FILE).is_file()
    return [
        f"Read {folder / SITE_FILE} and tighten what you like. "
        + (
            f"Loosening it needs a signature of {who}."
            if who
            else "Nobody can ever loosen it, for no approver is named."
        ),
        f"Keep a backup of {(folder / KEY_FILE).parent}. The ledger may only ever grow: never "
        "put back an older one.",
        f"Give {folder / ADMISSION_FILE} to the coordinator (it holds both public keys and no "
        "secret), and compare both fingerprints over the telephone.",
        *(
            []
            if has_coordinator
            else [f"Put the coordinator's file at {folder / COORDINATOR_FILE}."]
        ),
        f"Before you join a study, see what it would take: fedsynth site check STUDY.toml --site "
        f"{folder}",
        f"Take part: fedsynth site join STUDY.toml --site {folder}",
    ]
