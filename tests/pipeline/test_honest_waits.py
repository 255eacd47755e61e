"""Nobody is forgotten in a line, and what is told of a wait is true."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pipeline.asks import SECOND_US, a_cap, a_claim, an_ask
from pipeline.fast_time import fast_forwarded
from pipeline.waiting_room import LARGE, Gate, far, soon
from proxy.core.book import Held, HeldBy
from proxy.core.window import Probe
from proxy.entrance import Entered
from proxy.ledger.local import LocalLedger
from proxy.lines import Lines
from proxy.reach import Reach
from proxy.turned_away import TurnedAway
from proxy.turnstile import Turnstile
from proxy.waiter import Waiter

if TYPE_CHECKING:
    from proxy.core.book import Admitted
    from proxy.core.quota import Ask


def of_line(line: str, *, cost: int = 1, count: int = 50) -> Ask:
    return an_ask(a_claim("shared", count=count, cost=cost), a_claim(line, count=1000))


def paced_for_a_minute(gate: Gate) -> None:
    gate.turnstile.reopened(Probe("grant:g", 60 * SECOND_US))


def a_waiter(line: str, cost: int = 1) -> Waiter:
    return Waiter(of_line(line, cost=cost), 0.0, 1000.0)


def test_who_comes_before_one_that_was_called_asks_in_its_place() -> None:
    lines, held = Lines(), Held(30 * SECOND_US, HeldBy.LIMIT, "shared", "name")
    dear, cheap, behind, newcomer = a_waiter("a", 10), a_waiter("b"), a_waiter("a", 10), a_waiter("c")
    for waiter in (dear, cheap):
        lines.add(waiter, held, 30.0)
    lines.add(behind, None, 0.0)
    for served in (dear, cheap):
        lines.leave(served, served=True)
    assert (lines.is_first(behind), behind.held) == (True, None)
    lines.add(newcomer, None, 0.0)
    assert (lines.is_first(newcomer), newcomer.held) == (True, None)


@fast_forwarded
async def test_all_who_lose_patience_behind_a_cap_are_told_of_the_cap() -> None:
    gate = Gate()
    await gate.pass_through("a", an_ask(caps=(a_cap(),)))
    results = await asyncio.gather(*(gate.start(str(number), an_ask(caps=(a_cap(),)), 3.0) for number in range(5)))
    assert [isinstance(result, TurnedAway) and result.held is not None for result in results] == [True] * 5


@fast_forwarded
async def test_who_has_no_patience_behind_a_crowd_asks_a_far_ledger_once() -> None:
    gate = Gate()
    far(gate, Reach(0.1, 16))
    results = await asyncio.gather(*(gate.start(str(number), an_ask(a_claim(count=1000)), 0.0) for number in range(40)))
    assert all(isinstance(result, Entered) for result in results)


@fast_forwarded
async def test_a_far_ledger_is_not_asked_by_many_for_one_place() -> None:
    gate = Gate()
    ledger = far(gate, Reach(0.1, 16))
    await gate.pass_through("a", an_ask(caps=(a_cap(),)))
    tasks = [gate.start(str(number), an_ask(caps=(a_cap(),)), 10.0) for number in range(40)]
    await asyncio.sleep(1.0)
    ledger.most = 0
    await asyncio.gather(*tasks)
    assert ledger.most == 1


@fast_forwarded
async def test_lines_that_come_for_one_request_each_do_not_overtake_a_longer_one_for_ever() -> None:
    gate = Gate()
    short = []
    for number in range(250):
        short.append(gate.start(f"short {number}", of_line(f"short {number}"), 3.0))
        await asyncio.sleep(0.016)
    long = [gate.start("long", of_line("long"), 60.0) for _ in range(3)]
    for number in range(250, 900):
        short.append(gate.start(f"short {number}", of_line(f"short {number}"), 3.0))
        await asyncio.sleep(0.016)
    results = await asyncio.gather(*long)
    assert all(isinstance(result, Entered) and result.waited_s < 8.0 for result in results)
    assert all(len(row._ends) <= 1000 for row in gate.turnstile._lines._rows.values())
    await asyncio.gather(*short)


@fast_forwarded
async def test_many_short_lines_do_not_multiply_the_wait_that_a_longer_one_is_told() -> None:
    gate = Gate()
    full = [gate.start("full", of_line("full")) for _ in range(50)]
    await soon()
    others = [gate.start(f"other {number}", of_line(f"other {number}")) for number in range(49)]
    await soon()
    results = await asyncio.gather(*(gate.start("greedy", of_line("greedy"), 10.0) for _ in range(20)))
    assert all(isinstance(result, Entered) for result in results)
    await asyncio.gather(*full, *others)


@fast_forwarded
async def test_two_answers_that_are_being_read_hold_until_both_are() -> None:
    gate = Gate()
    for _ in range(2):
        gate.turnstile.suspend("grant:g")
    gate.turnstile.resume("grant:g")
    assert isinstance(await gate.pass_through("a", an_ask(scopes=("grant:g",)), 0.0), TurnedAway)
    gate.turnstile.resume("grant:g")
    assert isinstance(await gate.pass_through("b", an_ask(scopes=("grant:g",)), 0.0), Entered)


@fast_forwarded
async def test_who_would_wait_too_long_for_the_pace_is_told_so_at_once() -> None:
    gate = Gate()
    paced_for_a_minute(gate)
    tasks = [gate.start(str(number), an_ask(scopes=("grant:g",)), patience_s=2.5) for number in range(20)]
    refused = [result for result in await asyncio.gather(*tasks) if isinstance(result, TurnedAway)]
    assert [(result.wait_s, result.waited_s) for result in refused[-3:]] == [(3.0, 0.0)] * 3


@fast_forwarded
async def test_who_has_no_patience_is_told_of_those_before_it_and_of_the_rising_pace() -> None:
    gate = Gate()
    paced_for_a_minute(gate)
    tasks = [gate.start(str(number), an_ask(scopes=("grant:g",)), patience_s=60.0) for number in range(16)]
    await soon()
    refused = await gate.pass_through("late", an_ask(scopes=("grant:g",)), 0.0)
    assert isinstance(refused, TurnedAway)
    assert refused.wait_s == 10.0  # five in five seconds, ten in five more
    await asyncio.gather(*tasks)


@fast_forwarded
async def test_a_scope_that_closes_during_a_beat_is_not_told_as_no_wait() -> None:
    gate = Gate()
    paced_for_a_minute(gate)
    await gate.pass_through("first", an_ask(scopes=("grant:g",)))
    await asyncio.sleep(0.2)
    task = gate.start("second", an_ask(scopes=("grant:g",)), patience_s=0.5)
    await asyncio.sleep(0.2)
    gate.turnstile.closed("grant:g")
    refused = await task
    assert isinstance(refused, TurnedAway)
    assert refused.wait_s == 1.0
    assert refused.held


class LateLedger(LocalLedger):
    """Tells what it has decided a while ago."""

    async def admit(self, ask: Ask) -> Admitted | Held:
        result = await super().admit(ask)
        await asyncio.sleep(0.01)
        return result


@fast_forwarded
async def test_what_comes_free_while_a_far_ledger_is_asked_is_asked_for_again() -> None:
    ledger = LateLedger(lambda: round(asyncio.get_running_loop().time() * SECOND_US))
    turnstile = Turnstile(ledger, LARGE, Reach(None, 16))
    first = await turnstile.enter(an_ask(a_claim(count=10, cost=10, window_us=60 * SECOND_US)), 0.0)
    assert isinstance(first, Entered)
    task = asyncio.get_running_loop().create_task(turnstile.enter(an_ask(a_claim(count=10, window_us=60 * SECOND_US)), 100.0))
    await asyncio.sleep(30.0)
    turnstile.wake("limit")
    await asyncio.sleep(0.005)
    ledger.settle(first.admitted.receipts[0], 9)
    turnstile.wake("limit")
    result = await task
    assert isinstance(result, Entered)
    assert result.waited_s < 31.0


@fast_forwarded
async def test_a_refusal_of_one_that_never_stood_first_wakes_nobody() -> None:
    gate = Gate()

    def ask(line: str, cost: int) -> Ask:
        return of_line(line, cost=cost)

    await gate.pass_through("fill", ask("fill", 49))
    tasks = [gate.start("big", ask("big", 40), 60.0)]
    await soon()
    tasks += [gate.start(f"middle {number}", ask(f"middle {number}", 30), 60.0) for number in range(20)]
    await soon()
    slept = 0
    sleep = gate.turnstile._sleep

    async def counted(waiter: object) -> None:
        nonlocal slept
        slept += 1
        await sleep(waiter)  # type: ignore[arg-type]

    gate.turnstile._sleep = counted  # type: ignore[method-assign]
    for number in range(20):
        await gate.pass_through("refused", ask(f"refused {number}", 30), 0.0)
        await soon()
    assert slept <= 20
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
