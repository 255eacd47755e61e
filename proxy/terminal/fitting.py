"""Who gets which lines of a terminal that has too few for all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

FRAME_LINES: Final = 2
"""A blank line and the head of a table."""

_LEAST_LINES: Final = 2
"""A row, and the line that says how many more there are."""


def allotted(wanted: Sequence[int], lines: int) -> list[int]:
    """Return how many lines for rows each section gets of `lines`, frames included; one that gets none is left out.

    Whoever comes first is served first with the least that makes sense; what is left goes round, a line each.

    Args:
        wanted: For each section, the most important first, how many lines all its rows take.
        lines: That there are in all.
    """
    given = []
    for wish in wanted:
        least = min(wish, _LEAST_LINES)
        fits = FRAME_LINES + least <= lines
        given.append(least if fits else 0)
        lines -= FRAME_LINES + least if fits else 0
    while lines > 0 and (hungry := [place for place, wish in enumerate(wanted) if 0 < given[place] < wish]):
        for place in hungry[:lines]:
            given[place] += 1
        lines -= len(hungry)
    return given
