"""The server dies, freezes, comes back, with or without what it knew; callers notice one time-out at most."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from ledger.asks import EXCHANGE, MAILBOX, SCOPE, admitted, ask, claim, held, passed
from ledger.proxies import COMMAND_S, SECOND, a_proxy, another_proxy, crowd
from proxy.core.book import Admitted
from proxy.ledger.away import AwayError
from proxy.ledger.failover import State

if TYPE_CHECKING:
    from ledger.conftest import Server
    from ledger.proxies import Proxy


async def test_a_frozen_server_costs_all_who_ask_at_once_one_time_out(own_server: Server, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(own_server, proxies)
    own_server.freeze()
    admitted_now, waited_s = await crowd(proxy, 200, 1000)
    assert admitted_now == 200
    assert COMMAND_S <= waited_s < 2 * COMMAND_S + 0.05
    _, waited_later_s = await crowd(proxy, 200, 1000)
    assert waited_later_s < COMMAND_S
    assert proxy.states[0] is State.LOCAL_SAFE
    assert proxy.reasons[0] == "time-out"


async def test_a_dead_server_fails_nobody(own_server: Server, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(own_server, proxies)
    own_server.kill()
    assert (await crowd(proxy, 50, 1000))[0] == 50
    assert proxy.ledger.state is State.LOCAL_SAFE
    assert proxy.reasons[0].startswith("ConnectionError")


async def test_alone_a_process_keeps_to_its_part_of_limits_and_caps(own_server: Server, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(own_server, proxies, replicas=3)
    assert (await crowd(proxy, 2, 10))[0] == 2
    own_server.kill()
    assert (await crowd(proxy, 20, 10))[0] == 1
    assert proxy.ledger.forecast_us(claim(count=10, window_us=60 * SECOND), 1) > 55 * SECOND
    assert not proxy.ledger.lets_pass(claim(count=10, window_us=60 * SECOND), 1, 0)
    cap = MAILBOX._replace(count=6)
    results = [await proxy.ledger.admit(ask(caps=(cap,), lease_id=str(i))) for i in range(6)]
    assert sum(isinstance(result, Admitted) for result in results) == 2
    assert isinstance(await proxy.ledger.admit(ask(claim(count=2, key="small"))), Admitted)


async def test_windows_hold_while_the_server_is_away_and_after_it_lost_them(own_server: Server, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(own_server, proxies)
    proxy.ledger.open_window(SCOPE, EXCHANGE._replace(wait_us=20 * SECOND))
    own_server.kill()
    await held(proxy.ledger, ask(scopes=(SCOPE,)))
    proxy.ledger.open_window("application:1", EXCHANGE._replace(wait_us=30 * SECOND))
    own_server.start()
    await proxy.becomes(State.SHARED)
    other = another_proxy(own_server, proxies)
    assert 18 * SECOND < (await held(other.ledger, ask(scopes=(SCOPE,)))).wait_us <= 20 * SECOND
    assert 28 * SECOND < (await held(other.ledger, ask(scopes=("application:1",)))).wait_us <= 30 * SECOND
    assert proxy.states == [State.LOCAL_SAFE, State.REJOINING, State.SHARED]


async def test_a_longer_window_on_the_server_is_not_shortened_by_one_who_returns(own_server: Server, proxies: list[Proxy]) -> None:
    proxy, other = await a_proxy(own_server, proxies), await a_proxy(own_server, proxies)
    proxy.ledger.lose("for the test")
    proxy.ledger.open_window(SCOPE, EXCHANGE._replace(wait_us=5 * SECOND))
    other.ledger.open_window(SCOPE, EXCHANGE._replace(wait_us=20 * SECOND))
    await other.shared.touch()
    await proxy.becomes(State.SHARED)
    assert (await held(other.ledger, ask(scopes=(SCOPE,)))).wait_us > 18 * SECOND


async def test_a_shorter_window_on_the_server_is_prolonged_by_one_who_returns(own_server: Server, proxies: list[Proxy]) -> None:
    proxy, other = await a_proxy(own_server, proxies), await a_proxy(own_server, proxies)
    proxy.ledger.lose("for the test")
    proxy.ledger.open_window(SCOPE, EXCHANGE._replace(wait_us=20 * SECOND))
    other.ledger.open_window(SCOPE, EXCHANGE._replace(wait_us=5 * SECOND))
    await other.shared.touch()
    await proxy.becomes(State.SHARED)
    assert (await held(other.ledger, ask(scopes=(SCOPE,)))).wait_us > 18 * SECOND


async def test_a_server_that_lost_everything_is_given_all_charges_back(own_server: Server, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(own_server, proxies)
    assert (await crowd(proxy, 4, 10))[0] == 4
    own_server.kill()
    assert (await crowd(proxy, 3, 10))[0] == 3
    own_server.start()
    await proxy.becomes(State.SHARED)
    other = another_proxy(own_server, proxies)
    assert (await crowd(other, 10, 10))[0] == 3


async def test_a_server_that_was_only_frozen_is_told_nothing_twice(own_server: Server, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(own_server, proxies)
    assert (await crowd(proxy, 4, 10))[0] == 4
    proxy.ledger.lose("for the test")
    assert (await crowd(proxy, 3, 10))[0] == 3
    await proxy.becomes(State.SHARED)
    assert (await crowd(proxy, 1, 10))[0] == 1
    proxy.ledger.lose("for the test, again")
    await proxy.becomes(State.SHARED)
    other = another_proxy(own_server, proxies)
    assert (await crowd(other, 10, 10))[0] == 2


async def test_what_a_frozen_server_admitted_too_late_is_given_back(own_server: Server, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(own_server, proxies)
    limited = ask(claim(2, window_us=60 * SECOND), caps=(MAILBOX._replace(count=2),), lease_id="late")
    own_server.freeze()
    assert isinstance(await proxy.ledger.admit(limited), Admitted)
    own_server.thaw()
    await proxy.becomes(State.SHARED)
    await held(proxy.ledger, ask(claim(window_us=60 * SECOND)))
    other = another_proxy(own_server, proxies)
    await admitted(other.ledger, ask(caps=(MAILBOX._replace(count=2),), lease_id="b"))
    await held(other.ledger, ask(caps=(MAILBOX._replace(count=2),), lease_id="c"))
    proxy.ledger.release(limited)
    await proxy.shared.touch()
    await admitted(other.ledger, ask(caps=(MAILBOX._replace(count=2),), lease_id="c"))


async def test_a_caller_who_left_a_frozen_server_leaves_nothing_behind(own_server: Server, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(own_server, proxies)
    own_server.freeze()
    asking = asyncio.ensure_future(proxy.ledger.admit(ask(claim(2, window_us=60 * SECOND), caps=(MAILBOX,), lease_id="gone")))
    await asyncio.sleep(0.005)
    asking.cancel()
    await proxy.becomes(State.LOCAL_SAFE)
    own_server.thaw()
    await proxy.becomes(State.SHARED)
    await admitted(proxy.ledger, ask(claim(2, window_us=60 * SECOND), caps=(MAILBOX,), lease_id="b"))


async def test_what_is_settled_released_and_probed_while_the_server_is_away_reaches_it_later(own_server: Server, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(own_server, proxies)
    proxy.ledger.open_window(SCOPE, EXCHANGE)
    await passed(EXCHANGE.wait_us)
    limited = ask(claim(2, window_us=60 * SECOND), claim(2, key="moved", window_us=60 * SECOND), caps=(MAILBOX,), scopes=(SCOPE,))
    receipts = (await admitted(proxy.ledger, limited)).receipts
    proxy.ledger.lose("for the test")
    proxy.ledger.settle(receipts[0], 1)
    proxy.ledger.settle(proxy.ledger.move(receipts[1]), 1)
    proxy.ledger.release(limited)
    proxy.ledger.renew(ask(caps=(MAILBOX._replace(key="other"),), lease_id="long"))
    proxy.ledger.end_probe(SCOPE, limited.lease_id, succeeded=True)
    await proxy.becomes(State.SHARED)
    other = another_proxy(own_server, proxies)
    after = await admitted(other.ledger, ask(claim(window_us=60 * SECOND), caps=(MAILBOX,), scopes=(SCOPE,), lease_id="b"))
    assert [(each.scope, each.length_us) for each in after.reopened] == [(SCOPE, EXCHANGE.wait_us)]
    await held(other.ledger, ask(claim(window_us=60 * SECOND)))
    await held(other.ledger, ask(caps=(MAILBOX._replace(key="other"),), lease_id="b"))


async def test_charges_of_its_own_are_corrected_before_and_after_it_returns(own_server: Server, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(own_server, proxies)
    proxy.ledger.lose("for the test")
    tens = {key: claim(4, count=10, key=key, window_us=60 * SECOND) for key in ("less", "more", "moved", "more later")}
    receipts = dict(zip(tens, (await admitted(proxy.ledger, ask(*tens.values()))).receipts, strict=True))
    proxy.ledger.settle(receipts["less"], 1)
    proxy.ledger.settle(receipts["more"], 6)
    proxy.ledger.move(receipts["moved"])
    await proxy.becomes(State.SHARED)
    proxy.ledger.settle(receipts["more later"], 6)
    await proxy.shared.touch()
    other = another_proxy(own_server, proxies)
    for key, free in {"less": 9, "more": 4, "moved": 6, "more later": 4}.items():
        await held(other.ledger, ask(tens[key]._replace(cost=free + 1)))
        await admitted(other.ledger, ask(tens[key]._replace(cost=free)))


async def test_one_who_refuses_admits_nobody_until_the_server_is_back(own_server: Server, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(own_server, proxies, refuses=True)
    own_server.kill()
    for _ in range(2):
        with pytest.raises(AwayError):
            await proxy.ledger.admit(ask(claim()))
    own_server.start()
    await proxy.becomes(State.SHARED)
    await admitted(proxy.ledger, ask(claim()))


async def test_a_server_that_goes_again_while_it_is_given_what_it_missed_has_missed_it(own_server: Server, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(own_server, proxies)
    proxy.ledger.lose("for the test")
    assert (await crowd(proxy, 3, 10))[0] == 3
    proxy.on_rejoining = own_server.kill
    await proxy.becomes(State.REJOINING)
    await proxy.becomes(State.LOCAL_SAFE)
    proxy.on_rejoining = lambda: None
    assert (await crowd(proxy, 2, 10))[0] == 2
    own_server.start()
    await proxy.becomes(State.SHARED)
    assert proxy.states == [State.LOCAL_SAFE, State.REJOINING, State.LOCAL_SAFE, State.REJOINING, State.SHARED]
    assert (await crowd(another_proxy(own_server, proxies), 10, 10))[0] == 5


async def test_what_is_booked_alone_while_the_server_is_given_the_rest_reaches_it_too(own_server: Server, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(own_server, proxies)
    given_back = proxy.shared.give_back

    async def with_one_more() -> None:
        await given_back()
        await admitted(proxy.ledger, ask(claim(count=10, window_us=60 * SECOND), caps=(MAILBOX,)))
        proxy.ledger.release(ask(caps=(MAILBOX._replace(key="other"),)))

    proxy.shared.give_back = with_one_more  # type: ignore[method-assign]
    proxy.ledger.lose("for the test")
    await proxy.becomes(State.SHARED)
    await proxy.shared.touch()
    other = another_proxy(own_server, proxies)
    assert (await crowd(other, 20, 10))[0] == 9
    await held(other.ledger, ask(caps=(MAILBOX,), lease_id="b"))


@pytest.mark.parametrize("outage", ["kill", "freeze"])
async def test_no_caller_gets_an_error_while_the_server_goes_and_comes_under_load(own_server: Server, proxies: list[Proxy], outage: str) -> None:
    proxy = await a_proxy(own_server, proxies, replicas=2)
    waits_s: list[float] = []

    async def caller() -> None:
        for _ in range(60):
            began = time.monotonic()
            await admitted(proxy.ledger, ask(claim(count=2000, window_us=10 * SECOND), scopes=(SCOPE,)))
            waits_s.append(time.monotonic() - began)
            await asyncio.sleep(0.005)

    callers = asyncio.gather(*(caller() for _ in range(10)))
    await asyncio.sleep(0.05)
    own_server.kill() if outage == "kill" else own_server.freeze()
    await asyncio.sleep(0.15)
    await asyncio.to_thread(own_server.start) if outage == "kill" else own_server.thaw()
    await callers
    await proxy.becomes(State.SHARED)
    slow = [wait_s for wait_s in waits_s if wait_s > COMMAND_S * 0.9]
    assert len(slow) <= 10 * proxy.states.count(State.LOCAL_SAFE)
    assert max(waits_s) < 2 * COMMAND_S + 0.05


async def test_a_server_that_goes_while_nobody_asks_is_missed_all_the_same(own_server: Server, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(own_server, proxies)
    await proxy.ledger.admit(ask(claim()))
    for _ in range(2):  # the first sweep sees that somebody has asked
        proxy.ledger.sweep()
        await looked(proxy)
    assert proxy.states == []
    own_server.kill()
    proxy.ledger.sweep()
    proxy.ledger.sweep()  # one look at a time
    await looked(proxy)
    assert proxy.states[0] is State.LOCAL_SAFE
    proxy.ledger.sweep()
    assert proxy.ledger._looking is None


async def test_who_asks_needs_no_look_and_none_outlives_the_ledger(own_server: Server, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(own_server, proxies)
    await proxy.ledger.admit(ask(claim()))
    proxy.ledger.sweep()
    assert proxy.ledger._looking is None
    proxy.ledger.sweep()
    looking = proxy.ledger._looking
    assert looking is not None
    proxy.ledger.close()
    await asyncio.wait([looking])
    assert (looking.cancelled(), proxy.states) == (True, [])


async def looked(proxy: Proxy) -> None:
    if proxy.ledger._looking is not None:
        await asyncio.wait([proxy.ledger._looking])
