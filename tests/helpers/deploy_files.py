"""The files of ``deploy/`` as data: steps of the Containerfile, services, unit files, commands."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from shipping import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE_FILES = ("compose.yaml", "compose.site.yaml")
UNIT_FILES = ("fedsynth-server.service", "fedsynth-site@.service")
PROGRAM = "/usr/local/lib/fedsynth/bin/fedsynth"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One instruction of the Containerfile; ``stage`` is the name of the stage it stands in."""

    stage: str
    name: str
    text: str


def read_steps() -> list[Step]:
    """Return the instructions in their order, with continued lines joined."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    steps, stage = [], ""
    for line in joined.splitlines():
        name, _, rest = line.partition(" ")
        if name == "FROM":
            stage = rest.split()[-1]
        steps.append(Step(stage=stage, name=name, text=rest.strip()))
    return steps


def read_services(name: str) -> dict[str, dict[str, Any]]:
    """Return the services of a compose file."""
    content = yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))
    services: dict[str, dict[str, Any]] = content["services"]
    return services


def read_unit(name: str) -> configparser.ConfigParser:
    """Return a systemd file; every key stands in it once."""
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string((DEPLOY / "systemd" / name).read_text(encoding="utf-8"))
    return parser


def called_commands() -> Iterator[tuple[str, list[str]]]:
    """Yield where ``fedsynth`` is called and with which words."""
    for step in read_steps():
        if step.name == "CMD":
            yield "Containerfile", json.loads(step.text)
        elif step.name == "HEALTHCHECK":
            checked = json.loads(re.sub(r"^.*? CMD ", "", step.text))
            words = shlex.split(checked[2].partition("|")[0]) if checked[0] == "sh" else checked
            assert words[0] == "fedsynth"
            yield "Containerfile", words[1:]
    for name in COMPOSE_FILES:
        for service in read_services(name).values():
            yield name, service["command"]
    for name in UNIT_FILES:
        words = shlex.split(read_unit(name)["Service"]["ExecStart"])
        assert words[0] == PROGRAM
        yield name, words[1:]
