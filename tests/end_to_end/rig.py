"""A simulated Nylas that keeps its limits, in a process of its own, and a proxy before it, in another."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
from secrecy.collected import keep_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

HEADERS = {"Authorization": "Bearer nyk_end_to_end", "X-Nylas-Proxy-Patience": "30"}
START_LIMIT_S = 20.0


class Answer(NamedTuple):
    """What a caller got: status, header fields, and of an error the whole body."""

    status: int
    fields: dict[str, str]
    body: dict[str, Any]

    @property
    def proxy(self) -> dict[str, Any]:
        told: dict[str, Any] = self.body["proxy"]
        return told


class Rig:
    """What a test asks and looks at."""

    def __init__(self, session: aiohttp.ClientSession, proxies: list[str], simulator: str) -> None:
        self._session = session
        self._proxies = proxies
        self._simulator = simulator

    async def call(self, method: str, path: str, *, through: int = 0, headers: dict[str, str] | None = None, **more: Any) -> Answer:
        async with self._session.request(method, self._proxies[through] + path, headers={**HEADERS, **(headers or {})}, **more) as answer:
            body = await answer.read()
            if answer.status >= 400:
                keep_error(answer.headers.get("X-Nylas-Proxy-Origin"), body)
            return Answer(answer.status, dict(answer.headers), json.loads(body) if answer.status >= 400 else {})

    async def seen(self, report: str) -> dict[str, Any]:
        async with self._session.get(f"{self._simulator}/__simulator/{report}") as answer:
            told: dict[str, Any] = await answer.json()
            return told


@contextlib.asynccontextmanager
async def process(url_in: Callable[[str], str | None], *words: str) -> AsyncIterator[str]:
    """Run `nylas-proxy WORDS` and give the URL that it says it listens on; it is told to end afterwards and must end well."""
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "proxy", *words, stdout=asyncio.subprocess.PIPE, limit=2**20)
    assert child.stdout is not None
    drained: asyncio.Task[None] | None = None
    try:
        url = None
        while url is None:
            line = (await asyncio.wait_for(child.stdout.readline(), START_LIMIT_S)).decode()
            assert line, f"{words[0]} ended before it listened"
            url = url_in(line)
        drained = asyncio.create_task(_drain(child.stdout))
        yield url
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()
        if drained is not None:
            await drained
    assert child.returncode in {0, -15}


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass


def _simulator_url(line: str) -> str | None:
    return line.rsplit(maxsplit=1)[-1] if line.startswith("simulator listening on") else None


def _proxy_url(line: str) -> str | None:
    event = json.loads(line)
    return f"http://127.0.0.1:{event['port']}" if event["event"] == "proxy.listening" else None


def proxy(folder: Path, simulator: str, settings: str, name: str = "proxy") -> contextlib.AbstractAsyncContextManager[str]:
    """A proxy before a simulator; `settings` are TOML."""
    file = folder / f"{name}.toml"
    own = f'listen.port = 0\nadmin.port = 0\nlog.format = "json"\nupstream.v3_url = "{simulator}"\nupstream.v2_url = "{simulator}"\n'
    file.write_text(own + settings)
    return process(_proxy_url, "serve", "--config", str(file))


def simulator(folder: Path, scenario: str) -> contextlib.AbstractAsyncContextManager[str]:
    """A simulator; `scenario` is TOML."""
    file = folder / "scenario.toml"
    file.write_text(scenario)
    return process(_simulator_url, "simulate", "--port", "0", "--limits", "--scenario", str(file))


@contextlib.asynccontextmanager
async def rig(folder: Path, scenario: str = "", settings: str = "", proxies: int = 1) -> AsyncIterator[Rig]:
    """One simulator, and so many proxies with the same settings."""
    async with contextlib.AsyncExitStack() as stack:
        nylas = await stack.enter_async_context(simulator(folder, scenario))
        urls = [await stack.enter_async_context(proxy(folder, nylas, settings, f"proxy{number}")) for number in range(proxies)]
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        yield Rig(session, urls, nylas)
