"""How good synthetic images are."""

__all__: list[str] = []
