"""What all who watch are shown: made for whoever asks first, at most once in a while, and shared by the rest."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, NamedTuple

from proxy.page.rendering import SECTIONS, Rendering, standing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.telemetry.status import Status


class Picture(NamedTuple):
    """The page at one moment.

    Attributes:
        sections: The HTML of each.
        standing: The same without what runs by itself, for comparing.
        made_s: When, by the loop's clock.
    """

    sections: Mapping[str, str]
    standing: Mapping[str, str]
    made_s: float

    def changed(self, seen: Picture | None) -> dict[str, str]:
        """Return the sections that differ from what somebody has seen: all for who has seen nothing."""
        return {name: html for name, html in self.sections.items() if seen is None or seen.standing[name] != self.standing[name]}


class Pictures:
    """Makes pictures of the proxy, one at a time and none that nobody waits for."""

    def __init__(self, status: Callable[[], Status], every_s: float) -> None:
        self._status = status
        self._every_s = every_s
        self._latest: Picture | None = None
        self._rendering: Rendering | None = None
        self._making = asyncio.Lock()
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Make no more of them; who waits for one is told."""
        self._ended.set()

    async def now(self) -> Picture:
        """Return the latest, or a new one where it is too old."""
        async with self._making:
            if self._latest is None or self._due_in_s(self._latest) <= 0:
                self._latest = await self._make()
            return self._latest

    async def after(self, seen: Picture | None) -> Picture | None:
        """Wait until another one than somebody has seen is due and return it; None when there will be none."""
        if seen is not None and seen is self._latest:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), self._due_in_s(seen))
        return None if self._ended.is_set() else await self.now()

    async def page(self) -> str:
        """Return the whole page as it is now."""
        picture = await self.now()
        return (await self._ready()).page(picture.sections)

    def _due_in_s(self, picture: Picture) -> float:
        return picture.made_s + self._every_s - asyncio.get_running_loop().time()

    async def _make(self) -> Picture:
        rendering = await self._ready()
        made_s = asyncio.get_running_loop().time()
        status = self._status()
        sections = {}
        for name in SECTIONS:
            sections[name] = rendering.section(name, status)
            await asyncio.sleep(0)  # requests of callers go between two sections
        return Picture(sections, {name: standing(html) for name, html in sections.items()}, made_s)

    async def _ready(self) -> Rendering:
        if self._rendering is None:
            self._rendering = await asyncio.to_thread(Rendering)
        return self._rendering
