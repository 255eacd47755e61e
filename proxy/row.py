"""The heads of lines that one thing holds, in the order of their turns: by what they cost, so that lines share units and not requests.

Start-time fair queueing (Goyal, Vin, Cheng 1996): a head starts where its line last ended, or where the row is now if that is later, and the one
with the earliest start goes first. With equal costs that is taking turns.
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable

    from proxy.waiter import Waiter

_REMEMBERED_MIN: Final = 1000
"""So many ends of lines are kept without asking which of them still matter; then twice as many as did when last asked."""

_FEW: Final = 16


class Row:
    """Who is held by one limit, cap or window."""

    __slots__ = ("_ends", "_heap", "_numbers", "_remembered_max", "_starts", "_virtual")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Waiter]] = []
        self._starts: dict[Waiter, float] = {}
        self._ends: dict[Hashable, float] = {}
        self._numbers = itertools.count()
        self._remembered_max = _REMEMBERED_MIN
        self._virtual = 0.0

    def __len__(self) -> int:
        return len(self._starts)

    def join(self, waiter: Waiter) -> None:
        """Stand in the row."""
        start = max(self._virtual, self._ends.get(waiter.line, 0.0))
        self._starts[waiter] = start
        heapq.heappush(self._heap, (start, next(self._numbers), waiter))

    def first(self) -> Waiter | None:
        """Return whose turn it is."""
        heap = self._heap
        while heap and self._starts.get(heap[0][2]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][2] if heap else None

    def commit(self, waiter: Waiter) -> None:
        """Let nobody who joins from now on come before `waiter`, whose turn it is: its service has begun."""
        self._virtual = max(self._virtual, self._starts[waiter])

    def next_few(self) -> list[Waiter]:
        """Return some of those who come after the first, about in the order of their turns."""
        return list(itertools.islice((waiter for start, _, waiter in self._heap[1:] if self._starts.get(waiter) == start), _FEW))

    def leave(self, waiter: Waiter, cost: int) -> None:
        """Go; `cost` is what the line has had by it, 0 where it goes without."""
        start = self._starts.pop(waiter)
        if len(self._heap) > 2 * len(self._starts) + _FEW:  # mostly those who have left from the middle
            self._heap = [entry for entry in self._heap if self._starts.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)
        if cost:
            # Time goes on with what is served, shared by all who stand here: else lines that come for one request each would keep it from going on.
            self._virtual = max(self._virtual + cost / (len(self._starts) + 1) if self._starts else self._virtual, start)
            self._ends[waiter.line] = start + cost
            if len(self._ends) > self._remembered_max:
                self._ends = {line: end for line, end in self._ends.items() if end > self._virtual}
                self._remembered_max = max(_REMEMBERED_MIN, 2 * len(self._ends))
