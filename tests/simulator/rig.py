"""A running simulator, and what the tests do with it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from proxy.simulator.app import create_app
from proxy.simulator.main import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

KEY = {"Authorization": "Bearer nyk_v0_example"}
V2_TOKEN = {"Authorization": "Bearer example"}
GRANT = "/v3/grants/google-1"
PATIENCE_S = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Any
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        return self.json()["data"]


@dataclass(frozen=True, slots=True)
class Simulator:
    """A client of a running simulator."""

    url: str
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, cue: str = "", headers: dict[str, str] | None = None, **more: Any) -> Answer:
        cues = {"X-Simulator": cue} if cue else {}
        credentials = KEY if path.startswith("/v3/") else V2_TOKEN
        async with self.session.request(method, self.url + path, headers={**credentials, **cues, **(headers or {})}, **more) as response:
            return Answer(response.status, response.headers, await response.read())

    async def arrivals(self, since: int = 0) -> list[dict[str, Any]]:
        answer = await self.ask("GET", f"/__simulator/arrivals?since={since}")
        return list(answer.json()["arrivals"])

    async def deliveries(self) -> Any:
        return (await self.ask("GET", "/__simulator/deliveries")).json()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self.url.removeprefix("http://").split(":")
        return await asyncio.open_connection(host, int(port))

    async def bytes_for(self, request: bytes) -> tuple[bytes, bool]:
        """All that comes back for these bytes until the connection ends, and whether it ended by a reset."""
        reader, writer = await self.connect()
        received = bytearray()
        try:
            async with asyncio.timeout(PATIENCE_S):
                writer.write(request)
                while piece := await reader.read(65_536):
                    received += piece
        except ConnectionResetError:
            return bytes(received), True
        finally:
            writer.close()
        return bytes(received), False


async def running(scenario: Path | None = None) -> AsyncIterator[Simulator]:
    """Run a simulator on a free port."""
    app: web.Application = create_app(scenario)
    async with serving(app, "127.0.0.1", 0) as url, aiohttp.ClientSession() as session:
        yield Simulator(url, session)
