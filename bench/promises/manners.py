"""Sends that fail half-way, callers who will not wait, and a grant that wants everything."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from promises.callers import at_once, steadily
from promises.check import Check, p99_ms, statuses
from promises.rig import rig

if TYPE_CHECKING:
    from typing import Any

    from promises.callers import Answer, Callers

SENDS = 1000
_SEND_FAULTS = (
    (0.05, 'reset = "before_head"'),
    (0.02, "status = 503\nhtml = true\ndone = true"),
    (0.02, "status = 504\nhtml = true"),
    (0.01, "status = 503\nhtml = true"),
)
FAIR_FOR_S, GREEDY_PER_S, POLITE_PER_S, POLITE = 10, 50, 4.5, 9


async def sends() -> Check:
    """1,000 sends, 5 % dropped after acceptance, 5 % answered 503 or 504 by a gateway, done or not."""
    rules = (f'[[rule]]\nmethod = "POST"\npath = "/v3/grants/*/messages/send"\nshare = {share}\n{cue}\n' for share, cue in _SEND_FAULTS)
    async with rig("seed = 7\n" + "".join(rules), "[retry]\nbudget_ratio = 0.3\n") as r:
        answers: list[Answer] = []
        for first in range(0, SENDS, 100):
            answers += await at_once(_send(r.proxies[0].callers, number) for number in range(first, first + 100))
        report = await r.simulator.report("deliveries")
        untrue = _untrue(answers, report)
        figures = f"{report['delivered']} delivered, {report['duplicates']} duplicates, {untrue} told something else than what happened"
        return Check("0 duplicates, every caller told the truth", f"{statuses(answers)}; {figures}", report["duplicates"] == untrue == 0)


async def _send(callers: Callers, number: int) -> Answer:
    mail = {"subject": f"mail {number}", "to": [{"email": "a@b.c"}]}
    return await callers.ask("POST", f"/v3/grants/nylas{number % 50}/messages/send", content=mail)


def _untrue(answers: list[Answer], report: dict[str, Any]) -> int:
    """Count the callers who were told that a mail is sent that is not, or that it is not sent without a doubt when it is."""
    delivered = {message["subject"] for message in report["messages"]}
    untrue = 0
    for number, answer in enumerate(answers):
        was_sent = f"mail {number}" in delivered
        if answer.status in {200, 202}:
            untrue += not was_sent
        else:
            untrue += was_sent and not (answer.status and "may have taken effect" in answer.told["solution"])
    return untrue


async def impatient() -> Check:
    """Patience 0 against an exhausted limit."""
    async with rig() as r:
        callers = r.proxies[0].callers
        await callers.gather(200)
        await at_once(callers.ask("GET", "/v3/grants/nylas-p/messages") for _ in range(200))
        answer = await callers.ask("GET", "/v3/grants/nylas-p/messages", patience_s=0)
        came = len((await r.simulator.report("arrivals"))["arrivals"])
        told, after_s, waited_s = answer.told, int(answer.fields["retry-after"]), answer.fields["x-nylas-proxy-waited"]
        why = f"{told['cause']}, scope {told['scope']}, Retry-After {after_s}"
        kept = answer.status == 429 and float(waited_s) == 0 and came == 200 and 1 <= after_s <= 2
        measured = f"{answer.status} after {answer.took_s * 1e3:.1f} ms, waited {waited_s} s, {why}"
        return Check("answered without waiting, right Retry-After", measured, kept and answer.took_s < 0.05)


async def fairness() -> Check:
    """One greedy grant at ten times its share beside nine polite ones, under one application limit of 50 a second, for 10 s."""
    async with rig() as r:
        callers = r.proxies[0].callers
        await callers.gather(600)
        greedy = asyncio.create_task(steadily(callers, "/v3/grants/greedy", GREEDY_PER_S, FAIR_FOR_S))
        polite = await asyncio.gather(*(steadily(callers, f"/v3/grants/polite{number}", POLITE_PER_S, FAIR_FOR_S) for number in range(POLITE)))
        refused = (await r.simulator.report("limits"))["refused"]
        greedy_answers = await greedy
    served = min(_in_time(answers) for answers in polite)
    p99_s = max(p99_ms([answer.took_s for answer in answers]) for answers in polite) / 1e3
    good = sum(answer.status == 200 for answer in greedy_answers)
    figures = f"worst polite p99 {p99_s:.2f} s, least served polite grant {served:.0%}, greedy {good} of {len(greedy_answers)}; {refused} refusals"
    return Check("polite p99 under 1 s, none under 95 %", figures, p99_s < 1 and served >= 0.95 and refused == 0)


def _in_time(answers: list[Answer]) -> float:
    """Return which share of what was asked was answered well before the load ended."""
    ends_at = min(answer.began_at for answer in answers) + FAIR_FOR_S
    return sum(answer.status == 200 and answer.ended_at <= ends_at for answer in answers) / len(answers)
