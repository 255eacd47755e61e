"""Lines before a throttle window."""

from __future__ import annotations

import asyncio

from pipeline.asks import SECOND_US, a_claim, an_ask, an_opening
from pipeline.fast_time import fast_forwarded
from pipeline.waiting_room import Gate, soon
from proxy.core.book import HeldBy
from proxy.core.window import Probe
from proxy.entrance import Entered
from proxy.turned_away import TurnedAway


@fast_forwarded
async def test_a_window_holds_all_then_one_probes_then_the_rest_go_at_a_rising_pace() -> None:
    gate = Gate()
    gate.ledger.open_window("grant:g", an_opening(8.0))
    asks = [an_ask(scopes=("grant:g",)) for _ in range(4)]
    tasks = [gate.start(str(number), ask) for number, ask in enumerate(asks)]
    await asyncio.sleep(9.0)
    assert gate.went == [("0", 8.0)]
    gate.ledger.end_probe("grant:g", asks[0].lease_id, succeeded=True)
    gate.turnstile.reopened(Probe("grant:g", 8 * SECOND_US))
    await asyncio.gather(*tasks)
    assert gate.went == [("0", 8.0), ("1", 9.0), ("2", 9.133), ("3", 9.267)]


@fast_forwarded
async def test_a_scope_that_another_has_reopened_is_paced_as_long_as_its_window_was() -> None:
    gate = Gate()
    gate.ledger.open_window("grant:g", an_opening(8.0))
    await asyncio.sleep(8.0)
    probe = an_ask(scopes=("grant:g",))
    await gate.ledger.admit(probe)
    gate.ledger.end_probe("grant:g", probe.lease_id, succeeded=True)
    await asyncio.sleep(2.0)
    await asyncio.gather(*(gate.start(str(number), an_ask(scopes=("grant:g",))) for number in range(4)))
    assert gate.went == [("0", 10.0), ("1", 10.0), ("2", 10.027), ("3", 10.053)]
    await asyncio.sleep(6.0)
    late = [await gate.pass_through("late", an_ask(scopes=("grant:g",)), patience_s=0.0) for _ in range(3)]
    assert all(isinstance(result, Entered) for result in late)


@fast_forwarded
async def test_who_waits_behind_one_that_keeps_the_pace_is_told_of_the_window() -> None:
    gate = Gate()
    gate.turnstile.reopened(Probe("grant:g", 60 * SECOND_US))
    tasks = [gate.start(str(number), an_ask(scopes=("grant:g",)), patience_s=2.5) for number in range(20)]
    refused = [result for result in await asyncio.gather(*tasks) if isinstance(result, TurnedAway)]
    assert refused
    assert all(result.held is not None and result.held.by is HeldBy.WINDOW for result in refused)


@fast_forwarded
async def test_a_window_longer_than_patience_is_told_at_once() -> None:
    gate = Gate()
    gate.ledger.open_window("grant:g", an_opening(1200.0))
    refused = await gate.pass_through("a", an_ask(scopes=("grant:g",)), patience_s=10.0)
    assert isinstance(refused, TurnedAway)
    assert (refused.wait_s, refused.waited_s) == (1200.0, 0.0)
    assert refused.held
    assert (refused.held.by, refused.held.name) == (HeldBy.WINDOW, "exchange_throttle")


@fast_forwarded
async def test_another_scope_is_not_held_by_a_window() -> None:
    gate = Gate()
    gate.ledger.open_window("grant:g", an_opening(8.0))
    held = gate.start("held", an_ask(a_claim(count=9), scopes=("grant:g",)))
    await soon()
    await gate.pass_through("free", an_ask(a_claim(count=9), scopes=("grant:h",)))
    assert gate.went == [("free", 0.0)]
    await held
