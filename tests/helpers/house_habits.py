"""The habits of the house: what no source file does.

Each function takes a root folder and returns what breaks its rule, ``path:line: what is wrong``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from house_tree import MAY_IMPORT, imports_of, source_modules

PICKLERS = frozenset({"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"})
PICKLING_CALLS = frozenset({"torch.load", "torch.save", "pd.read_pickle", "pandas.read_pickle"})
_HOMES = "work|home|root|Users|opt|mnt|tmp"
MACHINE_PATH = re.compile(rf"(?<![\w.*)}}\]/-])/(?:{_HOMES})/\w|\b[A-Z]:\\\\?\w")
HOSTS = re.compile(
    r"--(?:extra-)?index-[u]rl|--find-[l]inks|[p]ypi\.org|[p]ythonhosted|[p]ytorch\.org"
)
# Files that may catch whatever comes, and why; one that no longer does must leave the list.
CATCH_ALL_BORDERS = {
    "client/app.py": "the border of an installed site: no error text may leave it",
    "simulations/site_app.py": "the border of a site: any failure becomes one fixed error code",
}
TEXT_SUFFIXES = frozenset(
    {".py", ".toml", ".md", ".txt", ".html", ".css", ".cfg", ".ini", ".yml", ".yaml"}
    | {".in", ".service", ".template"}
)


def check_no_pickle(root: Path) -> list[str]:
    """Nothing is pickled or unpickled: loading a pickle runs whatever it says."""
    broken = []
    for module in source_modules(root):
        for found in imports_of(module, frozenset()):
            if found.target.partition(".")[0] in PICKLERS:
                broken.append(module.at(found.line, f"imports {found.target}"))
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in PICKLING_CALLS:
                broken.append(module.at(node.lineno, f"uses {ast.unparse(node)}"))
            elif isinstance(node, ast.Attribute) and node.attr == "to_pickle":
                broken.append(module.at(node.lineno, "uses to_pickle"))
            elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                if not (isinstance(node.value, ast.Constant) and node.value.value is False):
                    broken.append(module.at(node.value.lineno, "allows pickles"))
    return broken


def check_no_catch_all(root: Path) -> list[str]:
    """No handler swallows every error, but for the borders that are listed with a reason.

    Undoing something and raising the same error again swallows nothing.
    """
    return [line for line in _catch_alls(root) if line.partition(":")[0] not in CATCH_ALL_BORDERS]


def unused_borders(root: Path) -> set[str]:
    """Listed borders that catch nothing any more."""
    return set(CATCH_ALL_BORDERS) - {line.partition(":")[0] for line in _catch_alls(root)}


def _catch_alls(root: Path) -> list[str]:
    return [
        module.at(node.lineno, "catches every error")
        for module in source_modules(root)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler)
        and _catches_all(node.type)
        and not _raises_again(node)
    ]


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    leaves_early = any(isinstance(node, ast.Return) for node in ast.walk(handler))
    return isinstance(last, ast.Raise) and last.exc is None and not leaves_early


def _catches_all(kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    names = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(isinstance(x, ast.Name) and x.id in ("Exception", "BaseException") for x in names)


def check_no_print(root: Path) -> list[str]:
    """Only the front door speaks to a terminal."""
    return [
        module.at(node.lineno, "prints")
        for module in source_modules(root)
        if module.folder != "fedsynth"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("print", "breakpoint")
    ]


def check_no_row_count_key(root: Path) -> list[str]:
    """No code names Flower's row-count key; comments and docstrings may."""
    return [
        module.at(node.lineno, "names the row-count key num-examples")
        for module in source_modules(root)
        for node in _constants_outside_docstrings(module.tree)
        if isinstance(node.value, str) and "num-examples" in node.value
    ]


def _constants_outside_docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    bare = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in bare:
            yield node


def check_no_machine_paths(root: Path) -> list[str]:
    """No file names a folder of one machine or a registry's host."""
    return [
        f"{path.relative_to(root).as_posix()}:{number}: names {match.group()!r}"
        for path in _text_files(root)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        for match in (MACHINE_PATH.search(line), HOSTS.search(line))
        if match
    ]


def _text_files(root: Path) -> Iterator[Path]:
    yield from (path for path in sorted(root.iterdir()) if _is_text(path))
    for folder in (*MAY_IMPORT, "tests", ".ci", "deploy", "docs"):
        yield from (path for path in sorted((root / folder).rglob("*")) if _is_text(path))


def _is_text(path: Path) -> bool:
    named = path.name in ("Makefile", "Containerfile", ".gitignore") or path.parent.name == ".ci"
    return path.is_file() and (named or path.suffix in TEXT_SUFFIXES)
