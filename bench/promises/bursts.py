"""Bursts against a limit: nothing is refused by Nylas, and little time is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promises.callers import at_once
from promises.check import Check, all_good, arrivals_s, span_s, statuses
from promises.redis_server import sharing
from promises.rig import rig

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from promises.callers import Answer, Callers
    from promises.rig import Rig

MAILBOX_BEST_S, APPLICATION_BEST_S = 4.0, 7.0


def _messages(callers: Callers, count: int) -> list[Coroutine[Any, Any, Answer]]:
    return [callers.ask("GET", "/v3/grants/nylas-burst/messages") for _ in range(count)]


async def burst() -> Check:
    """1,000 GETs at once on one grant, 200 a second."""
    async with rig() as r:
        callers = r.proxies[0].callers
        await callers.gather(1000)
        answers = await at_once(_messages(callers, 1000))
        return await _judged(r, "burst", answers, MAILBOX_BEST_S, at_least=1 / 1.10)


async def application() -> Check:
    """400 requests over 8 grants, 50 a second for the application."""
    async with rig() as r:
        callers = r.proxies[0].callers
        await callers.gather(400)
        answers = await at_once(callers.ask("GET", f"/v3/grants/g{number % 8}") for number in range(400))
        return await _judged(r, "/v3/grants/g", answers, APPLICATION_BEST_S, at_least=0.92)


async def gmail() -> Check:
    """Gets of 5 units and sends of 100 against Gmail's 250 a second; where no gets are left, a second holds two sends and 50 units lie idle."""
    even, scarce = await _gmail_mix(190), await _gmail_mix(100)  # 200 fill eight seconds to the last unit: one unit lost would cost a second
    return Check(even.target, f"190 gets, 10 sends: {even.measured}<br>100 gets, 10 sends (told, not judged): {scarce.measured}", even.kept)


async def _gmail_mix(gets: int) -> Check:
    async with rig(settings='[providers.known]\ng0 = "google"\n') as r:
        callers = r.proxies[0].callers
        await callers.gather(gets + 10)
        reads = [callers.ask("GET", f"/v3/grants/g0/messages/message-{1 + number % 2}") for number in range(gets)]
        mails = [{"subject": f"s{number}", "to": [{"email": "a@b.c"}]} for number in range(10)]
        sends = [callers.ask("POST", "/v3/grants/g0/messages/send", content=mail) for mail in mails]
        answers = await at_once([*reads[:50], *sends, *reads[50:]])
        return await _judged(r, "/v3/grants/g0", answers, (5 * gets + 1000 - 250) / 250, at_least=0.90)


async def shared() -> Check:
    """The first two over two proxies that share a Redis."""
    async with sharing() as (_, settings), rig(settings=settings, proxies=2) as r:
        for proxy in r.proxies:
            await proxy.callers.gather(500)
        mailbox = await at_once(question for proxy in r.proxies for question in _messages(proxy.callers, 500))
        one = await _judged(r, "burst", mailbox, MAILBOX_BEST_S, at_least=0.90)
        grants = await at_once(r.proxies[number % 2].callers.ask("GET", f"/v3/grants/g{number // 2 % 8}") for number in range(400))
        other = await _judged(r, "/v3/grants/g", grants, APPLICATION_BEST_S, at_least=0.90)
        return Check(one.target, f"one grant: {one.measured}<br>8 grants: {other.measured}", one.kept and other.kept)


async def _judged(r: Rig, part: str, answers: list[Answer], best_s: float, at_least: float) -> Check:
    """Judge by the time from the first question to the last answer, and by the simulator's count of refusals."""
    took_s, came_s = span_s(answers), arrivals_s(await r.simulator.report("arrivals"), part)[-1]
    refused = (await r.simulator.report("limits"))["refused"]
    share = best_s / took_s
    done = f"done in {took_s:.2f} s = {took_s / best_s:.3f} of {best_s} s ({share:.1%} of the best)"
    came = f"first to last arrival {came_s:.2f} s ({came_s / best_s:.3f})"
    target = f"0 refusals, {at_least:.1%} of the best: done within {best_s / at_least:.2f} s"
    return Check(target, f"{statuses(answers)}; {refused} refusals; {done}; {came}", refused == 0 and share >= at_least and all_good(answers))
