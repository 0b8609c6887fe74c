"""All mistakes of a sample at once, instead of the first alone."""

MAX_SHOWN = 20
"""The first mistakes are shown, and the others are counted."""


class Mistakes:
    """Collects messages of one line."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, line: str) -> None:
        """Keep a message."""
        self._lines.append(line)

    def raise_all(self) -> None:
        """Raise a ValueError with all messages so far, if there are any."""
        if self._lines:
            more = len(self._lines) - MAX_SHOWN
            raise ValueError("\n".join([*self._lines[:MAX_SHOWN], *([f"and {more} more"] if more > 0 else [])]))
