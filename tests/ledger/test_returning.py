"""What a process gives a server that was away: all that is missing there, nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.asks import EXCHANGE, MAILBOX, MS, SCOPE, admitted, ask, claim, held, passed
from proxy.core.book import Admitted
from proxy.core.window import Probe
from proxy.ledger import shared as shared_ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.conftest import Server
    from proxy.ledger.shared import SharedLedger

LONG_US = 60_000 * MS
UNIT = claim(count=10, window_us=LONG_US)


async def gone_and_back(ledger: SharedLedger) -> None:
    ledger.leave()
    await ledger.give_back()
    ledger.come_back()
    await ledger.touch()


def loses_all(server: Server) -> None:
    with server.client() as client:
        client.flushall()


async def free_units(ledger: SharedLedger) -> int:
    return sum([isinstance(await ledger.admit(ask(UNIT)), Admitted) for _ in range(10)])


async def test_charges_that_a_server_lost_are_booked_again(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    await admitted(ledger, ask(UNIT._replace(cost=3)))
    loses_all(server)
    await gone_and_back(ledger)
    assert await free_units(make_shared()) == 7


async def test_charges_that_a_server_kept_are_not_booked_again(make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    await admitted(ledger, ask(UNIT._replace(cost=3)))
    await gone_and_back(ledger)
    await gone_and_back(ledger)
    assert await free_units(make_shared()) == 7


async def test_charges_made_alone_are_booked_once(make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    await admitted(ledger, ask(UNIT))
    ledger.leave()
    assert isinstance(ledger.admit_alone(ask(UNIT._replace(cost=2))), Admitted)
    await gone_and_back(ledger)
    await gone_and_back(ledger)
    assert await free_units(make_shared()) == 7


async def test_charges_made_alone_are_remembered_as_told(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    ledger.leave()
    assert isinstance(ledger.admit_alone(ask(UNIT._replace(cost=2))), Admitted)
    await gone_and_back(ledger)
    await gone_and_back(ledger)
    with server.client() as client:
        assert client.exists("nylas-proxy:{app}:log:messages")
    assert await free_units(make_shared()) == 8


async def test_a_window_opened_while_a_server_is_given_the_rest_holds_there(make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    await admitted(ledger, ask(scopes=(SCOPE,)))
    ledger.leave()
    await ledger.give_back()
    ledger.open_window(SCOPE, EXCHANGE._replace(wait_us=20_000 * MS))
    ledger.come_back()
    await ledger.touch()
    assert (await held(make_shared(), ask(scopes=(SCOPE,)))).name == "exchange"


async def test_a_window_that_a_server_lost_holds_again_and_grows_as_before(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    ledger, other = make_shared(), make_shared()
    asked = ask(scopes=(SCOPE,))
    await admitted(ledger, asked)
    ledger.open_window(SCOPE, EXCHANGE._replace(wait_us=200 * MS))
    await passed(120 * MS)
    loses_all(server)
    await gone_and_back(ledger)
    told = await held(other, asked)
    assert told.wait_us <= 80 * MS
    assert told.name == "exchange"
    await passed(told.wait_us)
    assert (await admitted(other, asked)).probes == (Probe(SCOPE, 200 * MS),)
    other.open_window(SCOPE, EXCHANGE._replace(wait_us=MS))
    await other.touch()
    assert (await held(make_shared(), asked)).wait_us > 190 * MS


@pytest.mark.parametrize(("here_ms", "there_ms"), [(5_000, 20_000), (20_000, 5_000)])
async def test_of_a_window_here_and_one_there_the_longer_stays(make_shared: Callable[..., SharedLedger], here_ms: int, there_ms: int) -> None:
    ledger, other = make_shared(), make_shared()
    for one in (ledger, other):
        await admitted(one, ask(scopes=(SCOPE,)))
    ledger.leave()
    ledger.open_window(SCOPE, EXCHANGE._replace(wait_us=here_ms * MS))
    other.open_window(SCOPE, EXCHANGE._replace(wait_us=there_ms * MS))
    await other.touch()
    await gone_and_back(ledger)
    assert 19_000 * MS < (await held(make_shared(), ask(scopes=(SCOPE,)))).wait_us <= 20_000 * MS


async def test_windows_that_are_over_are_not_opened_again(make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    ledger.leave()
    ledger.open_window(SCOPE, EXCHANGE._replace(wait_us=MS))
    await passed(MS)
    await gone_and_back(ledger)
    assert (await admitted(make_shared(), ask(scopes=(SCOPE,), application=""))).probes == ()


async def test_places_in_flight_are_held_again_and_those_given_back_stay_free(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    ledger, two = make_shared(), MAILBOX._replace(key="two")
    await admitted(ledger, ask(caps=(MAILBOX, two), lease_id="long"))
    await admitted(ledger, ask(caps=(MAILBOX._replace(count=2),), lease_id="short"))
    loses_all(server)
    ledger.leave()
    ledger.release(ask(caps=(two,), lease_id="long"))
    ledger.release(ask(caps=(MAILBOX,), lease_id="short"))
    await gone_and_back(ledger)
    other = make_shared()
    await held(other, ask(caps=(MAILBOX,), lease_id="b"))
    await admitted(other, ask(caps=(MAILBOX._replace(count=2),), lease_id="b"))
    await admitted(other, ask(caps=(two,), lease_id="b"))


async def test_a_lease_that_ran_out_here_is_not_given(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    ledger.mirror.book.leases["crashed"] = {"a": 0}
    await gone_and_back(ledger)
    with server.client() as client:
        assert client.keys("*cap*") == []


async def test_much_is_given_in_parts(server: Server, make_shared: Callable[..., SharedLedger], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_ledger, "_AT_ONCE", 2)
    ledger = make_shared()
    await admitted(ledger, ask(*(claim(key=str(i), window_us=LONG_US) for i in range(5))))
    loses_all(server)
    await gone_and_back(ledger)
    with server.client() as client:
        assert len(client.keys("*log*")) == 5


async def test_what_was_corrected_upwards_after_the_return_is_booked_once(make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    ledger.leave()
    alone = ledger.admit_alone(ask(UNIT._replace(cost=4)))
    assert isinstance(alone, Admitted)
    await gone_and_back(ledger)
    ledger.settle(alone.receipts[0], 6)
    await gone_and_back(ledger)
    assert await free_units(make_shared()) == 4


def named(ledger: SharedLedger, key: str) -> int:
    """Return the entry by which the server is asked whether it has kept what it was told."""
    return ledger.mirror.missing(key, {}).entry_id


async def test_charges_are_looked_for_where_corrections_have_put_them(make_shared: Callable[..., SharedLedger]) -> None:
    ledger, slots_32_us = make_shared(), 640 * MS
    tens = [claim(2, count=10, key=key, window_us=slots_32_us) for key in ("moved", "more", "less")]
    receipts = {receipt.key: receipt for receipt in (await admitted(ledger, ask(*tens))).receipts}
    first = {key: named(ledger, key) for key in receipts}
    await passed(slots_32_us // 32)
    ledger.move(receipts["moved"])
    ledger.settle(receipts["more"], 3)
    ledger.settle(receipts["less"], 1)
    await ledger.touch()
    now = {key: named(ledger, key) for key in receipts}
    assert [key for key in now if now[key] != first[key]] == ["moved", "more"]
    await gone_and_back(ledger)
    assert {key: named(ledger, key) for key in receipts} == now
