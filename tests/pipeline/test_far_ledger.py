"""Who goes when before a ledger whose answers take a while."""

from __future__ import annotations

import asyncio

from pipeline.asks import a_claim, an_ask
from pipeline.fast_time import fast_forwarded
from pipeline.waiting_room import Gate, far
from proxy.entrance import Entered
from proxy.reach import Reach


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
