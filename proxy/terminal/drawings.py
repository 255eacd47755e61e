"""Numbers as small drawings of one line. Nothing here knows what they measure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEIGHTS: Final = "▁▂▃▄▅▆▇█"
_HEIGHTS_ASCII: Final = "_.:-=+*#"
_FULL_AND_EMPTY: Final = "█░"
_FULL_AND_EMPTY_ASCII: Final = "#."


def sparkline(counts: Sequence[int], columns: int, *, ascii_only: bool) -> str:
    """Draw the last `columns` of `counts`, the highest at full height. None at all stays on the ground, any stands above it."""
    heights = _HEIGHTS_ASCII if ascii_only else _HEIGHTS
    drawn = counts[-columns:] if columns > 0 else ()
    highest = max(drawn, default=0)
    return "".join(heights[max(count * (len(heights) - 1) // highest, 1) if count > 0 else 0] for count in drawn)


def bar(part: float, columns: int, *, ascii_only: bool) -> str:
    """Draw how full something is, 0 to 1. Only what is full is drawn so, and only what is empty."""
    full, empty = _FULL_AND_EMPTY_ASCII if ascii_only else _FULL_AND_EMPTY
    filled = columns if part >= 1 else min(max(round(part * columns), part > 0), columns - 1)
    return full * filled + empty * (columns - filled)
