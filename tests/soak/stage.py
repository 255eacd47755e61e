"""Two proxies that count on one Redis, before a simulated Nylas that keeps its limits; each a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from end_to_end.rig import simulator
from ledger.conftest import started
from wire.process import ProxyProcess

from soak.calls import MICROSOFT_GRANTS
from soak.samples import Sample, ledger, look

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import aiohttp
    from ledger.conftest import Server
    from wire.process import Settings

REPLICAS = 2
CALM_WITHIN_S = 40.0  # leases whose end Redis was not told expire within 30
MESSAGES_PER_S = 40  # of one grant, in place of the published 200: reached with less load
HEADROOM = 0.25  # so that a machine that stalls for a fifth of a second is not taken for a limiter that cannot count
_SCENARIO = f"[limits]\nv3_messages = {{ count = {MESSAGES_PER_S} }}\n"
_LOOK_EVERY_S = 0.1


class Proxy(NamedTuple):
    """One of the proxies."""

    process: ProxyProcess
    url: str
    admin_url: str

    def look(self) -> Sample:
        """What it holds now."""
        return look(self.process, self.admin_url)

    def ledger(self) -> str:
        """Who counts now."""
        return ledger(self.admin_url)

    def bugs(self) -> list[str]:
        """What a healthy proxy never logs; forgets what was logged."""
        found = [str(event) for event in self.process._events if event.get("event") == "proxy.bug"] + self.process.noise
        self.process.forget_events()
        self.process.noise.clear()
        return found


class Stage(NamedTuple):
    """All parts."""

    proxies: list[Proxy]
    server: Server
    simulator_url: str

    async def report(self, session: aiohttp.ClientSession, name: str) -> dict[str, Any]:
        """What the simulator has noted."""
        async with session.get(f"{self.simulator_url}/__simulator/{name}") as answer:
            noted: dict[str, Any] = await answer.json()
            return noted

    async def calm(self) -> list[Sample]:
        """What the proxies hold once nothing is under way, or after so long a wait that it never will be."""
        ends_at = time.monotonic() + CALM_WITHIN_S
        while True:
            samples = [await asyncio.to_thread(proxy.look) for proxy in self.proxies]
            if all(sample.is_idle() for sample in samples) or time.monotonic() > ends_at:
                return samples
            await asyncio.sleep(_LOOK_EVERY_S)


@contextlib.asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    """Have all run; they are ended afterwards."""
    (folder / "identity.key").write_bytes(b"an identity key of some length")
    server = await asyncio.to_thread(started, folder)
    try:
        async with simulator(folder, _SCENARIO) as url:
            proxies: list[Proxy] = []
            try:
                while len(proxies) < REPLICAS:
                    proxies.append(await asyncio.to_thread(_start, folder / f"proxy{len(proxies)}", _settings(folder, server, url)))
                yield Stage(proxies, server, url)
            finally:
                for proxy in proxies:
                    await asyncio.to_thread(proxy.process.stop)
    finally:
        server.kill()


def _start(folder: Path, settings: Settings) -> Proxy:
    folder.mkdir()
    settings["windows"] = {"journal": str(folder / "windows.json")}
    process = ProxyProcess(settings, folder)
    admin_port = process.wait_for(lambda event: event.get("event") == "proxy.listening")["admin_port"]
    return Proxy(process, f"http://127.0.0.1:{process.address[1]}", f"http://127.0.0.1:{admin_port}")


def _settings(folder: Path, server: Server, upstream: str) -> Settings:
    return {
        "upstream": {"v3_url": upstream, "v2_url": upstream, "idle_timeout_s": 10},
        "redis": {"url": server.url, "replicas": REPLICAS},
        "identity": {"key_file": str(folder / "identity.key")},
        "patience": {"default_s": 5},
        "retry": {"initial_s": 0.1, "cap_s": 1, "budget_ratio": 0.3},
        "limits": {"headroom": HEADROOM},
        "limits.overrides.v3_messages": {"count": MESSAGES_PER_S},
        "providers.known": dict.fromkeys(MICROSOFT_GRANTS, "microsoft"),  # whose requests hold leases from the first on
    }
