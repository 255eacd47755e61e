"""Counting against a limit, exactly: the time of every arrival is kept, and the window of the limit reaches from (now - W) to now.

An arrival leaves the window once it is W old. Time is an argument: seconds that never step back.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

MAX_REFUSED = 10_000
"""So many refused arrivals are remembered for the peak of what was asked; what was admitted is remembered without a bound but the count."""

_AT_ONCE_WAIT_S = 1.0


@dataclass(slots=True, eq=False)
class Arrived:
    """One arrival: when, what it costs, whether it has left the window."""

    at_s: float
    cost: int
    gone: bool = False


class SlidingLog:
    """What one subject did against one limit of `count` in every `per_s` seconds."""

    __slots__ = ("_admitted", "_refused", "_refused_cost", "count", "held", "per_s")

    def __init__(self, count: int, per_s: float) -> None:
        self.count = count
        self.per_s = per_s
        self.held = 0
        self._refused_cost = 0
        self._admitted: deque[Arrived] = deque()
        self._refused: deque[Arrived] = deque()

    def wait_s(self, now_s: float, cost: int) -> float:
        """How long until `cost` fits, 0.0 when it does. More than the whole count fits where nothing else is."""
        self._forget(now_s)
        if self.held + cost <= self.count:
            return 0.0
        left = self.held
        for arrived in self._admitted:
            left -= arrived.cost
            if left + cost <= self.count or not left:
                return arrived.at_s + self.per_s - now_s
        return 0.0

    def admit(self, now_s: float, cost: int) -> Arrived:
        """Count an arrival that may pass; the receipt is for `correct`."""
        arrived = Arrived(now_s, cost)
        self._admitted.append(arrived)
        self.held += cost
        return arrived

    def refuse(self, now_s: float, cost: int) -> int:
        """Remember an arrival that may not pass, and tell how much was asked for in this window, in vain or not."""
        self._refused.append(Arrived(now_s, cost))
        self._refused_cost += cost
        if len(self._refused) > MAX_REFUSED:
            self._refused_cost -= self._refused.popleft().cost
        return self.held + self._refused_cost

    def correct(self, arrived: Arrived, cost: int) -> None:
        """Put the true cost in the place of the expected one, at the time of the arrival."""
        if not arrived.gone:
            self.held += cost - arrived.cost
            arrived.cost = cost

    def idle(self, now_s: float) -> bool:
        """Tell whether there is nothing to remember."""
        self._forget(now_s)
        return not self._admitted

    def _forget(self, now_s: float) -> None:
        while self._admitted and now_s - self._admitted[0].at_s >= self.per_s:
            left = self._admitted.popleft()
            left.gone = True
            self.held -= left.cost
        while self._refused and now_s - self._refused[0].at_s >= self.per_s:
            self._refused_cost -= self._refused.popleft().cost


class InFlight:
    """How many requests of one subject are under way, against a limit of `count` at once. Each counts once, whatever it costs."""

    __slots__ = ("count", "held")

    def __init__(self, count: int) -> None:
        self.count = count
        self.held = 0

    def wait_s(self, _now_s: float, _cost: int) -> float:
        """0.0 when there is room, else a second: nobody knows when one ends."""
        return 0.0 if self.held < self.count else _AT_ONCE_WAIT_S

    def admit(self, now_s: float, cost: int) -> Arrived:
        """Count one that begins."""
        self.held += 1
        return Arrived(now_s, cost)

    def refuse(self, _now_s: float, _cost: int) -> int:
        """Tell how many would be under way; a refused request is not."""
        return self.held + 1

    def correct(self, _arrived: Arrived, _cost: int) -> None:
        """Nothing to correct."""

    def end(self) -> None:
        """Count one that ended."""
        self.held -= 1

    def idle(self, _now_s: float) -> bool:
        """Tell whether none is under way."""
        return not self.held
