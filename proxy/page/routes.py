"""The page over HTTP: itself, its two assets, and a stream of what changes for whoever keeps it open."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import hdrs, web

from proxy.page.pictures import Pictures

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.page.pictures import Picture
    from proxy.telemetry.status import Status

MAX_WATCHERS: Final = 20
"""Of them one costs little; a forgotten screen on every wall should not add up to much."""

_EVERY_S: Final = 1.0
_TAKES_WITHIN_S: Final = 30.0
"""Who does not take an event for so long is gone, though the network has not said so."""

_FIELDS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
_STREAM_FIELDS: Final = {**_FIELDS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
_ASSETS: Final = {"page.css": "text/css", "page.js": "text/javascript"}


class PageRoutes(list[web.RouteDef]):
    """The routes, for `add_routes`."""

    def __init__(self, status: Callable[[], Status], every_s: float = _EVERY_S) -> None:
        super().__init__([web.get("/", self._page), web.get("/events", self._events), web.get("/page/{file}", _asset)])
        self._pictures = Pictures(status, every_s)
        self._watchers = 0
        self._sending: set[asyncio.Transport] = set()

    async def close(self, _application: web.Application | None = None) -> None:
        """End all streams, also those whose watcher takes nothing. Fits `Application.on_shutdown`."""
        self._pictures.end()
        for transport in self._sending:
            transport.abort()

    async def _page(self, _request: web.Request) -> web.Response:
        return web.Response(text=await self._pictures.page(), content_type="text/html", headers=_FIELDS)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if request.method == hdrs.METH_HEAD:
            return web.Response(headers=_STREAM_FIELDS)
        if self._watchers >= MAX_WATCHERS:
            text = f"{MAX_WATCHERS} pages are open already: close one of them, or reload this one by hand.\n"
            return web.Response(status=503, text=text, headers={**_FIELDS, "Retry-After": "10"})
        self._watchers += 1
        try:
            return await self._stream(request)
        finally:
            self._watchers -= 1

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=_STREAM_FIELDS)
        seen: Picture | None = None
        try:
            await response.prepare(request)
            while picture := await self._pictures.after(seen):
                if request.transport is None:
                    break
                if sections := picture.changed(seen):
                    await self._send(request.transport, response, sections)
                seen = picture
        except (ConnectionError, TimeoutError):  # the watcher is gone: nothing to be told to anybody
            pass
        return response

    async def _send(self, transport: asyncio.Transport, response: web.StreamResponse, sections: dict[str, str]) -> None:
        self._sending.add(transport)
        try:
            async with asyncio.timeout(_TAKES_WITHIN_S):
                await response.write(b"data: %b\n\n" % msgspec.json.encode(sections))
        except TimeoutError:
            transport.abort()
            raise
        finally:
            self._sending.discard(transport)


async def _asset(request: web.Request) -> web.Response:
    name = request.match_info["file"]
    if name not in _ASSETS:
        raise web.HTTPNotFound
    return web.Response(body=_content(name), content_type=_ASSETS[name], charset="utf-8", headers=_FIELDS)


@cache
def _content(name: str) -> bytes:
    return (Path(__file__).parent / "assets" / name).read_bytes()
