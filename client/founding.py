"""A new data site: its folder, its keys, its policy and its ledger, made once.

The keys come from the operating system and never leave the folder. From here on the ledger must
exist: a site whose ledger is missing does not answer, for an empty one would forget what was spent.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path

from client.canaries import check_canaries
from client.data_source import SqlSource, dataset_of
from client.node.keys import make_node_key
from client.site import KEY_FILE, SPLIT_KEY_FILE, Site, load_site
from client.site_config import SITE_FILE, find_positions, parse_config
from client.site_file import render_site_file
from privacy import Ledger, Policy, SigningKey
from privacy.secret_files import write_secret
from synthesis import InputError
from synthesis.kinds import AnySchema, dump_any_schema

SCHEMA_FILE = "schema.toml"


def found_site(
    folder: str | Path,
    *,
    name: str,
    data: str | SqlSource,
    schema: AnySchema,
    policy: Policy,
    canaries: int = 0,
    missing_columns: Sequence[str] = (),
    simulation_seed: int | None = None,
) -> Site:
    """Make the folder of a data site.

    Args:
        folder: new or empty.
        name: how the site calls itself in its ledger, at most 100 characters.
        data: the table: a path from the folder, or a query.
        schema: the public schema that the site has approved.
        policy: what it allows; its unit must be the schema's.
        canaries: made-up units that it plants in every study; 0, or in [50, 2000].
        missing_columns: columns of the schema that the site does not have; public.
        simulation_seed: makes keys and noise repeatable; for simulations only.

    Raises:
        InputError: if the folder holds something, or policy or missing columns and schema do not
            belong together.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            f"site folder must be new or empty, and {folder} is not; name another one.",
            argument="site",
        )
    check_unit(policy, schema)
    check_canaries(canaries, schema)
    config = parse_config(
        {
            "name": name,
            "data": data,
            "schema": SCHEMA_FILE,
            "policy": policy,
            "canaries": canaries,
            "missing_columns": tuple(missing_columns),
            "simulation_seed": simulation_seed,
        }
    )
    find_positions(schema, config.missing_columns)
    folder.mkdir(parents=True, exist_ok=True)
    for private in (folder, (folder / KEY_FILE).parent):
        private.mkdir(exist_ok=True)
        private.chmod(0o700)
    key, split_key = _make_keys(name, simulation_seed)
    key.save(folder / KEY_FILE)
    write_secret(folder / SPLIT_KEY_FILE, (split_key.hex() + "\n").encode())
    if simulation_seed is None:  # a simulated site has no node
        make_node_key(folder, name=name, ledger_key=key.public)
    write_secret(folder / SCHEMA_FILE, (dump_any_schema(schema)).encode())
    Ledger.create(
        folder / config.ledger, site=name, dataset=dataset_of(data), policy=policy, key=key
    )
    write_secret(folder / SITE_FILE, (render_site_file(config)).encode())
    site = load_site(folder, is_simulated=simulation_seed is not None)
    site.give_receipt()
    return site


def check_unit(policy: Policy, schema: AnySchema) -> None:
    """Raise InputError unless policy and schema protect the same unit."""
    if policy.unit != schema.unit.kind:
        raise InputError(
            f"unit in the policy must be that of the schema, got {policy.unit.value!r} and "
            f"{schema.unit.kind!r}; change one of the two.",
            argument="unit",
        )


def _make_keys(name: str, seed: int | None) -> tuple[SigningKey, bytes]:
    if seed is None:
        return SigningKey.generate(), secrets.token_bytes(32)
    signing, splitting = (
        hashlib.sha256(f"fedsynth simulated {use} {seed} {name}".encode()).digest()
        for use in ("signing key", "split key")
    )
    return SigningKey.from_seed(signing), splitting
