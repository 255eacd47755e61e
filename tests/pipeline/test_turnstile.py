"""Who goes when; the loop's time is fast-forwarded."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from pipeline.asks import SECOND_US, a_cap, a_claim, an_ask, an_opening
from pipeline.fast_time import fast_forwarded
from proxy.core.book import HeldBy
from proxy.core.window import Probe
from proxy.ledger.local import LocalLedger
from proxy.turned_away import TurnedAway
from proxy.turnstile import HERE, Entered, Reach, Room, Turnstile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from proxy.core.book import Admitted, Held
    from proxy.core.quota import Ask
    from proxy.waiter import Waiter


LARGE = Room(10_000, 1000)


class Gate:
    """A turnstile before a ledger that lives in the loop's time, and what came of it."""

    def __init__(self, room: Room = LARGE) -> None:
        loop = asyncio.get_running_loop()
        self.ledger = LocalLedger(lambda: round(loop.time() * SECOND_US))
        self.turnstile = Turnstile(self.ledger, room)
        self.began_at = loop.time()
        self.went: list[tuple[str, float]] = []

    async def pass_through(self, name: str, ask: Ask, patience_s: float = 1000.0) -> Entered | TurnedAway:
        result = await self.turnstile.enter(ask, patience_s)
        if isinstance(result, Entered):
            self.went.append((name, round(asyncio.get_running_loop().time() - self.began_at, 3)))
        return result

    def start(self, name: str, ask: Ask, patience_s: float = 1000.0) -> asyncio.Task[Entered | TurnedAway]:
        return asyncio.get_running_loop().create_task(self.pass_through(name, ask, patience_s))

    def release(self, ask: Ask) -> None:
        self.ledger.release(ask)
        for cap in ask.caps:
            self.turnstile.wake(cap.key)


class SlowLedger(LocalLedger):
    """Takes its time, so that several ask before the first is answered."""

    under_way = most = 0
    answered_at = 0.0

    async def admit(self, ask: Ask) -> Admitted | Held:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        now = asyncio.get_running_loop().time()
        self.answered_at = max(self.answered_at + 1e-6, now + 0.01)  # one after the other, as they asked
        await asyncio.sleep(self.answered_at - now)
        self.under_way -= 1
        return await super().admit(ask)


def far(gate: Gate, reach: Reach) -> SlowLedger:
    """Put the gate's turnstile before a ledger that takes its time."""
    ledger = SlowLedger(lambda: round(asyncio.get_running_loop().time() * SECOND_US))
    gate.ledger, gate.turnstile = ledger, Turnstile(ledger, LARGE, reach)
    return ledger


async def soon() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


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
async def test_those_who_ask_a_slow_ledger_at_the_same_time_do_not_wait_for_each_other() -> None:
    gate = Gate()
    far(gate, Reach(0.1, 100))
    tasks = [gate.start(f"{name}{number}", an_ask(a_claim(name), a_claim("shared", count=3))) for number in range(6) for name in "ab"]
    results = await asyncio.gather(*tasks)
    assert all(isinstance(result, Entered) for result in results)
    assert gate.went[-1][1] < 4.5


@fast_forwarded
async def test_some_of_a_line_ask_a_far_ledger_together_and_go_in_order() -> None:
    gate = Gate()
    ledger = far(gate, Reach(0.1, 10))
    await asyncio.gather(*(gate.start(str(number), an_ask(a_claim(count=100))) for number in range(300)))
    assert [int(name) for name, _ in gate.went] == list(range(300))
    assert [sum(since <= went_at < since + 0.2 for _, went_at in gate.went) for since in (0.0, 1.0, 2.0)] == [100, 100, 100]
    assert ledger.most <= 20


@fast_forwarded
async def test_nobody_asks_behind_the_first_where_lines_take_turns() -> None:
    gate = Gate()
    ledger = far(gate, Reach(0.1, 10))
    shared = a_claim("shared", count=4)
    tasks = [gate.start(name, an_ask(shared, a_claim(name, count=100))) for name in "ab" for _ in range(20)]
    await asyncio.sleep(0.5)
    ledger.most = 0
    await asyncio.sleep(6.0)
    assert ledger.most <= 2
    await asyncio.gather(*tasks)
    assert [sorted(name for name, _ in gate.went[start : start + 4]) for start in (12, 16, 20)] == [["a", "a", "b", "b"]] * 3


@fast_forwarded
async def test_it_is_told_when_a_slow_ledger_was_asked() -> None:
    gate = Gate()
    far(gate, Reach(0.1, 1))
    results = [await gate.pass_through("a", an_ask(a_claim(count=1))) for _ in range(2)]
    assert [round(result.asked_at - gate.began_at, 3) for result in results if isinstance(result, Entered)] == [0.0, 1.01]


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


@fast_forwarded
async def test_random_leavers_leave_nothing_behind(chaos: Callable[[int, Reach], Awaitable[None]]) -> None:
    for seed in range(20):
        await chaos(seed, HERE)


@fast_forwarded
async def test_random_leavers_leave_nothing_behind_where_the_ledger_is_far(chaos: Callable[[int, Reach], Awaitable[None]]) -> None:
    for seed in range(20):
        await chaos(seed, Reach(0.1, 3))


@pytest.fixture
def chaos() -> Callable[[int, Reach], Awaitable[None]]:
    async def run(seed: int, reach: Reach) -> None:
        dice = random.Random(seed)
        gate = Gate()
        if reach is not HERE:
            far(gate, reach)
        asks = [
            an_ask(
                a_claim("shared", count=3),
                a_claim(f"own {dice.randrange(3)}", count=2),
                caps=(a_cap("cap", 2),) if dice.random() < 0.5 else (),
                scopes=(f"grant:{dice.randrange(3)}",),
            )
            for _ in range(40)
        ]
        tasks = []
        for number, ask in enumerate(asks):
            tasks.append(gate.start(str(number), ask, patience_s=dice.choice([0.0, 2.0, 1000.0])))
            await asyncio.sleep(dice.random() * 0.2)
            if dice.random() < 0.3:
                dice.choice(tasks).cancel()
            for done, task in zip(asks, tasks, strict=False):
                if task.done() and dice.random() < 0.5:
                    gate.release(done)
        for _ in range(200):
            await asyncio.sleep(1.0)
            for done, task in zip(asks, tasks, strict=False):
                if task.done():
                    gate.release(done)
        assert all(task.done() for task in tasks)
        assert gate.turnstile.waiting == (0, 0)
        assert not gate.turnstile._asking
        assert (gate.turnstile._lines._lines, gate.turnstile._lines._rows) == ({}, {})

    return run
