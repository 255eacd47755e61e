"""Ends all waiting at once, when the proxy is about to end itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

Result = TypeVar("Result")
Otherwise = TypeVar("Otherwise")


class ClosingTime:
    """Before it, whoever waits goes on waiting; from then on nobody does."""

    def __init__(self) -> None:
        self._has_come = False
        self._waiting: set[asyncio.Timeout] = set()

    def begin(self) -> None:
        """It has come."""
        self._has_come = True
        now = asyncio.get_running_loop().time()
        for each in self._waiting:
            each.reschedule(now)

    async def unless_over(self, waiting: Coroutine[object, object, Result], otherwise: Otherwise) -> Result | Otherwise:
        """Return what is waited for, or `otherwise` where closing time comes first. What needs no wait is had all the same."""
        try:
            async with asyncio.timeout(0 if self._has_come else None) as until:
                self._waiting.add(until)
                try:
                    return await waiting
                finally:
                    self._waiting.discard(until)
        except TimeoutError:
            return otherwise
