"""What is corrected while the server is away, or is given what it missed, is counted there once, as it was corrected."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ledger.asks import MAILBOX, MS, admitted, ask, claim, held
from ledger.test_ages import Clock
from ledger.test_returning import UNIT, free_units, gone_and_back, loses_all
from proxy.core.book import Admitted
from proxy.ledger import shared as shared_ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.conftest import Server
    from proxy.core.book import Receipt
    from proxy.ledger.shared import SharedLedger


def booked_alone(ledger: SharedLedger, cost: int) -> Receipt:
    alone = ledger.admit_alone(ask(UNIT._replace(cost=cost)))
    assert isinstance(alone, Admitted)
    return alone.receipts[0]


@pytest.mark.parametrize(("cost", "free"), [(0, 7), (1, 6), (4, 3)])
async def test_a_charge_made_alone_is_told_as_it_was_settled(make_shared: Callable[..., SharedLedger], cost: int, free: int) -> None:
    ledger = make_shared()
    await admitted(ledger, ask(UNIT._replace(cost=3)))
    ledger.leave()
    ledger.settle(booked_alone(ledger, 2), cost)
    await gone_and_back(ledger)
    assert await free_units(make_shared()) == free


async def test_a_charge_made_alone_is_told_once_where_it_was_moved(make_shared: Callable[..., SharedLedger]) -> None:
    clock = Clock()
    ledger = make_shared(clock=clock)
    await admitted(ledger, ask(UNIT._replace(cost=3)))
    ledger.leave()
    alone = booked_alone(ledger, 2)
    clock.us += 20_000 * MS
    ledger.move(alone)
    await gone_and_back(ledger)
    assert await free_units(make_shared()) == 5


async def test_a_charge_that_the_server_knows_is_moved_once_beside_one_made_alone(make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    known = (await admitted(ledger, ask(UNIT._replace(cost=3)))).receipts[0]
    ledger.leave()
    booked_alone(ledger, 2)
    ledger.move(known)
    await gone_and_back(ledger)
    assert await free_units(make_shared()) == 5


async def test_more_that_was_used_of_a_charge_that_the_server_knows_is_told_once(make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    known = (await admitted(ledger, ask(UNIT._replace(cost=3)))).receipts[0]
    ledger.leave()
    ledger.settle(known, 5)
    await gone_and_back(ledger)
    assert await free_units(make_shared()) == 5


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_ledger, "_AT_ONCE", 1)


@pytest.mark.usefixtures("one_at_a_time")
@pytest.mark.parametrize("loses", [True, False])
async def test_a_charge_that_is_settled_before_it_is_given_is_given_as_it_was_settled(
    server: Server, make_shared: Callable[..., SharedLedger], *, loses: bool
) -> None:
    clock = Clock()
    ledger = make_shared(clock=clock)
    await admitted(ledger, ask(UNIT._replace(cost=3)))
    if loses:
        loses_all(server)
    ledger.leave()
    clock.us += 1000 * MS
    alone = booked_alone(ledger, 2)
    giving = await begun(ledger)
    ledger.settle(alone, 0)
    await giving
    ledger.come_back()
    await ledger.touch()
    assert await free_units(make_shared()) == 7


async def begun(ledger: SharedLedger) -> asyncio.Task[None]:
    """Begin to give back: at first something that was kept."""
    ledger.release(ask(caps=(MAILBOX,)))
    giving = asyncio.get_running_loop().create_task(ledger.give_back())
    await asyncio.sleep(0)
    return giving


async def test_a_charge_made_alone_is_moved_and_settled_on_the_server_once_that_is_back(make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    ledger.leave()
    alone = ledger.admit_alone(ask(UNIT._replace(cost=2)))
    assert isinstance(alone, Admitted)
    await gone_and_back(ledger)
    moved = ledger.move(alone.receipts[0])
    await held(make_shared(), ask(UNIT._replace(cost=7)))
    ledger.settle(moved, 0)
    await ledger.touch()
    assert await free_units(make_shared()) == 8


@pytest.mark.usefixtures("one_at_a_time")
async def test_what_is_spent_while_a_server_is_given_the_rest_is_booked_once(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    await admitted(ledger, ask(UNIT))
    loses_all(server)
    ledger.leave()
    giving = await begun(ledger)
    ledger.admit_alone(ask(UNIT._replace(cost=2)))
    await giving
    ledger.come_back()
    await ledger.touch()
    assert await free_units(make_shared()) == 7


@pytest.mark.usefixtures("one_at_a_time")
async def test_what_is_forgotten_while_a_server_is_given_the_rest_is_not_given(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    await admitted(ledger, ask(UNIT, UNIT._replace(key="forgotten")))
    loses_all(server)
    giving = asyncio.ensure_future(ledger.give_back())
    await asyncio.sleep(0)
    del ledger.mirror.book.logs["forgotten"]
    await giving
    with server.client() as client:
        assert client.keys("*log*") == [b"nylas-proxy:{app}:log:messages"]


async def test_charges_made_alone_are_forgotten_when_they_count_no_more(make_shared: Callable[..., SharedLedger]) -> None:
    clock = Clock()
    ledger = make_shared(clock=clock)
    ledger.leave()
    ledger.admit_alone(ask(UNIT, *(claim(key=str(i), window_us=MS) for i in range(100))))
    clock.us += UNIT.window_us // 2
    booked_alone(ledger, 2)
    clock.us += UNIT.window_us // 2
    ledger.sweep()
    assert [list(units_of.values()) for units_of in ledger.mirror.unshared.values()] == [[2]]
