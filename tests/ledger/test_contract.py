"""What every ledger promises: the one in this process, the one on a server, the one that may lose its server, and that one without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.asks import EXCHANGE, MAILBOX, MS, SCOPE, admitted, ask, claim, held, passed
from proxy.core.book import HeldBy
from proxy.core.window import Probe
from proxy.ledger.failover import FailoverLedger
from proxy.ledger.local import LocalLedger, now_us

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from proxy.ledger import Ledger
    from proxy.ledger.shared import SharedLedger


@pytest.fixture(params=["local", "shared", "failover", "alone"])
async def ledger(request: pytest.FixtureRequest, make_shared: Callable[..., SharedLedger]) -> AsyncIterator[Ledger]:
    failover = FailoverLedger(make_shared(), replicas=1, refuses=False, probe_every_s=3600)
    if request.param == "alone":
        failover.lose("for the test")
    ledgers: dict[str, Ledger] = {"local": LocalLedger(now_us), "shared": make_shared()}
    yield ledgers.get(request.param, failover)
    failover.close()


async def test_the_count_goes_at_once_and_the_wait_that_is_named_is_enough(ledger: Ledger) -> None:
    asked = ask(claim())
    await admitted(ledger, asked)
    await admitted(ledger, asked)
    told = await held(ledger, asked)
    assert (told.by, told.key, told.name) == (HeldBy.LIMIT, "messages", "limit messages")
    assert 0 < told.wait_us <= 60 * MS
    await passed(told.wait_us)
    await admitted(ledger, asked)


async def test_who_is_held_by_one_limit_spends_nothing_of_another(ledger: Ledger) -> None:
    await admitted(ledger, ask(claim(2)))
    await held(ledger, ask(claim(), claim(key="sends")))
    await admitted(ledger, ask(claim(2, key="sends")))


async def test_claims_on_one_limit_are_summed(ledger: Ledger) -> None:
    await admitted(ledger, ask(claim()))
    await held(ledger, ask(claim(), claim()))
    await admitted(ledger, ask(claim()))


async def test_a_cap_has_so_many_places_and_one_given_back_is_free(ledger: Ledger) -> None:
    await admitted(ledger, ask(caps=(MAILBOX,), lease_id="a"))
    await admitted(ledger, ask(caps=(MAILBOX,), lease_id="a"))
    told = await held(ledger, ask(caps=(MAILBOX,), lease_id="b"))
    assert (told.by, told.key, told.name) == (HeldBy.IN_FLIGHT, MAILBOX.key, MAILBOX.name)
    assert 29_000 * MS < told.wait_us <= 30_000 * MS
    ledger.release(ask(caps=(MAILBOX,), lease_id="a"))
    ledger.release(ask(caps=(MAILBOX,), lease_id="nobody"))
    await admitted(ledger, ask(caps=(MAILBOX,), lease_id="b"))


async def test_a_place_is_kept_by_renewing_it(ledger: Ledger) -> None:
    ledger.renew(ask(caps=(MAILBOX,), lease_id="long"))
    await held(ledger, ask(caps=(MAILBOX,), lease_id="b"))


async def test_what_an_estimate_was_too_high_is_free_again(ledger: Ledger) -> None:
    receipts = (await admitted(ledger, ask(claim(2)))).receipts
    ledger.settle(receipts[0], 1)
    await admitted(ledger, ask(claim()))
    await held(ledger, ask(claim()))


async def test_what_an_estimate_was_too_low_is_booked_whether_it_fits_or_not(ledger: Ledger) -> None:
    receipts = (await admitted(ledger, ask(claim(count=10)))).receipts
    ledger.settle(receipts[0], 12)
    await held(ledger, ask(claim(count=12)))
    await admitted(ledger, ask(claim(count=13)))


async def test_a_charge_counts_from_when_its_request_really_left(ledger: Ledger) -> None:
    receipts = (await admitted(ledger, ask(claim(2)))).receipts
    await passed(30 * MS)
    moved = ledger.move(receipts[0])
    assert (await held(ledger, ask(claim()))).wait_us > 45 * MS
    ledger.settle(moved, 1)
    await admitted(ledger, ask(claim()))


async def test_nobody_is_admitted_into_a_window_and_one_probes_at_its_end(ledger: Ledger) -> None:
    await admitted(ledger, ask(scopes=(SCOPE,)))
    assert ledger.open_window(SCOPE, EXCHANGE) == EXCHANGE.wait_us
    told = await held(ledger, ask(claim(), scopes=(SCOPE,)))
    assert (told.by, told.key, told.name, told.probing) == (HeldBy.WINDOW, SCOPE, "exchange", False)
    await passed(told.wait_us)
    assert (await admitted(ledger, ask(scopes=(SCOPE,), lease_id="probe"))).probes == (Probe(SCOPE, EXCHANGE.wait_us),)
    assert (await held(ledger, ask(scopes=(SCOPE,), lease_id="b"))).probing
    ledger.end_probe(SCOPE, "b", succeeded=True)
    ledger.end_probe(SCOPE, "probe", succeeded=True)
    after = await admitted(ledger, ask(scopes=(SCOPE,), lease_id="b"))
    assert [(each.scope, each.length_us) for each in after.reopened] == [(SCOPE, EXCHANGE.wait_us)]
    assert after.probes == ()


async def test_what_was_opened_is_announced_and_holds(ledger: Ledger) -> None:
    await ledger.announced()
    ledger.open_window(SCOPE, EXCHANGE)
    await ledger.announced()
    await held(ledger, ask(scopes=(SCOPE,)))


async def test_a_window_is_never_shortened(ledger: Ledger) -> None:
    ledger.open_window(SCOPE, EXCHANGE)
    assert ledger.open_window(SCOPE, EXCHANGE._replace(wait_us=MS)) > 30 * MS
    assert (await held(ledger, ask(scopes=(SCOPE,)))).wait_us > 30 * MS


async def test_what_fails_at_its_probe_is_closed_for_longer(ledger: Ledger) -> None:
    await admitted(ledger, ask(scopes=(SCOPE,)))
    ledger.open_window(SCOPE, EXCHANGE)
    await passed(EXCHANGE.wait_us)
    await admitted(ledger, ask(scopes=(SCOPE,)))
    assert ledger.open_window(SCOPE, EXCHANGE) == 2 * EXCHANGE.wait_us
    assert (await held(ledger, ask(scopes=(SCOPE,)))).wait_us > EXCHANGE.wait_us


async def test_the_longest_hold_is_told(ledger: Ledger) -> None:
    ledger.open_window(SCOPE, EXCHANGE)
    await admitted(ledger, ask(claim(2, window_us=1000 * MS)))
    assert (await held(ledger, ask(claim(window_us=1000 * MS), scopes=(SCOPE,)))).by is HeldBy.LIMIT
    ledger.open_window("application:1", EXCHANGE._replace(wait_us=2000 * MS))
    assert (await held(ledger, ask(claim(window_us=1000 * MS), scopes=(SCOPE, "application:1")))).key == "application:1"


async def test_the_forecast_for_a_queue_knows_what_was_charged_here(ledger: Ledger) -> None:
    await admitted(ledger, ask(claim(2)))
    assert 50 * MS < ledger.forecast_us(claim(), 2) <= 60 * MS
    assert 110 * MS < ledger.forecast_us(claim(), 3) <= 120 * MS


async def test_who_may_go_ahead_is_judged_by_what_was_charged_here(ledger: Ledger) -> None:
    await admitted(ledger, ask(claim(1, count=3)))
    assert ledger.lets_pass(claim(1, count=3), 1, 0)
    assert not ledger.lets_pass(claim(1, count=3), 2, 10 * MS)
    assert ledger.lets_pass(claim(1, count=3), 2, 60 * MS)


async def test_what_holds_nothing_back_is_forgotten() -> None:
    ledger = LocalLedger(now_us)
    await admitted(ledger, ask(claim(window_us=1)))
    await passed(1)
    ledger.sweep()
    assert ledger.book.logs == {}
