"""Under which bundle a run may ask: one that the coordinator announced beforehand, unchanged.

The bundle is the run's badge. A site works with its own installed program, so a bundle is hashed
and then forgotten: never unpacked, never read, never written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from client.node.fleet import FleetLink

MOST_KNOWN_RUNS = 1000


class BundleCheck:
    """Remembers which runs came with an announced bundle.

    Args:
        link: the line to the coordinator.
        bundles: SHA-256 of every announced bundle.
    """

    def __init__(self, link: FleetLink, bundles: Iterable[str]) -> None:
        self._link = link
        self._bundles = frozenset(bundles)
        self._good: set[int] = set()

    def is_known(self, run_id: int) -> bool:
        """Return whether a run has an announced bundle, as a whole and unchanged.

        Raises:
            LinkTrouble: if the coordinator cannot be asked now.
        """
        if run_id in self._good:
            return True
        digest = self._link.run_bundle(run_id)
        if digest not in self._bundles:
            return False
        content = self._link.bundle_content(run_id, digest)
        if hashlib.sha256(content).hexdigest() != digest:
            return False
        if len(self._good) < MOST_KNOWN_RUNS:
            self._good.add(run_id)
        return True
