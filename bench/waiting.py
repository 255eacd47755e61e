"""What waiting costs, in CPU, in short and in long queues: `.venv/bin/python bench/waiting.py`. The figures should not grow with the queue."""

from __future__ import annotations

import asyncio
import time

from proxy.core.quota import Ask, Claim, Level, Unit
from proxy.entrance import Room
from proxy.ledger.local import LocalLedger
from proxy.turnstile import Turnstile

SECOND_US = 1_000_000
PATIENCE_S = 1e6


def an_ask(number: int, subject: str) -> Ask:
    claim = Claim("limit", "limit", Level.APPLICATION, 50, SECOND_US, 1, Unit.REQUEST)
    return Ask("application", (claim,), (), (f"grant:{subject}",), f"lease-{number}", subject)


async def cost_us(waiting: int, grants: int) -> tuple[float, float]:
    """Return the CPU of an arrival and of an admission, where so many of so many grants wait for one limit."""
    clock_us = 0
    turnstile = Turnstile(LocalLedger(lambda: clock_us), Room(waiting, 0))
    started_at = time.process_time()
    tasks = [asyncio.create_task(turnstile.enter(an_ask(number, str(number % grants)), PATIENCE_S)) for number in range(waiting)]
    await passes(5)
    arrived_at = time.process_time()
    while turnstile.waiting.requests:
        clock_us += 2 * SECOND_US
        turnstile.wake("limit")
        await passes(200)
    gone_at = time.process_time()
    await asyncio.gather(*tasks)
    return (arrived_at - started_at) / waiting * 1e6, (gone_at - arrived_at) / waiting * 1e6


async def passes(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def main() -> None:
    for waiting in (500, 2_000, 8_000):
        for grants in (1, waiting):
            arrival_us, admission_us = asyncio.run(cost_us(waiting, grants))
            print(f"{waiting:5} wait in {grants:5} lines: {arrival_us:5.1f} us an arrival, {admission_us:5.1f} us an admission")


if __name__ == "__main__":
    main()
