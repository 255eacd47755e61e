"""What the proxy exists for, against a simulated Nylas that keeps its limits: `.venv/bin/python bench/limits.py [NAME...]`.

Each scenario starts a fresh simulator and fresh proxies as processes of their own, sends a bounded load, asks the simulator what it saw, and prints
a row of a Markdown table. The simulator judges by its own arrival clock and an exact sliding log. All of it takes some five minutes; the exit status
is 1 where something was not kept.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import uvloop
from promises.bursts import application, burst, gmail, shared
from promises.cold import pause
from promises.exchange import exchange, restart, two
from promises.loss import redis_crowd, redis_frozen, redis_killed, redis_restarted
from promises.manners import fairness, impatient, sends

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from promises.check import Check

_ALL = (
    *(pause, burst, application, gmail, shared),
    *(exchange, restart, two),
    *(redis_killed, redis_frozen, redis_restarted, redis_crowd),
    *(sends, impatient, fairness),
)
SCENARIOS: dict[str, Callable[[], Awaitable[Check]]] = {scenario.__name__: scenario for scenario in _ALL}
SCENARIO_LIMIT_S = 240.0


async def main(names: list[str]) -> int:
    print(f"Load average at the start: {os.getloadavg()[0]:.2f}.\n\n| scenario | target | measured | kept |\n| --- | --- | --- | --- |", flush=True)
    kept = True
    for name in names or SCENARIOS:
        async with asyncio.timeout(SCENARIO_LIMIT_S):
            check = await SCENARIOS[name]()
        print(f"| {name} | {check.target} | {check.measured} | {'yes' if check.kept else '**no**'} |", flush=True)
        kept = kept and check.kept
    return 0 if kept else 1


if __name__ == "__main__":
    unknown = sorted(set(sys.argv[1:]) - set(SCENARIOS))
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(main(sys.argv[1:])))
