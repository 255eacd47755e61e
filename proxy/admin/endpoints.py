"""What each path of the admin listener answers, apart from the pages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from aiohttp import hdrs, web

from proxy.admin.answers import Failure, as_json, told
from proxy.admin.desk import Closed, NotClosed
from proxy.admin.orders import Mistaken, read_bare, read_closing, read_level

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.admin.access import Access
    from proxy.admin.desk import Desk
    from proxy.admin.orders import Closing

BODY_MAX_BYTES: Final = 4096
BODY_TIMEOUT_S: Final = 10.0

Order = TypeVar("Order")


class Endpoints:
    """Answers with what a desk knows and does."""

    def __init__(self, desk: Desk, access: Access) -> None:
        self._desk = desk
        self._access = access

    def routes(self) -> list[web.RouteDef]:
        """All of them; those of GET answer HEAD as well."""
        return [
            web.get("/healthz", self._healthz),
            web.get("/readyz", self._readyz),
            web.get("/metrics", self._metrics),
            web.get("/status.json", self._status),
            web.post("/windows", self._windows),
            web.post("/drain", self._drain),
            web.post("/log-level", self._log_level),
            web.post("/reload", self._reload),
        ]

    async def _healthz(self, _request: web.Request) -> web.Response:
        return as_json({"status": "alive"})

    async def _readyz(self, _request: web.Request) -> web.Response:
        now = self._desk.readiness()
        if now.state in {"ready", "degraded"}:
            return as_json({"status": now.state, "ledger": now.ledger, "why": now.why})
        return as_json({"status": now.state}, 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        body, content_type = await self._desk.exposition(", ".join(request.headers.getall(hdrs.ACCEPT, [])))
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: content_type})

    async def _status(self, _request: web.Request) -> web.Response:
        return as_json(self._desk.status())

    async def _windows(self, request: web.Request) -> web.Response:
        order: Closing | Failure = await self._ordered(request, read_closing)
        if isinstance(order, Failure):
            return told(order)
        match await self._desk.operator.close_window(order):
            case Closed() as closed:
                return as_json(closed._asdict())
            case NotClosed(why):
                return told(Failure(409, why))

    async def _drain(self, request: web.Request) -> web.Response:
        order = await self._ordered(request, read_bare)
        if isinstance(order, Failure):
            return told(order)
        await self._desk.operator.drain()
        return as_json({"status": "draining"}, 202)

    async def _log_level(self, request: web.Request) -> web.Response:
        order = await self._ordered(request, read_level)
        if isinstance(order, Failure):
            return told(order)
        await self._desk.operator.set_log_level(order.level)
        return as_json({"level": order.level})

    async def _reload(self, request: web.Request) -> web.Response:
        order = await self._ordered(request, read_bare)
        if isinstance(order, Failure):
            return told(order)
        reloaded = await self._desk.operator.reload()
        if reloaded.mistakes:
            return told(Failure(422, "the settings cannot be used, those before stay in force"), mistakes=reloaded.mistakes)
        return as_json({"applied": reloaded.applied, "at_restart": reloaded.at_restart})

    async def _ordered(self, request: web.Request, read: Callable[[bytes], Order | Mistaken]) -> Order | Failure:
        """Return what an operator orders, or why it is not looked at."""
        if refusal := self._access.refusal_of_orders():
            return refusal
        body = await _body(request)
        if isinstance(body, Failure):
            return body
        order = read(body)
        return Failure(400, order.what) if isinstance(order, Mistaken) else order


async def _body(request: web.Request) -> bytes | Failure:
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        return Failure(413, f"the body is longer than the {BODY_MAX_BYTES} bytes that are allowed")
    except TimeoutError:
        return Failure(408, f"the body has not come within {BODY_TIMEOUT_S:g} seconds")
    except web.RequestPayloadError:
        return Failure(400, "the body cannot be read: its framing is wrong")
    if body and request.content_type != "application/json":
        return Failure(415, "the body must be sent as application/json (curl: -H 'Content-Type: application/json')")
    return body
