"""Whoever leaves, whenever, leaves nothing behind."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from pipeline.asks import a_cap, a_claim, an_ask
from pipeline.fast_time import fast_forwarded
from proxy.reach import HERE, Reach

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable



from pipeline.waiting_room import Gate, far


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
