"""An admin listener on a real socket, before a desk that notes what it is told."""

from __future__ import annotations

import base64
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import msgspec
from yarl import URL

from proxy.admin import Closed, CloseOutcome, Closing, Desk, Readiness, start_admin
from proxy.core.events import Reloaded
from proxy.settings import Admin
from proxy.telemetry.status import Health, Status, Traffic

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiohttp import web

    from proxy.admin.orders import Level

TOKEN = "S3cret-Tökèn"
GRANT_HASH = "0123456789abcdef0123456789abcdef"
APPLICATION_HASH = "fedcba9876543210fedcba9876543210"
ADDRESS = "ann@example.com"


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes
    challenges: list[str]

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def error(self) -> tuple[str, str]:
        """Type and message of an error in the one form that they have."""
        error = self.json["error"]
        assert list(error) == ["type", "message"]
        return error["type"], error["message"]


class Orders:
    """An operator who does nothing."""

    def __init__(self) -> None:
        self.given: list[object] = []
        self.outcome: CloseOutcome | Exception = Closed("grant", GRANT_HASH, 90.0)
        self.reloaded = Reloaded((), ("log.level",), ("listen.port",))

    async def close_window(self, order: Closing) -> CloseOutcome:
        self.given.append(order)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def drain(self) -> None:
        self.given.append("drain")

    async def set_log_level(self, level: Level) -> None:
        self.given.append(level)

    async def reload(self) -> Reloaded:
        self.given.append("reload")
        return self.reloaded


class Listener:
    """A listener and a way to ask it."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.orders = Orders()
        self.readiness = Readiness("ready", "local", "")
        self.accepts: list[str] = []
        self.bugs: list[BaseException] = []
        self.status: Status | Exception = a_status()
        self.port = 0
        self.token = ""
        self._session = session

    def desk(self, *page: web.RouteDef) -> Desk:
        return Desk(lambda: self.readiness, self._exposition, self._status, self.orders, self.bugs.append, page)

    async def ask(self, method: str, path: str, *, body: bytes | None = None, **fields: str) -> Answer:
        """Ask with the token as a bearer, where there is one and nothing else is said."""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        if self.token and "Authorization" not in headers:
            headers["Authorization"] = bearer(self.token)
        url = URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)
        async with self._session.request(method, url, data=body, headers={name: value for name, value in headers.items() if value}) as answer:
            return Answer(answer.status, answer.headers, await answer.read(), answer.headers.getall("WWW-Authenticate", []))

    async def order(self, path: str, order: object) -> Answer:
        return await self.ask("POST", path, body=msgspec.json.encode(order), Content_Type="application/json")

    async def _exposition(self, accept: str) -> tuple[bytes, str]:
        self.accepts.append(accept)
        return b"up 1\n", "text/plain; version=1.0.0; charset=utf-8"

    def _status(self) -> Status:
        if isinstance(self.status, Exception):
            raise self.status
        return self.status


def a_status() -> Status:
    traffic = Traffic(1.5, 0.0, 1.5, 0.0, 0.0, 0.0, 0.0002, 0.0009, None, None, [0] * 60, [], 0, 1, 2)
    return Status("1.2.3", 1.0, 2.0, Health("ready", "local", 2.0, "", "enforce", 0.0, 1.0, 1, 9), traffic, [], 0, [], 0, [], [], [], [])


def bearer(token: str) -> str:
    return f"Bearer {token}"


def basic(token: str, user: str = "ops") -> str:
    return f"Basic {base64.b64encode(f'{user}:{token}'.encode()).decode()}"


@asynccontextmanager
async def listening(*page: web.RouteDef, token: str = "", host: str = "127.0.0.1") -> AsyncIterator[Listener]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        listener = Listener(session)
        listener.token = token
        runner, listener.port = await start_admin(Admin(host, 0, token), listener.desk(*page))
        try:
            yield listener
        finally:
            await runner.cleanup()
