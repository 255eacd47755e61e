"""Who has been told of a window that was opened here, and when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ledger.asks import EXCHANGE, MS, SCOPE, admitted, ask, held
from ledger.conftest import PATIENT_S
from ledger.proxies import COMMAND_S, Proxy, a_proxy
from proxy.core.book import HeldBy
from proxy.ledger.failover import State
from proxy.ledger.local import now_us
from proxy.ledger.pipe import Pipe
from proxy.ledger.shared import SharedLedger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ledger.conftest import Server

LONG = EXCHANGE._replace(wait_us=20_000 * MS)


@pytest.fixture
async def patient(own_server: Server) -> AsyncIterator[SharedLedger]:
    """One whose server may be frozen for a while."""
    pipe = Pipe(own_server.url, PATIENT_S, PATIENT_S)
    ledger = SharedLedger(pipe, now_us)
    await admitted(ledger, ask(scopes=(SCOPE,)))
    yield ledger
    own_server.thaw()
    await pipe.close()


async def test_a_window_that_is_announced_holds_the_others_at_once(make_shared: Callable[..., SharedLedger]) -> None:
    ours, theirs = make_shared(), make_shared()
    for number in range(50):
        scope = f"grant:{number}"
        for ledger in (ours, theirs):
            await admitted(ledger, ask(scopes=(scope,)))
        ours.open_window(scope, LONG)
        await ours.announced()
        assert (await held(theirs, ask(scopes=(scope,)))).by is HeldBy.WINDOW


async def test_it_is_announced_when_the_server_has_answered_for_every_window(own_server: Server, patient: SharedLedger) -> None:
    patient.open_window(SCOPE, LONG)
    await patient.announced()
    own_server.freeze()
    patient.open_window("application:1", LONG)
    announced = asyncio.ensure_future(patient.announced())
    await asyncio.sleep(0.005)
    assert not announced.done()
    own_server.thaw()
    await announced
    with own_server.client() as client:
        assert len(client.keys("*:window:*")) == 2


async def test_a_caller_who_leaves_meanwhile_stops_nothing(own_server: Server, patient: SharedLedger) -> None:
    own_server.freeze()
    patient.open_window(SCOPE, LONG)
    announced = asyncio.ensure_future(patient.announced())
    await asyncio.sleep(0.005)
    announced.cancel()
    await asyncio.wait([announced])
    own_server.thaw()
    await patient.announced()
    with own_server.client() as client:
        assert client.keys("*:window:*") == [f"nylas-proxy:{{app}}:window:{SCOPE}".encode()]


async def test_nobody_waits_longer_for_a_server_than_its_time_out_and_nobody_for_one_that_is_away(own_server: Server, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(own_server, proxies)
    own_server.freeze()
    proxy.ledger.open_window(SCOPE, LONG)
    async with asyncio.timeout(COMMAND_S + 0.05):
        await proxy.ledger.announced()
    assert proxy.ledger.state is State.LOCAL_SAFE
    proxy.ledger.open_window(SCOPE, LONG)
    async with asyncio.timeout(0):
        await proxy.ledger.announced()
