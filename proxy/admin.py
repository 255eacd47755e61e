"""The second listener: is this process alive, and does it take requests."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_OPEN_PATHS: Final = frozenset({"/healthz", "/readyz"})


async def start_admin(host: str, port: int, token: str, is_ready: Callable[[], bool]) -> tuple[web.AppRunner, int]:
    """Listen; returns the runner, to be cleaned up at the end, and the port. Raises OSError where the address cannot be had.

    With a `token`, every path but health and readiness, which probes ask for, wants it as a bearer token.
    """

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_request: web.Request) -> web.Response:
        if is_ready():
            return web.json_response({"status": "ready"})
        return web.json_response({"status": "draining"}, status=503)

    @web.middleware
    async def authorised(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
        shown = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if token and request.path not in _OPEN_PATHS and not hmac.compare_digest(shown, b"Bearer " + token.encode()):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        return await handler(request)

    application = web.Application(middlewares=[authorised])
    application.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    return runner, int(runner.addresses[0][1])
