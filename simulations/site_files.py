"""What of a simulated site outlives the simulation: ledger and declarations, never a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from client.founding import SCHEMA_FILE
from client.site_config import SITE_FILE
from simulations.reporting import LEDGER_FILE

SITES_FOLDER = "sites"
"""Where they lie in a release."""
KEPT = (SITE_FILE, SCHEMA_FILE, LEDGER_FILE)


@dataclass(frozen=True, kw_only=True)
class SiteFile:
    """A small file in memory, with its permissions."""

    content: bytes
    mode: int

    def write(self, path: Path) -> None:
        """Write the file and the folders above it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.content)
        path.chmod(self.mode)


def read_site_files(home: Path) -> Mapping[Path, SiteFile]:
    """Return the files to keep of every site below ``home``, by their path from there."""
    return {
        path.relative_to(home): SiteFile(
            content=path.read_bytes(), mode=path.stat().st_mode & 0o777
        )
        for site in sorted(home.iterdir())
        for path in (site / name for name in KEPT)
    }


def write_site_files(files: Mapping[Path, SiteFile], release: Path) -> None:
    """Write what ``read_site_files`` returned into a release folder."""
    for path, file in files.items():
        file.write(release / SITES_FOLDER / path)
