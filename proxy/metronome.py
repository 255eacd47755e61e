"""Paces what may pass after a throttle window: slowly at first, then faster, until the scope has been open for a minute."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiolimiter import AsyncLimiter

from proxy.core.window import REMEMBERED_US

if TYPE_CHECKING:
    from collections.abc import Iterable

_ONE: Final = 1 + 1e-6
"""A limiter of exactly one can be full by an error of rounding, and then sets timers of no length until its clock moves on."""

INTERVALS_S: Final = ((5.0, 1.0), (10.0, 0.5), (20.0, 0.2), (40.0, 0.1), (REMEMBERED_US / 1e6, 0.05))
"""Until so long after the reopening, one request in so many seconds."""


class Metronomes:
    """One for each scope that has reopened lately."""

    def __init__(self) -> None:
        self._reopened_at: dict[str, float] = {}
        self._limiters: dict[str, tuple[float, AsyncLimiter]] = {}

    def begin(self, scope: str, reopened_at: float) -> None:
        """Pace a scope from now on; `reopened_at` is in the loop's time. Nothing changes where it is paced already."""
        self._reopened_at.setdefault(scope, reopened_at)

    def concern(self, scopes: Iterable[str]) -> bool:
        """Tell whether one of the scopes is paced."""
        return bool(self._reopened_at) and any(scope in self._reopened_at for scope in scopes)

    def end(self, scope: str) -> None:
        """The scope is closed again."""
        self._reopened_at.pop(scope, None)
        self._limiters.pop(scope, None)

    def sweep(self, now: float) -> None:
        """Forget what has been open for long; `now` is in the loop's time."""
        for scope in [scope for scope, reopened_at in self._reopened_at.items() if now - reopened_at >= INTERVALS_S[-1][0]]:
            self.end(scope)

    async def tick(self, scopes: Iterable[str]) -> None:
        """Wait for the next beat of each scope that is paced."""
        if not self._reopened_at:
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

    def _limiter(self, scope: str, now: float) -> AsyncLimiter | None:
        reopened_at = self._reopened_at.get(scope)
        if reopened_at is None:
            return None
        age_s = now - reopened_at
        interval_s = next((interval_s for until_s, interval_s in INTERVALS_S if age_s < until_s), None)
        if interval_s is None:
            self.end(scope)
            return None
        known = self._limiters.get(scope)
        if known is None or known[0] != interval_s:
            known = self._limiters[scope] = (interval_s, AsyncLimiter(_ONE, interval_s))
        return known[1]
