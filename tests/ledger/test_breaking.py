"""The way to the server breaks at bad moments: nobody gets an error, nothing is counted too low, and nothing is held for longer than it must."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from ledger.asks import EXCHANGE, MAILBOX, MS, SCOPE, admitted, ask, claim, held, passed
from ledger.proxies import COMMAND_S, CONNECT_S, SECOND, Proxy, a_proxy, another_proxy, crowd
from proxy.core.window import Probe
from proxy.ledger import shared as shared_ledger
from proxy.ledger.failover import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.conftest import Server
    from ledger.relay import Relay

TENTH = claim(count=10, window_us=60 * SECOND)


async def is_looked_for(relay: Relay, times: int) -> None:
    async with asyncio.timeout(5):
        for _ in range(times):
            relay.came.clear()
            await relay.came.wait()


async def test_a_server_frozen_before_it_was_met_costs_one_time_out(own_server: Server, proxies: list[Proxy]) -> None:
    own_server.freeze()
    count, waited_s = await crowd(another_proxy(own_server, proxies), 50, 1000)
    assert count == 50
    assert CONNECT_S <= waited_s < CONNECT_S + 0.06


async def test_nothing_is_tried_again_for_a_caller(relay: Relay, proxies: list[Proxy]) -> None:
    relay.refuses = True
    await admitted(another_proxy(relay, proxies).ledger, ask(TENTH))
    assert relay.connections == 1


async def test_a_server_that_stays_away_is_looked_for_and_spoken_of_once(relay: Relay, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(relay, proxies)
    relay.refuses = True
    relay.hang_up()
    await admitted(proxy.ledger, ask(TENTH))
    await is_looked_for(relay, 4)
    assert proxy.states == [State.LOCAL_SAFE]
    relay.refuses = False
    await proxy.becomes(State.SHARED)
    assert proxy.states == [State.LOCAL_SAFE, State.REJOINING, State.SHARED]


@pytest.mark.parametrize("answers_bytes", [1, 20, 1500])
async def test_answers_cut_short_fail_nobody_and_count_nothing_too_low(
    own_server: Server, relay: Relay, proxies: list[Proxy], answers_bytes: int
) -> None:
    proxy = await a_proxy(relay, proxies)
    relay.answers_bytes = answers_bytes
    assert (await crowd(proxy, 200, 1000))[0] == 200
    assert proxy.states[0] is State.LOCAL_SAFE
    relay.answers_bytes = None
    await proxy.becomes(State.SHARED)
    free, _ = await crowd(another_proxy(own_server, proxies), 900, 1000)
    assert 600 <= free <= 800


async def test_what_was_given_back_probed_or_booked_while_the_way_broke_reaches_the_server_later(
    own_server: Server, relay: Relay, proxies: list[Proxy]
) -> None:
    proxy = await a_proxy(relay, proxies)
    proxy.ledger.open_window(SCOPE, EXCHANGE._replace(wait_us=MS))
    await passed(MS)
    limited = ask(TENTH._replace(cost=2), caps=(MAILBOX,), scopes=(SCOPE,), lease_id="probe")
    told = await admitted(proxy.ledger, limited)
    assert told.probes == (Probe(SCOPE, MS),)
    relay.loses_questions = True
    proxy.ledger.release(limited)
    proxy.ledger.end_probe(SCOPE, "probe", succeeded=True)
    proxy.ledger.settle(told.receipts[0], 5)
    await proxy.becomes(State.LOCAL_SAFE)
    relay.loses_questions = False
    await proxy.becomes(State.SHARED)
    other = another_proxy(own_server, proxies)
    await held(other.ledger, ask(TENTH._replace(cost=6)))
    after = await admitted(other.ledger, ask(TENTH._replace(cost=5), caps=(MAILBOX,), scopes=(SCOPE,), lease_id="b"))
    assert [(each.scope, each.length_us) for each in after.reopened] == [(SCOPE, MS)]


async def test_what_comes_while_the_time_out_runs_reaches_the_server_later(own_server: Server, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(own_server, proxies)
    receipts = (await admitted(proxy.ledger, ask(TENTH, caps=(MAILBOX,), lease_id="a"))).receipts
    own_server.freeze()
    proxy.ledger.settle(receipts[0], 0)
    await asyncio.sleep(0.005)
    proxy.ledger.release(ask(caps=(MAILBOX,), lease_id="a"))
    await proxy.becomes(State.LOCAL_SAFE)
    own_server.thaw()
    await proxy.becomes(State.SHARED)
    await admitted(another_proxy(own_server, proxies).ledger, ask(caps=(MAILBOX,), lease_id="b"))


async def test_units_are_given_back_once_however_often_the_way_breaks(own_server: Server, relay: Relay, proxies: list[Proxy]) -> None:
    proxy, other = await a_proxy(relay, proxies), another_proxy(own_server, proxies)
    receipts = (await admitted(proxy.ledger, ask(TENTH._replace(cost=4)))).receipts
    await admitted(other.ledger, ask(TENTH._replace(cost=4)))
    proxy.ledger.lose("for the test")
    proxy.ledger.settle(receipts[0], 0)
    await breaks_while_rejoining(relay, proxy)
    await held(other.ledger, ask(TENTH._replace(cost=7)))
    await admitted(other.ledger, ask(TENTH._replace(cost=6)))


async def breaks_while_rejoining(relay: Relay, proxy: Proxy) -> None:
    """What is given back reaches the server, what it says to that does not reach the proxy."""

    def breaks() -> None:
        relay.loses_answers = True

    proxy.on_rejoining = breaks
    await proxy.becomes(State.REJOINING)
    await proxy.becomes(State.LOCAL_SAFE)
    proxy.on_rejoining = lambda: None
    relay.loses_answers = False
    await proxy.becomes(State.SHARED)


async def test_charges_made_alone_are_never_lost_however_often_the_way_breaks(own_server: Server, relay: Relay, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(relay, proxies)
    proxy.ledger.lose("for the test")
    await admitted(proxy.ledger, ask(TENTH._replace(cost=2)))
    await breaks_while_rejoining(relay, proxy)
    await held(another_proxy(own_server, proxies).ledger, ask(TENTH._replace(cost=9)))


async def test_what_could_not_be_told_before_the_way_broke_is_told_when_it_is_whole(
    own_server: Server, relay: Relay, proxies: list[Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_ledger, "_AT_ONCE", 1)
    proxy = await a_proxy(relay, proxies)
    await admitted(proxy.ledger, ask(TENTH))
    proxy.ledger.lose("for the test")
    await admitted(proxy.ledger, ask(TENTH._replace(cost=2)))
    proxy.ledger.release(ask(caps=(MAILBOX,)))
    await breaks_while_rejoining(relay, proxy)
    await held(another_proxy(own_server, proxies).ledger, ask(TENTH._replace(cost=8)))


async def test_what_is_booked_and_given_back_while_it_rejoins_is_not_lost_where_the_way_breaks_again(
    own_server: Server, relay: Relay, proxies: list[Proxy]
) -> None:
    proxy = await a_proxy(relay, proxies)
    await admitted(proxy.ledger, ask(TENTH, caps=(MAILBOX,)))
    given_back = proxy.shared.give_back

    async def with_one_more() -> None:
        await given_back()
        await admitted(proxy.ledger, ask(TENTH._replace(cost=2)))
        proxy.ledger.release(ask(caps=(MAILBOX,)))
        relay.loses_questions = True

    proxy.shared.give_back = with_one_more  # type: ignore[method-assign]
    proxy.ledger.lose("for the test")
    await proxy.becomes(State.SHARED)
    await proxy.becomes(State.LOCAL_SAFE)
    proxy.shared.give_back = given_back  # type: ignore[method-assign]
    relay.loses_questions = False
    await proxy.becomes(State.SHARED)
    other = another_proxy(own_server, proxies)
    await held(other.ledger, ask(TENTH._replace(cost=8)))
    await admitted(other.ledger, ask(TENTH._replace(cost=7), caps=(MAILBOX,), lease_id="b"))


async def test_what_was_counted_alone_goes_to_the_application_that_it_is_of(own_server: Server, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(own_server, proxies)
    proxy.ledger.lose("for the test")
    mailbox = ask(TENTH, caps=(MAILBOX,), scopes=(SCOPE,), application="first")
    await admitted(proxy.ledger, mailbox)
    proxy.ledger.open_window(SCOPE, EXCHANGE._replace(wait_us=20 * SECOND))
    await admitted(proxy.ledger, ask(TENTH._replace(key="other"), application="second"))
    await proxy.becomes(State.SHARED)
    with own_server.client() as client:
        keys = {key.decode() for key in client.keys("*{*") if b"{app}" not in key}
    first = {"log:messages", f"cap:{MAILBOX.key}", f"window:{SCOPE}"}
    assert keys == {f"nylas-proxy:{{first}}:{name}" for name in first} | {"nylas-proxy:{second}:log:other"}


def is_full(server: Server, *, is_so: bool) -> None:
    with server.client() as client:
        client.config_set("maxmemory", int(is_so))


def is_a_replica(server: Server, *, is_so: bool) -> None:
    with server.client() as client:
        client.replicaof(*(("127.0.0.1", 1) if is_so else ("NO", "ONE")))


@pytest.mark.parametrize(("unwilling", "why"), [(is_full, "OutOfMemory|OOM"), (is_a_replica, "ReadOnly|READONLY")])
async def test_a_server_that_takes_no_writes_counts_as_away_until_it_does(
    own_server: Server, relay: Relay, proxies: list[Proxy], unwilling: Callable[..., None], why: str
) -> None:
    proxy = await a_proxy(relay, proxies)
    unwilling(own_server, is_so=True)
    await admitted(proxy.ledger, ask(TENTH))
    await is_looked_for(relay, 2)
    assert proxy.states == [State.LOCAL_SAFE]
    assert re.search(why, proxy.reasons[0])
    unwilling(own_server, is_so=False)
    await proxy.becomes(State.SHARED)
    await held(another_proxy(own_server, proxies).ledger, ask(TENTH._replace(cost=10)))


async def test_a_loop_that_was_busy_is_no_server_that_is_away(own_server: Server, proxies: list[Proxy]) -> None:
    proxy = await a_proxy(own_server, proxies)
    asking = asyncio.ensure_future(proxy.ledger.admit(ask(TENTH)))
    for _ in range(5):
        await asyncio.sleep(0)  # until it is sent
    time.sleep(1.2 * COMMAND_S)  # noqa: ASYNC251 - the point
    await asking
    assert proxy.states == []


async def test_together_proxies_that_are_alone_keep_the_limit(own_server: Server, proxies: list[Proxy]) -> None:
    own_server.kill()
    proxies += [Proxy(own_server.url, replicas=3) for _ in range(3)]
    assert [(await crowd(proxy, 20, 10))[0] for proxy in proxies] == [3, 3, 3]


async def test_one_that_ends_while_it_rejoins_ends_in_peace(relay: Relay, proxies: list[Proxy]) -> None:
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    proxy = await a_proxy(relay, proxies)
    proxy.ledger.lose("for the test")
    await admitted(proxy.ledger, ask(TENTH))

    def breaks() -> None:
        relay.loses_answers = True

    proxy.on_rejoining = breaks
    await proxy.becomes(State.REJOINING)
    await asyncio.sleep(0.002)
    proxy.ledger.close()
    await proxy.pipe.close()
    assert complaints == []
