"""What the parts cost in time. Each module prints a small table: ``python -m`` and its name."""

__all__: list[str] = []
