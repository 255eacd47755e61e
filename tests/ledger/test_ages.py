"""What a process has spent counts on a server that comes back from when it was spent, not from when it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.asks import MS, admitted, ask, held
from ledger.test_returning import UNIT, gone_and_back, loses_all
from proxy.core.book import Admitted

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.conftest import Server
    from proxy.ledger.shared import SharedLedger


class Clock:
    """A proxy's own, which knows nothing of the server's."""

    def __init__(self) -> None:
        self.us = 10**9

    def __call__(self) -> int:
        return self.us


async def test_what_was_spent_counts_from_when_it_was_spent(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    clock = Clock()
    ledger = make_shared(clock=clock)
    await admitted(ledger, ask(UNIT._replace(cost=3)))
    clock.us += 30_000 * MS
    loses_all(server)
    ledger.leave()
    ledger.admit_alone(ask(UNIT._replace(cost=2)))
    clock.us += 10_000 * MS
    await gone_and_back(ledger)
    assert await waits_s(make_shared(), 6, 9) == [20, 50]


async def waits_s(ledger: SharedLedger, *costs: int) -> list[int]:
    """Return how long so many units wait, to the second."""
    return [round((await held(ledger, ask(UNIT._replace(cost=cost)))).wait_us / 1e6) for cost in costs]


async def test_what_two_have_spent_stands_in_its_order_whoever_is_back_first(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    clock = Clock()
    early, late = make_shared(clock=clock), make_shared(clock=clock)
    for ledger, cost in ((early, 2), (late, 3)):
        await admitted(ledger, ask(UNIT._replace(cost=cost)))
        clock.us += 20_000 * MS
    loses_all(server)
    await gone_and_back(late)
    await admitted(late, ask(UNIT))
    await gone_and_back(early)
    await gone_and_back(late)
    assert await waits_s(make_shared(), 6, 8, 10) == [20, 40, 60]


async def test_a_charge_that_was_moved_alone_counts_from_then(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    clock = Clock()
    ledger = make_shared(clock=clock)
    ledger.leave()
    alone = ledger.admit_alone(ask(UNIT._replace(cost=2), application="app"))
    assert isinstance(alone, Admitted)
    clock.us += 20_000 * MS
    ledger.move(alone.receipts[0])
    clock.us += 10_000 * MS
    await gone_and_back(ledger)
    assert await waits_s(make_shared(), 9) == [50]
    with server.client() as client:
        assert client.exists("nylas-proxy:{app}:log:messages")


async def test_what_was_spent_about_the_same_time_counts_from_its_last(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    clock = Clock()
    ledger = make_shared(clock=clock)
    for _ in range(2):
        clock.us += 200 * MS
        await admitted(ledger, ask(UNIT))
    loses_all(server)
    await gone_and_back(ledger)
    assert (await held(make_shared(), ask(UNIT._replace(cost=9)))).wait_us > UNIT.window_us - 100 * MS
