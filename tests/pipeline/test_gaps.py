"""Who costs little goes ahead of who costs much, where that costs the first nothing."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from pipeline.asks import a_claim, an_ask
from pipeline.fast_time import fast_forwarded

if TYPE_CHECKING:

    from proxy.core.quota import Ask
    from proxy.waiter import Waiter


from pipeline.waiting_room import Gate
from proxy.entrance import Entered


@fast_forwarded
async def test_who_costs_little_goes_ahead_where_the_first_goes_no_later_for_it() -> None:
    gate = Gate()

    def ask(name: str, cost: int) -> Ask:
        return an_ask(a_claim(name, count=1000), a_claim("units", count=10, cost=cost))

    big = [gate.start("big", ask("big", 6)) for _ in range(3)]
    small = [gate.start("small", ask("small", 1)) for _ in range(12)]
    await asyncio.gather(*big, *small)
    by_second = [[name for name, went_at in gate.went if went_at == second] for second in range(3)]
    assert [(names.count("big"), names.count("small")) for names in by_second] == [(1, 4), (1, 4), (1, 4)]


@fast_forwarded
async def test_any_number_goes_ahead_as_long_as_there_is_room() -> None:
    gate = Gate()

    def ask(name: str, cost: int) -> Ask:
        return an_ask(a_claim(name, count=1000), a_claim("units", count=100, cost=cost))

    await gate.pass_through("early", ask("early", 60))
    await asyncio.sleep(0.5)
    await gate.pass_through("late", ask("late", 40))
    await asyncio.gather(gate.start("big", ask("big", 70)), *(gate.start("small", ask("small", 1)) for _ in range(30)))
    assert [went for went in gate.went[2:] if went != ("small", 1.0)] == [("big", 1.5)]


@fast_forwarded
async def test_who_costs_little_goes_ahead_of_one_whom_a_moved_charge_keeps_anyway() -> None:
    gate = Gate()

    def ask(name: str, cost: int) -> Ask:
        return an_ask(a_claim(name, count=1000), a_claim("units", count=10, cost=cost))

    early = await gate.pass_through("early", ask("early", 6))
    assert isinstance(early, Entered)
    big = gate.start("big", ask("big", 8))
    await asyncio.sleep(0.5)
    gate.ledger.move(early.admitted.receipts[1])
    await gate.pass_through("small", ask("small", 1))
    await big
    assert gate.went[1:] == [("small", 0.5), ("big", 1.5)]


@fast_forwarded
async def test_who_costs_little_goes_as_soon_as_there_is_room_before_the_first_has_enough() -> None:
    gate = Gate()

    def ask(name: str, cost: int) -> Ask:
        return an_ask(a_claim(name, count=1000), a_claim("units", count=10, cost=cost))

    await gate.pass_through("early", ask("early", 4))
    await asyncio.sleep(0.3)
    await gate.pass_through("late", ask("late", 6))
    tasks = [gate.start("big", ask("big", 6)), *(gate.start("small", ask("small", 1)) for _ in range(5))]
    await asyncio.gather(*tasks)
    assert gate.went[2:] == [*[("small", 1.0)] * 4, ("big", 1.3), ("small", 2.0)]


@pytest.mark.parametrize("seed", range(40))
@fast_forwarded
async def test_whoever_goes_ahead_the_first_goes_at_most_a_slot_later_than_it_was_told(seed: int) -> None:
    gate, dice = Gate(), random.Random(seed)
    late_s: list[float] = []
    noted, leave = gate.turnstile._forecast.note_first, gate.turnstile._lines.leave
    first_until: dict[Waiter, float] = {}

    def note_first(first: Waiter) -> None:
        noted(first)
        first_until.setdefault(first, first.until)

    def left(waiter: Waiter, *, served: bool) -> None:
        if waiter.latest_at is not None:
            late_s.append(asyncio.get_running_loop().time() - first_until[waiter])
        leave(waiter, served=served)

    gate.turnstile._forecast.note_first = note_first  # type: ignore[method-assign]
    gate.turnstile._lines.leave = left  # type: ignore[method-assign]
    tasks = []
    for number in range(150):
        line = dice.randrange(4)
        cost = (1, 5, 20, 45)[line]
        ask = an_ask(a_claim(f"line {line}", count=1000), a_claim("units", count=50, cost=cost))
        tasks.append(gate.start(str(number), ask))
        await asyncio.sleep(dice.choice([0.0, 0.001, 0.05, 0.4]))
    await asyncio.gather(*tasks)
    assert len(late_s) > 10
    assert max(late_s) < 1 / 32 + 1e-5
