"""``fedsynth server``: what a coordinator's people do, from its founding to its stop.

Each module of commands reads options and says what came of it. What takes seconds to import is
imported by the command that needs it.
"""

from fedsynth.server.commands import server_app

__all__ = ["server_app"]
