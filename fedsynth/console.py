"""The two places where the command line writes."""

from rich.console import Console

screen = Console()
errors = Console(stderr=True)
