"""Who goes when; the loop's time is fast-forwarded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pipeline.asks import SECOND_US, a_cap, a_claim, an_ask
from pipeline.fast_time import fast_forwarded
from proxy.core.book import HeldBy
from proxy.entrance import Entered, Room
from proxy.turned_away import TurnedAway

if TYPE_CHECKING:

    from proxy.core.quota import Ask


from pipeline.waiting_room import Gate, soon


@fast_forwarded
async def test_what_fits_goes_at_once() -> None:
    gate = Gate()
    results = [await gate.pass_through(name, an_ask(a_claim())) for name in "ab"]
    assert [result.waited_s for result in results] == [0.0, 0.0]
    assert gate.turnstile.waiting == (0, 0)


@fast_forwarded
async def test_a_line_goes_in_order_as_units_come_back() -> None:
    gate = Gate()
    await asyncio.gather(*(gate.start(name, an_ask(a_claim())) for name in "abcde"))
    assert gate.went == [("a", 0.0), ("b", 0.0), ("c", 1.0), ("d", 1.0), ("e", 2.0)]


@fast_forwarded
async def test_a_latecomer_does_not_overtake_the_line() -> None:
    gate = Gate()
    tasks = [gate.start(name, an_ask(a_claim())) for name in "abcd"]
    await asyncio.sleep(0.999)
    tasks.append(gate.start("late", an_ask(a_claim())))
    await asyncio.gather(*tasks)
    assert [name for name, _ in gate.went] == [*"abcd", "late"]


@fast_forwarded
async def test_lines_take_turns_at_what_they_share() -> None:
    gate = Gate()
    shared = a_claim("shared", count=1)
    tasks = [gate.start(f"greedy {number}", an_ask(shared, a_claim("greedy", count=100))) for number in range(4)]
    await soon()
    tasks += [gate.start(f"{name} {number}", an_ask(shared, a_claim(name, count=100))) for name in ("polite", "kind") for number in range(2)]
    await asyncio.gather(*tasks)
    assert [name for name, _ in gate.went] == [
        "greedy 0", "greedy 1", "polite 0", "kind 0", "greedy 2", "polite 1", "kind 1", "greedy 3",
    ]  # fmt: skip


@fast_forwarded
async def test_lines_share_units_and_not_requests() -> None:
    gate = Gate()

    def ask(name: str, cost: int) -> Ask:
        return an_ask(a_claim(name, count=1000), a_claim("units", count=10, cost=cost))

    tasks = [gate.start("big", ask("big", 5)) for _ in range(6)] + [gate.start("small", ask("small", 1)) for _ in range(15)]
    await asyncio.gather(*tasks)
    by_second = [[name for name, went_at in gate.went if went_at == second] for second in range(5)]
    assert [(names.count("big"), names.count("small")) for names in by_second] == [(2, 0), (1, 5), (1, 5), (1, 5), (1, 0)]


@fast_forwarded
async def test_one_that_is_held_by_its_own_limit_holds_up_nobody_else() -> None:
    gate = Gate()
    shared = a_claim("shared", count=2)
    slow = [gate.start(f"slow {number}", an_ask(shared, a_claim("own", count=1, window_us=50 * SECOND_US))) for number in range(2)]
    await soon()
    fast = [gate.start(f"fast {number}", an_ask(shared, a_claim("other", count=100))) for number in range(5)]
    await asyncio.gather(*fast)
    assert [name for name, _ in gate.went] == ["slow 0", *(f"fast {number}" for number in range(5))]
    await asyncio.gather(*slow)
    assert gate.went[-1] == ("slow 1", 50.0)


@fast_forwarded
async def test_who_leaves_frees_the_place_and_has_booked_nothing() -> None:
    gate = Gate()
    tasks = [gate.start(name, an_ask(a_claim(count=1))) for name in "abcd"]
    await soon()
    for leaving in (tasks[1], tasks[2]):
        leaving.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert gate.went == [("a", 0.0), ("d", 1.0)]
    assert gate.turnstile.waiting == (0, 0)


@fast_forwarded
async def test_the_wait_is_known_before_it_begins() -> None:
    gate = Gate()
    await gate.pass_through("a", an_ask(a_claim(count=1)))
    refused = await gate.pass_through("b", an_ask(a_claim(count=1)), patience_s=0.0)
    assert isinstance(refused, TurnedAway)
    assert (refused.wait_s, refused.waited_s) == (1.0, 0.0)
    assert refused.held
    assert (refused.held.by, refused.held.name) == (HeldBy.LIMIT, "name of limit")


@fast_forwarded
async def test_one_whose_turn_in_the_line_would_come_too_late_is_told_so_at_once() -> None:
    gate = Gate()
    tasks = [gate.start(str(number), an_ask(a_claim(count=1)), patience_s=4.5) for number in range(10)]
    results = await asyncio.gather(*tasks)
    assert [name for name, _ in gate.went] == ["0", "1", "2", "3", "4"]
    refused = [result for result in results if isinstance(result, TurnedAway)]
    assert [(result.wait_s, result.waited_s) for result in refused] == [(5.0, 0.0)] * 5


@fast_forwarded
async def test_a_freed_place_wakes_the_first_that_waits_for_it() -> None:
    gate = Gate()
    asks = [an_ask(caps=(a_cap(),)) for _ in range(3)]
    tasks = [gate.start(str(number), ask) for number, ask in enumerate(asks)]
    await soon()
    for number in range(2):
        await asyncio.sleep(0.25)
        gate.release(asks[number])
        await soon()
    await asyncio.gather(*tasks)
    assert gate.went == [("0", 0.0), ("1", 0.25), ("2", 0.5)]


@fast_forwarded
async def test_patience_ends_where_nobody_knew_how_long_it_would_take() -> None:
    gate = Gate()
    await gate.pass_through("a", an_ask(caps=(a_cap(),)))
    refused = await gate.pass_through("b", an_ask(caps=(a_cap(),)), patience_s=3.0)
    assert isinstance(refused, TurnedAway)
    assert (refused.wait_s, refused.waited_s) == (1.0, 3.0)
    assert refused.held
    assert refused.held.by is HeldBy.IN_FLIGHT


@fast_forwarded
async def test_too_many_that_wait_are_turned_away() -> None:
    gate = Gate(Room(2, 0))
    tasks = [gate.start(str(number), an_ask(a_claim(count=1))) for number in range(4)]
    results = await asyncio.gather(*tasks)
    assert [type(result) for result in results] == [Entered, Entered, Entered, TurnedAway]
    assert results[-1] == TurnedAway(1.0, None, 0.0)


@fast_forwarded
async def test_who_would_hold_too_many_bytes_is_turned_away() -> None:
    gate = Gate(Room(10, 100))
    asks = [an_ask(a_claim(count=1)) for _ in range(5)]
    tasks = [asyncio.create_task(gate.turnstile.enter(ask, 1000.0, held_bytes)) for ask, held_bytes in zip(asks, (500, 60, 50, 40, 0), strict=True)]
    results = await asyncio.gather(*tasks)
    assert [type(result) for result in results] == [Entered, Entered, TurnedAway, Entered, Entered]
    assert gate.turnstile.waiting == (0, 0)
