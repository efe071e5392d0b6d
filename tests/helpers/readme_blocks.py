"""The code blocks of a Markdown file, with the comment that says how each is tested."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"(?:^<!-- (?P<kind>\w+): (?P<how>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block; ``kind`` and ``how`` are empty without a comment above it."""

    kind: str
    how: str
    language: str
    code: str

    @property
    def commands(self) -> list[list[str]]:
        """The shell commands of the block, split into words."""
        return [shlex.split(line) for line in self.code.splitlines() if line.strip()]


def read_blocks(path: Path) -> list[Block]:
    """Return the blocks of a file in their order."""
    return [
        Block(**{key: value or "" for key, value in match.groupdict().items()})
        for match in _BLOCK.finditer(path.read_text(encoding="utf-8"))
    ]
