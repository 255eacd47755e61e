"""A simulated Nylas that keeps its limits and proxies before it, each a process of its own; the simulator shares its core with the load."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from child_process import Child, start

from promises.callers import Callers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

START_LIMIT_S = 20.0
_LOOK_EVERY_S = 0.02
_CORES = sorted(os.sched_getaffinity(0))


class Events(NamedTuple):
    """What a process has logged.

    Attributes:
        log: Its log.
    """

    log: Path

    def named(self, name: str) -> list[dict[str, Any]]:
        """Return its events of this name."""
        with self.log.open() as lines:
            return [json.loads(line) for line in lines if f'"{name}"' in line]


class Proxy(NamedTuple):
    """A running proxy.

    Attributes:
        child: The process.
        callers: Those who ask it.
        events: What it logs.
    """

    child: Child
    callers: Callers
    events: Events

    def stop(self) -> None:
        """End it, with what it has under way."""
        self.callers.close()
        self.child.stop()


class Rig:
    """One simulator, and the proxies before it.

    Args:
        folder: For files.
        simulator: The simulator.
        upstream: What the proxies' settings say of it.
        settings: TOML of all proxies.

    Attributes:
        proxies: Those that run.
        simulator: For asking what it has noted.
        folder: For files.
    """

    def __init__(self, folder: Path, simulator: Callers, upstream: str, settings: str) -> None:
        self.folder = folder
        self.simulator = simulator
        self.proxies: list[Proxy] = []
        self._settings = f'listen.port = 0\nadmin.port = 0\nlog.format = "json"\n{upstream}{settings}'
        self._started = 0

    async def start_proxy(self) -> Proxy:
        """Start one more; they take turns on the cores."""
        core = _CORES[self._started % len(_CORES)]
        self._started += 1
        folder = self.folder / f"proxy{self._started}"
        folder.mkdir()
        (folder / "proxy.toml").write_text(self._settings)
        child = start([sys.executable, "-m", "proxy", "serve", "--config", "proxy.toml"], folder, core)
        with _stopped_unless_ready(child):
            proxy = Proxy(child, Callers(await _first_told(child, _proxy_url)), Events(folder / "output.log"))
        self.proxies.append(proxy)
        return proxy

    def stop(self) -> None:
        """End all proxies."""
        for proxy in self.proxies:
            proxy.stop()


@contextlib.asynccontextmanager
async def rig(scenario: str = "", settings: str = "", *, proxies: int = 1) -> AsyncIterator[Rig]:
    """Start a simulator and so many proxies; `scenario` and `settings` are TOML."""
    async with simulated(scenario) as (folder, simulator):
        made = Rig(folder, simulator, f'upstream.v3_url = "{simulator.url}"\nupstream.v2_url = "{simulator.url}"\n', settings)
        async with running(made, proxies):
            yield made


@contextlib.asynccontextmanager
async def running(made: Rig, proxies: int) -> AsyncIterator[None]:
    """Have so many proxies run."""
    try:
        for _ in range(proxies):
            await made.start_proxy()
        yield
    finally:
        made.stop()


@contextlib.asynccontextmanager
async def simulated(scenario: str) -> AsyncIterator[tuple[Path, Callers]]:
    """Start a simulator; gives a folder for files, too."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "scenario.toml").write_text(scenario)
        words = ["simulate", "--port", "0", "--limits", "--scenario", "scenario.toml"]
        async with child_telling([sys.executable, "-m", "proxy", *words], folder, _simulator_url) as url:
            simulator = Callers(url)
            yield folder, simulator
            simulator.close()


@contextlib.asynccontextmanager
async def child_telling(command: list[str], folder: Path, find: Callable[[str], str | None]) -> AsyncIterator[str]:
    """Run a program on the last core; gives what `find` makes of the first line where it finds something."""
    child = start(command, folder, _CORES[-1])
    try:
        yield await _first_told(child, find)
    finally:
        child.stop()


@contextlib.contextmanager
def _stopped_unless_ready(child: Child) -> Iterator[None]:
    try:
        yield
    except BaseException:
        child.stop()
        raise


async def _first_told(child: Child, find: Callable[[str], str | None]) -> str:
    ends_at = time.monotonic() + START_LIMIT_S
    while time.monotonic() < ends_at and child.popen.poll() is None:
        for line in (child.folder / "output.log").read_text().splitlines(keepends=True):
            told = find(line) if line.endswith("\n") else None
            if told:
                return told
        await asyncio.sleep(_LOOK_EVERY_S)
    raise RuntimeError(f"a process did not start: {child.output_tail()}")


def _simulator_url(line: str) -> str | None:
    return line.rsplit(maxsplit=1)[-1] if line.startswith("simulator listening on") else None


def _proxy_url(line: str) -> str | None:
    return f"http://127.0.0.1:{json.loads(line)['port']}" if '"proxy.listening"' in line else None
