"""Site folders and requests for studies that end in moments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from flwr.app import Context, Message, RecordDict
from tiny_world import SCHEMA, draw_table

from client.app import SITES_DIR, app
from client.founding import found_site
from client.settings import StudyRequest
from client.site import Site, load_site
from client.site_config import SITE_FILE
from client.site_file import render_site_file
from privacy import Policy, Unit
from server.study import Study
from strategies import protocol
from synthesis.schema import Schema, dump_schema
from synthesis.tables import write_table

ROWS = (137, 211, 173)
SETTINGS: Mapping[str, Any] = {
    "name": "tiny-study",
    "epsilon": 1.0,
    "delta": 1e-5,
    "adversarial_share": 0.3,
    "rounds": 2,
    "discriminator_steps": 3,
    "generator_steps": 2,
    "sample_rate": 0.2,
    "nominal_rows": 40,
    "fit_steps": 3,
    "deadline_s": 30.0,
}


def make_study(**changes: Any) -> Study:
    return Study.model_validate(dict(SETTINGS) | changes)


def make_config(**changes: Any) -> dict[str, Any]:
    """The settings as they travel; changes by Python name, such as ``max_grad_norm``."""
    study = make_study()
    config = {
        protocol.STUDY_ID: study.name,
        protocol.CONFIG_HASH: study.digest(),
        protocol.MODEL: study.model,
        protocol.EPSILON: study.epsilon,
        protocol.DELTA: study.delta,
        protocol.SAMPLE_RATE: study.sample_rate,
        protocol.EXPECTED_BATCH_SIZE: study.expected_batch_size,
        protocol.ROUNDS: study.rounds,
        protocol.DISCRIMINATOR_STEPS: study.discriminator_steps,
        protocol.GENERATOR_STEPS: study.generator_steps,
        protocol.ADVERSARIAL_SHARE: study.adversarial_share,
        protocol.MAX_GRAD_NORM: study.max_grad_norm,
        protocol.PROXIMAL: study.proximal,
        protocol.RETURNS_DISCRIMINATOR: False,
        protocol.TELLS_SITES_APART: False,
        protocol.EVALUATION: study.evaluation,
        protocol.ALLOW_LESS_EPSILON: study.allow_less_epsilon,
    }
    return config | {name.replace("_", "-"): value for name, value in changes.items()}


def make_request(**changes: Any) -> StudyRequest:
    return StudyRequest.from_config(make_config(**changes))


def write_site(
    folder: Path,
    *,
    rows: int = ROWS[0],
    seed: int | None = 0,
    epsilon: float = 1.0,
    schema: Schema = SCHEMA,
    name: str | None = None,
    canaries: int = 0,
    missing_columns: tuple[str, ...] = (),
    **more: Any,
) -> Site:
    """Found a site with rows and open it; ``more`` are settings of its policy."""
    policy = Policy(epsilon=epsilon, delta=1e-5, unit=Unit(schema.unit.kind), **more)
    if (folder / SITE_FILE).exists():  # the same site, with another configuration
        site = load_site(folder, is_simulated=True)
        changes = {"policy": policy, "simulation_seed": seed, "canaries": canaries}
        changes["missing_columns"] = missing_columns
        config = site.config.model_copy(update=changes)
        (folder / SITE_FILE).write_text(render_site_file(config), encoding="utf-8")
        (folder / "schema.toml").write_text(dump_schema(schema), encoding="utf-8")
    else:
        found_site(
            folder,
            name=name or folder.name,
            data="rows.parquet",
            schema=schema,
            policy=policy,
            canaries=canaries,
            missing_columns=missing_columns,
            simulation_seed=seed,
        )
    write_table(draw_table(rows, seed or 0), folder / "rows.parquet")
    return load_site(folder, is_simulated=seed is not None)


def write_sites(
    home: Path,
    number: int = 3,
    *,
    lacking: Mapping[int, tuple[str, ...]] = MappingProxyType({}),
    **policy: Any,
) -> list[Site]:
    """Found sites; ``lacking`` are the columns that some lack, by number from 0."""
    return [
        write_site(
            home / f"site-{i + 1}",
            rows=ROWS[i],
            seed=i,
            missing_columns=lacking.get(i, ()),
            **policy,
        )
        for i in range(number)
    ]


def make_context(home: Path, partition: int = 0) -> Context:
    return Context(
        run_id=1,
        node_id=101 + partition,
        node_config={"partition-id": partition},
        state=RecordDict(),
        run_config={SITES_DIR: str(home)},
    )


class Recorder:
    """The real ClientApp, with everything that goes in and out kept."""

    def __init__(self) -> None:
        self.seen: list[tuple[Message, Message]] = []

    def __call__(self, message: Message, context: Context) -> Message:
        reply = app(message, context)
        self.seen.append((message, reply))
        return reply
