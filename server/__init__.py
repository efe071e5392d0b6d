"""What runs at the coordinator.

The ServerApp, the study, its checkpoints and the release belong here. The coordinator never holds
a record: it works on messages that are already private. Nothing of a site belongs here.
"""

__all__: list[str] = []
