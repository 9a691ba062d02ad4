"""How long work tells how far it has come."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the stage's name, steps done, and steps in all."""


def silent(_stage: str, _done: int, _total: int) -> None:
    """Tell nobody."""
