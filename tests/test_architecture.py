"""The house holds its rules, and each rule can fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import house_habits as habits
import house_rules as rules
import pytest
from house_tree import MAY_IMPORT

ROOT = Path(__file__).parents[1]
Rule = Callable[[Path], list[str]]

# Each rule, and small trees that break it: {path: text}, and a word of the complaint.
BROKEN: list[tuple[Rule, dict[str, str], str]] = [
    (
        rules.check_import_directions,
        {"client/a.py": "import server"},
        "client must not import server",
    ),
    (rules.check_import_directions, {"server/a.py": "from client import b"}, "import client"),
    (rules.check_import_directions, {"synthesis/a.py": "import privacy.ledger"}, "privacy.ledger"),
    (rules.check_import_directions, {"privacy/a.py": "def f():\n    import synthesis"}, ":2:"),
    (rules.check_import_directions, {"client/a.py": "import strategies.collect"}, "strategies"),
    (rules.check_import_directions, {"client/a.py": "from strategies import ask"}, "strategies"),
    (rules.check_import_directions, {"client/a.py": "import strategies.protocols"}, "protocols"),
    (rules.check_import_directions, {"strategies/a.py": "import client.train"}, "client.train"),
    (rules.check_import_directions, {"server/a.py": "import simulations"}, "simulations"),
    (rules.check_import_directions, {"simulations/a.py": "import fedsynth"}, "fedsynth"),
    (rules.check_import_directions, {"fedsynth/a.py": "import tests.x"}, "tests.x"),
    (rules.check_import_directions, {"synthesis/a.py": "import flwr.app"}, "flwr.app"),
    (
        rules.check_no_cycles,
        {"privacy/a.py": "import privacy.b", "privacy/b.py": "from privacy import a"},
        "privacy.a -> privacy.b -> privacy.a",
    ),
    (
        rules.check_no_cycles,
        {"privacy/__init__.py": "from privacy.a import x", "privacy/a.py": "from privacy import y"},
        "privacy -> privacy.a -> privacy",
    ),
    (rules.check_lengths, {"server/a.py": "x = 1\n" * 301}, "301 lines"),
    (rules.check_lengths, {"tests/a.py": "def f():\n" + "    x = 1\n" * 50}, "f has 51 lines"),
    (rules.check_packages, {"client/b/a.py": "x = 1"}, "without __init__.py"),
    (rules.check_packages, {"client/__init__.py": "__all__ = []"}, "no docstring"),
    (rules.check_packages, {"client/__init__.py": '"""Words."""'}, "no __all__"),
    (rules.check_packages, {"client/py.typed": ""}, "server: lacks py.typed"),
    (habits.check_no_pickle, {"server/a.py": "from pickle import loads"}, "pickle"),
    (habits.check_no_pickle, {"server/a.py": "import joblib"}, "joblib"),
    (habits.check_no_pickle, {"server/a.py": "import torch\ntorch.load('x')"}, "torch.load"),
    (habits.check_no_pickle, {"server/a.py": "f = torch.save"}, "torch.save"),
    (habits.check_no_pickle, {"server/a.py": "table.to_pickle('x')"}, "to_pickle"),
    (habits.check_no_pickle, {"server/a.py": "np.load(x, allow_pickle=True)"}, "allows pickles"),
    (habits.check_no_catch_all, {"client/a.py": "try:\n    x\nexcept Exception:\n    y"}, ":3:"),
    (habits.check_no_catch_all, {"client/a.py": "try:\n    x\nexcept:\n    y"}, "every error"),
    (
        habits.check_no_catch_all,
        {"client/a.py": "try:\n    x\nexcept (OSError, BaseException):\n    y"},
        "every error",
    ),
    (
        habits.check_no_catch_all,
        {"client/a.py": "try:\n    x\nexcept Exception as e:\n    raise OSError from e"},
        "every error",
    ),
    (habits.check_no_print, {"privacy/a.py": "print('x')"}, "prints"),
    (habits.check_no_row_count_key, {"client/a.py": "KEY = 'num-examples'"}, "row-count key"),
    (habits.check_no_machine_paths, {"client/a.py": "# see /" + "home/me"}, "home"),
    (habits.check_no_machine_paths, {"README.md": "cd /" + "work/main"}, "work"),
    (habits.check_no_machine_paths, {"tests/a.py": "x = 'C:" + "\\\\Users'"}, "C:"),
    (habits.check_no_machine_paths, {"constraints.txt": "--extra-" + "index-url x"}, "index-url"),
]
RULES = list(dict.fromkeys(rule for rule, _, _ in BROKEN))

# What looks like a violation and is none.
INNOCENT = {
    "client/a.py": (
        '"""Never sends num-examples; never calls print or torch.load."""\n'
        "from strategies.protocol import KEY\n"
        "from strategies import protocol\n"
        "import flwr  # row counts (num-examples) stay here\n"
        "try:\n    x = np.load(KEY, allow_pickle=False)\nexcept OSError:\n    x = 'a/work/b'\n"
        "try:\n    x\nexcept BaseException:\n    undo()\n    raise\n"
    ),
    "strategies/protocol.py": "KEY = 'sum'\n",
    "fedsynth/cli.py": "import server\nprint('hello')\n",
    "tests/test_a.py": "import fedsynth\n",
}


def build(root: Path, files: dict[str, str]) -> Path:
    """Write a small house: whole, except for what ``files`` puts in."""
    whole = {f"{folder}/__init__.py": '"""Words."""\n\n__all__ = []\n' for folder in MAY_IMPORT}
    if "client/py.typed" not in files:
        whole |= {f"{folder}/py.typed": "" for folder in MAY_IMPORT}
    for name, text in (whole | files).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_holds(rule: Rule) -> None:
    assert rule(ROOT) == []


@pytest.mark.parametrize(("rule", "files", "complaint"), BROKEN)
def test_each_rule_can_fail(
    tmp_path: Path, rule: Rule, files: dict[str, str], complaint: str
) -> None:
    assert complaint in "\n".join(rule(build(tmp_path, files)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_what_only_looks_like_a_violation_is_let_be(tmp_path: Path, rule: Rule) -> None:
    assert rule(build(tmp_path, INNOCENT)) == []


def test_every_exported_name_can_be_imported() -> None:
    assert rules.check_exports(ROOT) == []


def test_a_missing_and_a_repeated_export_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "house_made_up"
    package.mkdir()
    (package / "__init__.py").write_text("x = 1\n__all__ = ['x', 'x', 'missing']\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert rules.check_exports(ROOT, ["house_made_up"]) == [
        "house_made_up.missing: cannot be imported",
        "house_made_up.x: twice",
    ]


def test_every_listed_border_is_still_needed() -> None:
    assert habits.unused_borders(ROOT) == set()


def test_client_and_server_are_strangers() -> None:
    assert "server" not in MAY_IMPORT["client"]
    assert "client" not in MAY_IMPORT["server"]
    assert not any("fedsynth" in allowed for allowed in MAY_IMPORT.values())
