"""The process that stands between a site and its coordinator.

It calls the coordinator, never the other way round: it fetches one question at a time, lets the
site's own installed program answer it, and sends the answer. Whatever arrives is bounded and
checked before it is looked into, and whatever breaks outside, the process waits and goes on.

Nothing is imported here, so that the light parent process stays light.
"""

__all__: list[str] = []
