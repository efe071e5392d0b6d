"""The shape of the house: who imports whom, how long things are, what packages offer.

Each function takes a root folder and returns what breaks its rule, one line for each violation.
They look at source text only (``check_exports`` also imports), so that they work on a small
made-up tree as on the real one.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from house_tree import MAY_IMPORT, all_modules, imports_of, source_modules

NO_FRAMEWORK = frozenset({"synthesis", "privacy"})
FRAMEWORKS = frozenset({"flwr", "ray"})
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 50


def check_import_directions(root: Path) -> list[str]:
    """A folder imports only what the design's table lets it; nothing imports ``fedsynth``."""
    modules = source_modules(root)
    known = frozenset(module.name for module in modules)
    return [
        module.at(found.line, f"{module.folder} must not import {found.target}")
        for module in modules
        for found in imports_of(module, known)
        if not _is_allowed(module.folder, found.target)
    ]


def _is_allowed(folder: str, target: str) -> bool:
    top = target.partition(".")[0]
    if top == "tests" or (top in FRAMEWORKS and folder in NO_FRAMEWORK):
        return False
    if top not in MAY_IMPORT or top == folder:
        return True
    return any(target == ok or target.startswith(f"{ok}.") for ok in MAY_IMPORT[folder])


def check_no_cycles(root: Path) -> list[str]:
    """No module reaches itself through imports, wherever in the file they stand."""
    modules = source_modules(root)
    known = frozenset(module.name for module in modules)
    graph = {
        module.name: {found.target for found in imports_of(module, known)} & known
        for module in modules
    }
    return [" -> ".join(cycle) for cycle in _cycles(graph)]


def _cycles(graph: Mapping[str, set[str]]) -> Iterator[list[str]]:
    done: set[str] = set()

    def visit(name: str, trail: list[str]) -> Iterator[list[str]]:
        if name in trail:
            yield [*trail[trail.index(name) :], name]
            return
        if name in done:
            return
        for target in sorted(graph[name]):
            yield from visit(target, [*trail, name])
        done.add(name)

    for start in sorted(graph):
        yield from visit(start, [])


def check_lengths(root: Path) -> list[str]:
    """Files and functions (without decorators and docstring) stay short."""
    return [
        *(
            module.at(MAX_FILE_LINES + 1, f"file has {lines} lines, at most {MAX_FILE_LINES}")
            for module in all_modules(root)
            if (lines := len(module.text.splitlines())) > MAX_FILE_LINES
        ),
        *(
            module.at(node.lineno, f"{node.name} has {lines} lines, at most {MAX_FUNCTION_LINES}")
            for module in all_modules(root)
            for node in ast.walk(module.tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and (lines := _function_lines(node)) > MAX_FUNCTION_LINES
        ),
    ]


def _function_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node) is not None:
        docstring = node.body[0]
        lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return lines


def check_packages(root: Path) -> list[str]:
    """Every package has a docstring and ``__all__``; every root package is there and typed."""
    broken = [
        f"{folder}: lacks {name}"
        for folder in MAY_IMPORT
        for name in ("__init__.py", "py.typed")
        if not (root / folder / name).is_file()
    ]
    for module in source_modules(root):
        if not (module.path.parent / "__init__.py").is_file():
            broken.append(module.at(1, "is in a folder without __init__.py"))
        if module.path.name == "__init__.py":
            if ast.get_docstring(module.tree) is None:
                broken.append(module.at(1, "package has no docstring"))
            if not any(_assigns_all(node) for node in module.tree.body):
                broken.append(module.at(1, "package has no __all__"))
    return broken


def _assigns_all(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)


def check_exports(root: Path, packages: list[str] | None = None) -> list[str]:
    """Every name in a package's ``__all__`` is there once and can be imported."""
    names = (
        packages
        if packages is not None
        else [module.name for module in source_modules(root) if module.path.name == "__init__.py"]
    )
    broken = []
    for name in names:
        package = importlib.import_module(name)
        exported = list(package.__all__)
        broken += [f"{name}.{x}: cannot be imported" for x in exported if not hasattr(package, x)]
        broken += [
            f"{name}.{x}: twice" for x in sorted({x for x in exported if exported.count(x) > 1})
        ]
    return broken
