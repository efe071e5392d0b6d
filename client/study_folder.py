"""Where a site keeps what it remembers of one study."""

from __future__ import annotations

import hashlib
from pathlib import Path


def study_folder(site: Path, study: str) -> Path:
    """Return the folder of a study below the site's; an identifier from outside is no path."""
    return site / "state" / hashlib.sha256(study.encode()).hexdigest()[:16]
