"""``fedsynth site``: what a data site's people do, from its founding to the proof of its ledger.

Each module of commands reads options and says what came of it; the others do one thing each. What
takes seconds to import is imported by the command that needs it.
"""

from fedsynth.site.commands import site_app

__all__ = ["site_app"]
