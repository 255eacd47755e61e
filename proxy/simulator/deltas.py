"""The change log of the v2 account, which the delta endpoints read and wait for."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.simulator.replies import Json

MAX_DELTAS = 10_000
_CURSOR = "cursor-"


def cursor(position: int) -> str:
    """The name of a position in the log, as clients see it."""
    return f"{_CURSOR}{position:08d}"


def position_of(name: str) -> int | None:
    """The position that a cursor names, or None for what is no cursor."""
    digits = name.removeprefix(_CURSOR)
    return int(digits) if name.startswith(_CURSOR) and len(digits) == len(f"{0:08d}") and digits.isascii() and digits.isdigit() else None


class DeltaLog:
    """Changes in order. A position counts the changes before it."""

    def __init__(self) -> None:
        self._deltas: deque[Json] = deque(maxlen=MAX_DELTAS)
        self._changed = asyncio.Event()
        self.end = 0

    def note(self, event: str, kind: str, item: Json) -> None:
        """Record that `item` was created, modified or deleted."""
        self.end += 1
        delta: Json = {"cursor": cursor(self.end), "event": event, "object": kind, "id": item["id"]}
        self._deltas.append(delta if event == "delete" else {**delta, "attributes": dict(item)})
        self._changed.set()
        self._changed = asyncio.Event()

    def since(self, position: int) -> list[Json]:
        """The changes after a position, as far as they are still kept."""
        missed = min(len(self._deltas), max(0, self.end - position))
        return list(self._deltas)[len(self._deltas) - missed :]

    async def wait(self, position: int, wait_s: float) -> bool:
        """Wait for a change after `position`; False when none came in time."""
        if self.end > position:
            return True
        changed = self._changed
        try:
            async with asyncio.timeout(wait_s):
                await changed.wait()
        except TimeoutError:
            return False
        return True
