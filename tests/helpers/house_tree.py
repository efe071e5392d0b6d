"""The source tree as the house's rules see it: files, their dotted names and their imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

# Folder -> dotted prefixes of ours that its modules may import, besides the folder itself.
MAY_IMPORT: Mapping[str, frozenset[str]] = {
    "synthesis": frozenset(),
    "privacy": frozenset(),
    "strategies": frozenset({"privacy", "synthesis"}),
    # The wire alone: its names, the table of what may leave a site, the gate that holds it, and the
    # parts in which messages travel, which both sides bound in the same way.
    "client": frozenset(
        {
            "synthesis",
            "privacy",
            "strategies.protocol",
            "strategies.fields",
            "strategies.gate",
            "strategies.parcels",
            "strategies.wire_field",
            "strategies.wire_format",
        }
    ),
    "server": frozenset({"synthesis", "privacy", "strategies"}),
    "simulations": frozenset({"synthesis", "privacy", "strategies", "client", "server"}),
    "fedsynth": frozenset(
        {"synthesis", "privacy", "strategies", "client", "server", "simulations"}
    ),
}


@dataclass(frozen=True, kw_only=True)
class Import:
    """One imported dotted name and the line that imports it."""

    target: str
    line: int


@dataclass(frozen=True)
class Module:
    """One source file; ``name`` is its dotted name."""

    root: Path
    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.path))

    @cached_property
    def name(self) -> str:
        parts = self.path.relative_to(self.root).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def folder(self) -> str:
        return self.path.relative_to(self.root).parts[0]

    def at(self, line: int, what: str) -> str:
        return f"{self.path.relative_to(self.root).as_posix()}:{line}: {what}"


def source_modules(root: Path) -> list[Module]:
    """Every Python file of the root packages."""
    return [m for folder in MAY_IMPORT for m in _modules_under(root, folder)]


def all_modules(root: Path) -> list[Module]:
    """The same and the tests."""
    return source_modules(root) + _modules_under(root, "tests")


def _modules_under(root: Path, folder: str) -> list[Module]:
    paths = sorted((root / folder).rglob("*.py"))
    return [_module(root, path, path.stat().st_mtime_ns) for path in paths]


@cache
def _module(root: Path, path: Path, changed: int) -> Module:
    """A file that did not change is parsed for one rule and read by all."""
    return Module(root, path)


def imports_of(module: Module, known: frozenset[str]) -> Iterator[Import]:
    """Every import anywhere in a file, as the most exact module of ``known`` it names."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (Import(target=alias.name, line=node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                exact = f"{node.module}.{alias.name}"
                yield Import(target=exact if exact in known else node.module, line=node.lineno)
