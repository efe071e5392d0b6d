"""What a simulation tells while it runs: small dicts of plain values, with names for nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from privacy import Ledger
from server.study import Study
from simulations.grid import Delivery
from simulations.reporting import LEDGER_FILE
from simulations.sites import site_folder
from strategies.protocol import QUERY_CLOSE, QUERY_SKETCH

Event = Mapping[str, object]
OnEvent = Callable[[Event], None]
UNNAMED = "a site"
"""Stands for a node of a backend that does not tell which site it is."""


class Events:
    """Passes on what the coordinator and the grid tell, and adds what only a simulation knows.

    Args:
        on_event: the listener, if there is one.
        study: the study's settings.
        names: the sites' names, by number.
        home: folder of the sites' folders, with their ledgers.
    """

    def __init__(
        self, on_event: OnEvent | None, *, study: Study, names: tuple[str, ...], home: Path
    ) -> None:
        self._on_event = on_event
        self._study = study
        self._names = names
        self._home = home
        self._name_of: dict[int, str] = {}

    def __call__(self, event: Event) -> None:
        """Pass one event on; after the sketch, tell what every site has spent."""
        if self._on_event is None:
            return
        rejected = event.get("rejected")
        if isinstance(rejected, Mapping):
            named = [(self._name_of.get(int(n), UNNAMED), code) for n, code in rejected.items()]
            event = {**event, "rejected": named}
        if event["event"] in ("sites-differ", "site-groups"):
            nodes = event["nodes"]
            assert isinstance(nodes, list)
            event = {**event, "nodes": [self._name_of.get(node, UNNAMED) for node in nodes]}
        self._on_event(event)
        if event["event"] == "phase-finished" and event["phase"] == QUERY_SKETCH:
            spent = self._replay_ledgers()
            self._on_event({"event": "budget", "budget": self._study.epsilon, "sites": spent})

    def deliver(self, delivery: Delivery) -> None:
        """Tell that a site has answered, or failed to."""
        name = self._names[delivery.partition_id]
        self._name_of[delivery.node_id] = name
        if delivery.message_type != QUERY_CLOSE:
            self({"event": "site-answered", "phase": delivery.message_type, "site": name})

    def _replay_ledgers(self) -> dict[str, float]:
        """Return each site's epsilon; a site that has reserved nothing yet has spent nothing."""
        paths = [site_folder(self._home, i) / LEDGER_FILE for i in range(len(self._names))]
        return {
            name: Ledger.open(path).epsilon() if path.exists() else 0.0
            for name, path in zip(self._names, paths, strict=True)
        }
