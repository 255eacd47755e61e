"""Two proxies lose the server that they share, under a load that each could carry alone: nobody notices more than one time-out."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from typing import TYPE_CHECKING, NamedTuple

from promises.callers import at_once, steadily
from promises.check import Check, all_good, p99_ms, span_s, statuses
from promises.redis_server import COMMAND_TIMEOUT_S, REPLICAS, sharing
from promises.rig import rig

if TYPE_CHECKING:
    from collections.abc import Callable

    from promises.callers import Answer
    from promises.redis_server import Server
    from promises.rig import Proxy, Rig

LIMIT_PER_S = 200
PER_PROXY_PER_S = 80  # of the 100 that are its part
LOAD_S, LOST_AFTER_S, BACK_AFTER_S = 7.0, 2.0, 4.0
SLOW_S = COMMAND_TIMEOUT_S / 2
_BEFORE_S = 0.1
_SLACK_S = 0.01


class Moment(NamedTuple):
    """A change of state, as one proxy's callers felt it.

    Attributes:
        state: Who counts from then on.
        at_s: When, from the beginning of the load on.
        slow: Their requests that took long, until the next change.
    """

    state: str
    at_s: float
    slow: list[Answer]

    def __str__(self) -> str:
        longest = f" (up to {max(answer.took_s for answer in self.slow) * 1e3:.0f} ms)" if self.slow else ""
        return f"{self.state} at {self.at_s:.2f} s: {len(self.slow)} slow{longest}"

    def is_one_time_out(self) -> bool:
        """Tell whether the slow ones waited for the same time-out: they began within one, and none took much longer."""
        if not self.slow:
            return True
        begun = [answer.began_at for answer in self.slow]
        longest_s = COMMAND_TIMEOUT_S + _SLACK_S
        return max(begun) - min(begun) <= longest_s and max(answer.took_s for answer in self.slow) <= longest_s + _SLACK_S


async def redis_killed() -> Check:
    """Killed after 2 s, and never seen again."""
    return await _under_load(lambda server: server.kill(), None)


async def redis_frozen() -> Check:
    """Stopped by SIGSTOP after 2 s, for 2 s."""
    return await _under_load(lambda server: server.freeze(), lambda server: server.thaw())


async def redis_restarted() -> Check:
    """Killed after 2 s, started 2 s later with an empty memory."""
    return await _under_load(lambda server: server.kill(), lambda server: server.start())


async def _under_load(lose: Callable[[Server], None], bring_back: Callable[[Server], None] | None) -> Check:
    async with sharing() as (server, settings), rig(settings=settings, proxies=REPLICAS) as r:
        for proxy in r.proxies:
            await proxy.callers.gather(30)
        calm = [answer for answers in await _load(r) for answer in answers]
        began_at = time.time()
        loading = asyncio.create_task(_load(r))
        await asyncio.sleep(LOST_AFTER_S)
        lose(server)
        if bring_back is not None:
            await asyncio.sleep(BACK_AFTER_S - LOST_AFTER_S)
            await asyncio.to_thread(bring_back, server)
        loads = await loading
        refused = (await r.simulator.report("limits"))["refused"]
        moments = [moment for proxy, answers in zip(r.proxies, loads, strict=True) for moment in _moments(proxy, answers, began_at)]
    return _judged(calm, [answer for answers in loads for answer in answers], moments, refused)


async def _load(r: Rig) -> list[list[Answer]]:
    """Load every proxy at a steady pace under its part of the limit; all ask for the same grant."""
    return list(await asyncio.gather(*(steadily(proxy.callers, "/v3/grants/nylas-a/messages", PER_PROXY_PER_S, LOAD_S) for proxy in r.proxies)))


def _moments(proxy: Proxy, answers: list[Answer], began_at: float) -> list[Moment]:
    """Ascribe what was slow to the last change of state before it ended."""
    slow = [answer for answer in answers if answer.took_s >= SLOW_S]
    changes = [event for event in proxy.events.named("ledger.state") if event["state"] != "rejoining"]  # some milliseconds before it is shared
    moments = []
    for change, following in itertools.zip_longest(changes, changes[1:]):
        until = following["ts"] - _BEFORE_S if following else math.inf
        felt = [answer for answer in slow if change["ts"] - _BEFORE_S <= answer.ended_at < until]
        moments.append(Moment(change["state"], change["ts"] - began_at, felt))
    return moments


def _judged(calm: list[Answer], answers: list[Answer], moments: list[Moment], refused: int) -> Check:
    target = f"no error; at most one time-out ({COMMAND_TIMEOUT_S * 1e3:.0f} ms) a change of state; 0 refusals"
    kept = all_good(answers) and refused == 0 and bool(moments) and all(moment.is_one_time_out() for moment in moments)
    told = f"{statuses(answers)}, {refused} refusals; over {SLOW_S * 1e3:.0f} ms, by proxy: {'; '.join(map(str, moments))}"
    return Check(target, f"{told}; in all {_latency(answers)}; without the fault {_latency(calm)}", kept)


def _latency(answers: list[Answer]) -> str:
    took_s = [answer.took_s for answer in answers]
    return f"{sum(each >= SLOW_S for each in took_s)} slow, p99 {p99_ms(took_s):.1f} ms, longest {max(took_s) * 1e3:.1f} ms"


async def redis_crowd() -> Check:
    """600 GETs at once on one grant over both proxies, three times what a second allows; the server is killed after 1.5 s."""
    async with sharing() as (server, settings), rig(settings=settings, proxies=REPLICAS) as r:
        for proxy in r.proxies:
            await proxy.callers.gather(300)
        killing = asyncio.get_running_loop().call_later(1.5, server.kill)
        answers = await at_once(proxy.callers.ask("GET", "/v3/grants/nylas-a/messages") for proxy in r.proxies for _ in range(300))
        killing.cancel()
        limits = await r.simulator.report("limits")
        most, refused = limits["limits"]["v3_messages"]["most"], limits["refused"]
    told = f"{statuses(answers)} in {span_s(answers):.2f} s, {refused} refusals, at most {most} of {LIMIT_PER_S} within a second"
    return Check("no error, the limit kept by each one's part", told, all_good(answers) and refused == 0)
