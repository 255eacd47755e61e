"""A line of counts as the points of an SVG drawing, 60 wide and 20 high, and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS: Final = 60
_HEIGHT: Final = 20.0


def outline(history: Sequence[int]) -> str:
    """Return the points of the line, the newest at the right edge; a full height is the highest count, or 1."""
    counts = list(history)[-SECONDS:] or [0] * SECONDS
    top = max(1, *counts)
    left = SECONDS - len(counts)
    # A count stands for a second: it is drawn as wide as one, so that a single one can be seen.
    steps = [(left + place + edge, round(_HEIGHT - _HEIGHT * count / top, 2)) for place, count in enumerate(counts) for edge in (0, 1)]
    return " ".join(f"{x},{y:g}" for x, y in steps)


def spoken(history: Sequence[int]) -> str:
    """Say the same in words, for who does not see it."""
    counts = list(history)[-SECONDS:]
    if not any(counts):
        return "Requests in each of the last 60 seconds: none"
    return f"Requests in each of the last {len(counts)} seconds: from {min(counts)} to {max(counts)}, {counts[-1]} in the last"
