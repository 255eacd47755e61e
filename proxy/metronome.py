"""Paces what may pass after a throttle window: slowly at first, then faster, for as long as the window was, a minute at most.

The pace rises as fast as the window was short: after a full second of Nylas' own limit a mailbox may soon do two hundred a second again, after
twenty minutes of Exchange it begins with one. Where that was too fast, the next window is longer (`core/window`), and so the pace after it rises
more slowly.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from aiolimiter import AsyncLimiter

from proxy.core.window import REMEMBERED_US

if TYPE_CHECKING:
    from collections.abc import Iterable

_ONE: Final = 1 + 1e-6
"""A limiter of exactly one can be full by an error of rounding, and then sets timers of no length until its clock moves on."""

INTERVALS_S: Final = ((5.0, 1.0), (10.0, 0.5), (20.0, 0.2), (40.0, 0.1), (REMEMBERED_US / 1e6, 0.05))
"""After a window of a minute or more: until so long after the reopening, one request in so many seconds. After a shorter one all of it shrinks."""

LONGEST_S: Final = INTERVALS_S[-1][0]


class _Ramp(NamedTuple):
    """How the pace of one scope rises.

    Attributes:
        reopened_at: When it began, in the loop's time.
        scale: How much of `INTERVALS_S` it takes, up to 1.
    """

    reopened_at: float
    scale: float

    def interval_s(self, now: float) -> float | None:
        """Return the pause between two beats; None once it is over."""
        age_s = now - self.reopened_at
        return next((interval_s * self.scale for until_s, interval_s in INTERVALS_S if age_s < until_s * self.scale), None)

    def beats_in_s(self, now: float, beats: float) -> float:
        """Return how long so many beats take from now on."""
        began_s = at_s = (now - self.reopened_at) / self.scale
        for until_s, interval_s in INTERVALS_S:
            in_stage = max(0.0, until_s - at_s) / interval_s
            if beats <= in_stage:
                at_s += beats * interval_s
                break
            beats -= in_stage
            at_s = max(at_s, until_s)
        return (at_s - began_s) * self.scale


class Metronomes:
    """One for each scope that has reopened lately."""

    def __init__(self) -> None:
        self._ramps: dict[str, _Ramp] = {}
        self._limiters: dict[str, tuple[float, AsyncLimiter]] = {}

    def begin(self, scope: str, window_s: float, age_s: float = 0.0) -> None:
        """Pace a scope that has reopened `age_s` ago, after a window so long. Nothing changes where it is paced already, or so long open."""
        now = asyncio.get_running_loop().time()
        ramp = _Ramp(now - age_s, min(1.0, window_s / LONGEST_S))
        if self._interval_s(scope, now) is None and ramp.interval_s(now) is not None:
            self._ramps[scope] = ramp

    def concern(self, scopes: Iterable[str]) -> bool:
        """Tell whether one of the scopes is paced."""
        if not self._ramps:
            return False
        now = asyncio.get_running_loop().time()
        return any(self._interval_s(scope, now) is not None for scope in scopes)

    def end(self, scope: str) -> None:
        """The scope is closed again."""
        self._ramps.pop(scope, None)
        self._limiters.pop(scope, None)

    def sweep(self, now: float) -> None:
        """Forget what has been open for long; `now` is in the loop's time."""
        for scope in [scope for scope, ramp in self._ramps.items() if ramp.interval_s(now) is None]:
            self.end(scope)

    async def tick(self, scopes: Iterable[str]) -> None:
        """Wait for the next beat of each scope that is paced."""
        if not self._ramps:
            return
        for scope in scopes:
            now = asyncio.get_running_loop().time()
            known, limiter = self._limiters.get(scope), self._limiter(scope, now)
            if limiter is None:
                continue
            if known is not None and known[1] is not limiter:
                await limiter.acquire()  # a faster beat begins with a pause, not with two at once
            await limiter.acquire()

    def interval_s(self, scopes: Iterable[str]) -> float:
        """Return the longest pause between two beats that the scopes have now."""
        return max((self._limiters[scope][0] for scope in scopes if scope in self._limiters), default=0.0)

    def beats_in_s(self, scopes: Iterable[str], beats: int) -> float:
        """Return how long so many beats of the slowest of the scopes take from now on; 0 where none is paced."""
        now = asyncio.get_running_loop().time()
        return max((self._ramps[scope].beats_in_s(now, beats) for scope in scopes if scope in self._ramps), default=0.0)

    def _limiter(self, scope: str, now: float) -> AsyncLimiter | None:
        interval_s = self._interval_s(scope, now)
        if interval_s is None:
            self.end(scope)
            return None
        known = self._limiters.get(scope)
        if known is None or known[0] != interval_s:
            known = self._limiters[scope] = (interval_s, AsyncLimiter(_ONE, interval_s))
        return known[1]

    def _interval_s(self, scope: str, now: float) -> float | None:
        ramp = self._ramps.get(scope)
        return None if ramp is None else ramp.interval_s(now)
