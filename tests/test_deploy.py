"""The files of ``deploy/`` fit the program, hold no secret and give away no right."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pytest
from cli_words import find_unknown
from deploy_files import (
    COMPOSE_FILES,
    DEPLOY,
    PROGRAM,
    UNIT_FILES,
    called_commands,
    read_services,
    read_steps,
    read_unit,
)
from shipping import LEFT_OUT, ROOT, build, build_one

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TARGETS = ("site", "server")
SECRET_WORD = re.compile(r"\b\w*(?:PASSWORD|PASSWD|SECRET|TOKEN|API_KEY)\w*\s*[=:]", re.IGNORECASE)
HARDENED = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ReadWritePaths": "/var/lib/fedsynth",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "CapabilityBoundingSet": "",
    "SystemCallFilter": "@system-service",
    "UMask": "0077",
    "LimitCORE": "0",
    "User": "fedsynth",
}
# What `systemd-analyze security` may find at most; 0 is closed, 100 is open.
MAX_EXPOSURE = "25"


@pytest.mark.parametrize(("where", "words"), list(called_commands()))
def test_every_command_they_call_exists(where: str, words: list[str]) -> None:
    assert find_unknown(words) == "", f"{where}: fedsynth {' '.join(words)}"


def copied_into_the_image() -> list[str]:
    copied = [step.text.split() for step in read_steps() if step.name == "COPY"]
    return [source for words in copied if "--from" not in words[0] for source in words[:-1]]


def test_the_image_is_built_from_what_it_copies_and_nothing_else(tmp_path: Path) -> None:
    for name in copied_into_the_image():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns(*LEFT_OUT))
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    wheel = build_one("wheel", tmp_path, tmp_path / "out")
    whole = build(tmp_path / "whole").wheel
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(whole) as other:
        assert set(one.namelist()) == set(other.namelist())


def test_the_build_is_sent_what_it_copies_and_nothing_else() -> None:
    lines = (DEPLOY / "Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == set(copied_into_the_image())


def test_the_image_holds_all_packages() -> None:
    copied = " ".join(step.text for step in read_steps() if step.name == "COPY")
    packages = {path.parent.name for path in ROOT.glob("*/py.typed")}
    assert [name for name in packages if f"{name} {name}" not in copied] == []


def test_the_image_is_built_with_the_pins_on_the_python_of_the_project() -> None:
    steps = read_steps()
    bases = [step.text.split()[0] for step in steps if step.name == "FROM"]
    assert set(bases) == {"python:3.11-slim", "base"}
    assert any(each.endswith(":: 3.11") for each in PROJECT["classifiers"])
    assert any("PIP_CONSTRAINT=/source/constraints.txt" in step.text for step in steps)
    assert not [step for step in steps if step.name == "ADD"]


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_does_not_run_as_root_and_says_how_it_is(target: str) -> None:
    steps = [step for step in read_steps() if step.stage == target]
    names = [step.name for step in steps]
    assert [step.text for step in steps if step.name == "USER"][-1] == "fedsynth"
    assert {"HEALTHCHECK", "VOLUME", "CMD"} <= set(names)
    assert names.index("USER") < names.index("CMD")
    assert ("nginx" in " ".join(step.text for step in steps)) == (target == "server")
    (entry,) = (step.text for step in read_steps() if step.name == "ENTRYPOINT")
    assert entry == '["tini", "--", "fedsynth"]'


@pytest.mark.parametrize("name", COMPOSE_FILES)
def test_a_container_has_no_rights_it_does_not_need(name: str) -> None:
    (service,) = read_services(name).values()
    target = service["build"]["target"]
    assert service["image"] == f"fedsynth-{target}:{PROJECT['version']}"
    assert (DEPLOY / service["build"]["context"]).resolve() == ROOT
    assert (ROOT / service["build"]["dockerfile"]).is_file()
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "network_mode", "environment", "env_file"} & service.keys()


def test_a_site_opens_no_port_and_only_reads_its_table() -> None:
    (site,) = read_services("compose.site.yaml").values()
    (server,) = read_services("compose.yaml").values()
    assert "ports" not in site
    assert server["ports"] == ["8443:8443"]
    assert [each.endswith(":ro") for each in site["volumes"]] == [False, True, True]


@pytest.mark.parametrize("name", UNIT_FILES)
def test_a_unit_is_hardened_and_is_not_restarted_in_vain(name: str) -> None:
    service = read_unit(name)["Service"]
    assert {key: service.get(key) for key in HARDENED} == HARDENED
    assert service["Restart"] == "on-failure"
    never = {int(code) for code in service["RestartPreventExitStatus"].split()}
    assert never == ({0, 1, 2} if "site" in name else {2})
    assert "MemoryDenyWriteExecute" not in service  # PyTorch compiles while it runs


def test_the_password_of_a_database_reaches_the_site_as_a_file_in_memory() -> None:
    service = read_unit("database.conf")["Service"]
    name, _, place = service["LoadCredential"].partition(":")
    assert place == "/etc/fedsynth/%i.password"
    assert f"install -m 0600 ${{CREDENTIALS_DIRECTORY}}/{name} " in service["ExecStartPre"]
    assert service["ExecStartPre"].endswith(f"/run/fedsynth-%i/{name}")
    assert "Environment" not in service


@pytest.mark.parametrize("path", sorted(p for p in DEPLOY.rglob("*") if p.is_file()), ids=str)
def test_nothing_holds_a_secret_or_an_old_version(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    assert SECRET_WORD.findall(code) in ([], ["password:"])  # a credential's name, not its value
    for version in re.findall(r"fedsynth-(?:site|server):(\S+)", text):
        assert version == PROJECT["version"]


@pytest.mark.parametrize("name", UNIT_FILES)
def test_systemd_understands_every_line(tmp_path: Path, name: str) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze: install the Debian package systemd")
    unit = tmp_path / name.replace("@.", "@north.")
    text = (DEPLOY / "systemd" / name).read_text(encoding="utf-8")
    unit.write_text(text.replace(PROGRAM, "/bin/true"), encoding="utf-8")
    if "@" in name:
        (tmp_path / f"{name}.d").mkdir()
        shutil.copy(DEPLOY / "systemd" / "database.conf", tmp_path / f"{name}.d")
    verify = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)]
    security = ["systemd-analyze", "security", "--offline=true", f"--threshold={MAX_EXPOSURE}"]
    for command in (verify, [*security, str(unit)]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert str(tmp_path) not in done.stderr
