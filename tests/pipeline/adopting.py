"""Other settings while requests wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pipeline.scripted import READ, soon
from proxy.settings import Settings
from proxy.settings.pacing import Limits, Patience

if TYPE_CHECKING:
    from pipeline.scripted import Heard, Way


def allowing(count: int = 1, per_s: float = 1.0, *, headroom: float = 0.0, **others: Any) -> Settings:
    """So many messages of a grant in so many seconds."""
    return Settings(limits=Limits(headroom=headroom, overrides={"v3_messages": {"count": count, "per_s": per_s}}, **others))


def waiting_room(requests: int) -> Settings:
    """One message in five seconds, and room for so many who wait."""
    return Settings(limits=allowing(per_s=5.0).limits, patience=Patience(max_waiting=requests))


async def start(way: Way, times: int = 1, **fields: Any) -> list[asyncio.Task[Heard]]:
    """Have so many read, and let them come as far as they can."""
    tasks = [way.start(READ, **fields) for _ in range(times)]
    await soon()
    return tasks


async def statuses(tasks: list[asyncio.Task[Heard]]) -> list[int]:
    return [heard.status for heard in await asyncio.gather(*tasks)]
