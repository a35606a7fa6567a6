"""How logic tells meanwhile how far it is, without knowing who shows it."""

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""How logic reports progress: called with (done, total); total is None while it is not known."""

Note = Callable[[str], None]
"""How logic tells meanwhile what is good to know, such as what it waits for."""
