"""The proxy is killed: a window holds on after its restart, and the places in flight that it had come back."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import TYPE_CHECKING, Any

import aiohttp
from faults.caller import PATIENT_S, Caller
from ledger.conftest import started

from drain.load import get
from drain.test_told_to_end import THROTTLE, _ask

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ledger.conftest import Server
    from wire.process import ProxyProcess, Settings

    Start = Callable[[Settings], ProxyProcess]

LEASE_S = 30.0
AT_ONCE = 3  # requests of a mailbox of Microsoft's


async def _report(upstream: str, name: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(f"{upstream}/__simulator/{name}") as answer:
        return await answer.json()


def _kill(proxy: ProxyProcess) -> None:
    proxy.signal(signal.SIGKILL)
    assert proxy.exit_status() == -signal.SIGKILL


async def test_a_window_is_honoured_by_the_process_that_follows(start: Start, upstream: str, tmp_path: Path) -> None:
    journal = tmp_path / "windows.json"
    settings: Settings = {"windows": {"journal": str(journal)}}
    first = start(settings)
    assert (await _ask(first, get(fields=THROTTLE, grant="ews"))).status == 429
    while not journal.exists():
        pass
    await asyncio.to_thread(_kill, first)
    second = start(settings)
    answer = await _ask(second, get(fields="X-Nylas-Proxy-Patience: 0", grant="ews"))
    assert (answer.status, answer.value(b"x-nylas-proxy-origin")) == (429, b"proxy")
    limits = await _report(upstream, "limits")
    assert (limits["early"], limits["unaware"]) == (0, 0)


async def test_the_places_in_flight_of_a_killed_process_come_back_by_themselves(start: Start, upstream: str, tmp_path: Path) -> None:
    server = await asyncio.to_thread(started, tmp_path)
    try:
        await _places_come_back(start, upstream, server, tmp_path)
    finally:
        server.kill()


async def _places_come_back(start: Start, upstream: str, server: Server, folder: Path) -> None:
    (folder / "identity.key").write_bytes(b"an identity key of some length")
    patient: Settings = {
        "redis": {"url": server.url, "connect_timeout_ms": 2000, "command_timeout_ms": 2000},
        "identity": {"key_file": str(folder / "identity.key")},
        "providers.known": {"microsoft-0": "microsoft"},
    }
    first = start(patient)
    callers = [await Caller.dial(first.address[1]) for _ in range(AT_ONCE)]
    for caller in callers:
        await caller.send(get(fields=f"X-Simulator: delay_s={LEASE_S}", grant="microsoft"))
    async with asyncio.timeout(PATIENT_S):
        while len((await _report(upstream, "arrivals"))["arrivals"]) < AT_ONCE:
            pass
    with server.client() as client:
        (cap,) = [key for key in client.scan_iter() if client.type(key) == b"zset" and client.zcard(key) == AT_ONCE]
        await asyncio.to_thread(_kill, first)
        held = dict(client.zrange(cap, 0, -1, withscores=True))
        assert 0 < client.pttl(cap) <= LEASE_S * 1000
        assert max(held.values()) <= (time.time() + LEASE_S) * 1e6
        second = start(patient)
        refused = await _ask(second, get(fields="X-Nylas-Proxy-Patience: 0", grant="microsoft"))
        assert (refused.status, refused.cause) == (429, "rate_limit_provider_microsoft")
        assert dict(client.zrange(cap, 0, -1, withscores=True)) == held  # nobody renews them
        for holder in held:
            client.zadd(cap, {holder: (time.time() - 1) * 1e6})  # as if their time had passed
        assert (await _ask(second, get(fields="X-Nylas-Proxy-Patience: 0", grant="microsoft"))).status == 200
    for caller in callers:
        caller.leave("close")
