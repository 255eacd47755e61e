"""A throttled mailbox is left alone until its window ends, over restarts and by every proxy, and its neighbours notice nothing."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import TYPE_CHECKING

from promises.callers import steadily
from promises.check import Check, p99_ms, statuses
from promises.redis_server import sharing
from promises.rig import rig

if TYPE_CHECKING:
    from promises.callers import Answer, Callers
    from promises.rig import Rig

WINDOW_S = 8
WINDOW = f'[[rule]]\nmethod = "GET"\npath = "/v3/grants/ews-a/messages"\ncount = 1\nthrottle_s = {WINDOW_S}\n'
LOAD_S, MAILBOX_PER_S, NEIGHBOURS, NEIGHBOUR_PER_S = 10.0, 20, 5, 20
PAIRS, MORE_AT_MOST = 5, 0.10
_STOPPED_AFTER_S, _KILLED_AFTER_S = 2.0, 5.0


async def exchange() -> Check:
    """A window of 8 s under steady load beside five other grants: five pairs of runs, with the window and without it, in turns."""
    ratios, pairs, knocks, mailbox = [], [], list[float](), ""
    for number in range(PAIRS):
        p99s_ms = {}
        for scenario in (WINDOW, "") if number % 2 == 0 else ("", WINDOW):
            p99s_ms[scenario], answers, inside_ms = await _beside_neighbours(scenario)
            if scenario:
                knocks += inside_ms
                mailbox = statuses(answers)
        ratios.append(p99s_ms[WINDOW] / p99s_ms[""])
        pairs.append(f"{p99s_ms[WINDOW]:.1f}/{p99s_ms['']:.1f}")
    ratio = statistics.median(ratios)
    others = f"others' p99 with it / without it {', '.join(pairs)} ms: median of the ratios {ratio:.3f}"
    kept = not _after(knocks) and ratio <= 1 + MORE_AT_MOST
    return Check(f"0 inside; others' p99 within {MORE_AT_MOST:.0%}", f"{_inside(knocks)}; {others}; the mailbox of the last run: {mailbox}", kept)


async def _beside_neighbours(scenario: str) -> tuple[float, list[Answer], list[float]]:
    async with rig(scenario) as r:
        callers = r.proxies[0].callers
        await callers.gather(40)
        paths = (f"/v3/grants/microsoft-{number}/messages" for number in range(NEIGHBOURS))
        neighbours = (steadily(callers, path, NEIGHBOUR_PER_S, LOAD_S) for path in paths)
        own, *others = await asyncio.gather(_knock(callers, LOAD_S), *neighbours)
        p99 = p99_ms([answer.took_s for answers in others for answer in answers])
        return p99, own, _knocks_ms(r)


async def restart() -> Check:
    """The same window, the proxy told to stop and started anew after 2 s, killed and started anew after 5 s; its journal in a file."""
    async with rig(WINDOW, '[windows]\njournal = "../windows.json"\n') as r:
        started_s = time.monotonic()
        answers = await _knock(r.proxies[0].callers, _STOPPED_AFTER_S)
        r.proxies[0].stop()
        second = await r.start_proxy()
        answers += await _knock(second.callers, _KILLED_AFTER_S - (time.monotonic() - started_s))
        second.child.popen.kill()
        third = await r.start_proxy()
        answers += await _knock(third.callers, WINDOW_S + 2 - (time.monotonic() - started_s))
        return _left_alone(r, answers)


async def two() -> Check:
    """The same window, asked for through two proxies that share a Redis, one of them started anew after 5 s."""
    async with sharing() as (_, settings), rig(WINDOW, settings, proxies=2) as r:
        first, second = r.proxies
        load = asyncio.create_task(_knock(first.callers, WINDOW_S + 2))
        started_s = time.monotonic()
        answers = await _knock(second.callers, _KILLED_AFTER_S)
        second.stop()
        third = await r.start_proxy()
        answers += await _knock(third.callers, WINDOW_S + 2 - (time.monotonic() - started_s))
        return _left_alone(r, [*answers, *await load])


async def _knock(callers: Callers, for_s: float) -> list[Answer]:
    """Ask for the mailbox without patience, at a steady pace."""
    return await steadily(callers, "/v3/grants/ews-a/messages", MAILBOX_PER_S, for_s, patience_s=0)


def _left_alone(r: Rig, answers: list[Answer]) -> Check:
    knocks = _knocks_ms(r)
    answers.sort(key=lambda answer: answer.began_at)
    refused_at = next(answer.ended_at for answer in answers if answer.status == 429)
    opened_s = [answer.began_at - refused_at for answer in answers if answer.status == 200 and answer.began_at > refused_at]
    opened = f"open again after {min(opened_s, default=float('nan')):.1f} s"
    kept = not _after(knocks) and min(opened_s, default=0) >= WINDOW_S - 0.1 and all(answer.status in {200, 429} for answer in answers)
    return Check("0 requests inside", f"{_inside(knocks)}; {statuses(answers)}; {opened}", kept)


def _knocks_ms(r: Rig) -> list[float]:
    """Return of each request that was refused inside the window when it was admitted, from when the first refusal's head had been read.

    All by the proxies' own logs and one clock. What was admitted before that moment could not know, however late it arrived.
    """
    seen = [event for proxy in r.proxies for event in proxy.events.named("request") if event["status"] == 429 and event["attempts"]]
    admitted_ms = sorted((event["ts"] * 1e3 - event["duration_ms"] + event["waited_ms"], event["upstream_ms"]) for event in seen)
    if not admitted_ms:
        return []
    read_ms = sum(admitted_ms[0])
    return [round(at_ms - read_ms, 1) for at_ms, _ in admitted_ms[1:]]


def _after(knocks: list[float]) -> int:
    return sum(knock >= 0 for knock in knocks)


def _inside(knocks: list[float]) -> str:
    when = f" (admitted so many ms after the first refusal's head was read: {', '.join(map(str, knocks))})" if knocks else ""
    return f"{_after(knocks)} admitted inside, {len(knocks) - _after(knocks)} under way before{when}"
