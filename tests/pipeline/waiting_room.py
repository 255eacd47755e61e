"""A turnstile to wait before, and what came of it; the loop's time is fast-forwarded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pipeline.asks import SECOND_US
from proxy.entrance import Entered, Room
from proxy.ledger.local import LocalLedger
from proxy.turnstile import Turnstile

if TYPE_CHECKING:
    from proxy.core.book import Admitted, Held
    from proxy.core.quota import Ask
    from proxy.reach import Reach
    from proxy.turned_away import TurnedAway



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
