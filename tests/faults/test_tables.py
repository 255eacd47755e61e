"""Every case of the tables ends as documented and leaves nothing behind: alone, side by side with others, and cut at every byte."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest
from wire.cases import CHUNKED
from wire.stream import lines

from faults.caller import End
from faults.case import Ask, asks_and_reads, begin, judge, play
from faults.mixture import CASES, SIDE_BY_SIDE, play_side_by_side, waves
from faults.upstream_cases import MIB, OK

if TYPE_CHECKING:
    from faults.case import Case
    from faults.peer import Act, Visit
    from faults.stand import Stand

SIZE = 12
PEAK_MAX_BYTES = 24 * MIB
NEVER = (b"X-Nylas-Proxy-Retry: never",)
ANSWERS = {
    "with a length": lines(OK, b"Content-Length: 5", body=b"hello"),
    "in chunks": lines(OK, CHUNKED, body=b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
    "until the end of the connection": lines(OK, body=b"hello"),
}


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_a_fault_ends_as_documented_and_leaves_nothing_behind(stand: Stand, case: Case) -> None:
    before_bytes = stand.proxy.resident_bytes()
    stand.proxy.forget_peak()
    call, answer = stand.run(play(stand, case))
    stand.settle()
    assert judge(call, case, answer) == []
    assert stand.proxy.peak_bytes() - before_bytes < PEAK_MAX_BYTES


@pytest.mark.parametrize("cases", waves(SIDE_BY_SIDE, random.Random(7), SIZE))
def test_faults_side_by_side_end_as_each_of_them_does_alone(stand: Stand, cases: list[Case]) -> None:
    assert play_side_by_side(stand, cases) == []


def _cut(raw: bytes, count: int, how: str) -> Act:
    async def act(visit: Visit) -> None:
        await visit.body()
        if count == len(raw):
            visit.play.whole.add(b"hello")
        await visit.say(raw[:count])
        await visit.end(how)

    return act


# Of a body that only the end of the connection delimits, nobody can tell a clean end that came too early.
@pytest.mark.parametrize(("framing", "how"), [(framing, how) for framing in ANSWERS for how in ("reset", "close")][:-1])
def test_an_answer_that_is_cut_at_any_byte_never_looks_complete(stand: Stand, framing: str, how: str) -> None:
    raw = ANSWERS[framing]
    calls = [begin(stand, Ask.CHANGE, (_cut(raw, count, how),), fields=NEVER) for count in range(len(raw) + 1)]

    async def all_of_them() -> list[str]:
        answers = [await asyncio.gather(*(asks_and_reads(call) for call in calls[start : start + SIZE])) for start in range(0, len(calls), SIZE)]
        outcomes = zip(calls, [answer for some in answers for answer in some], strict=True)
        return [call.raw.decode() for call, answer in outcomes if answer.end is End.WHOLE and answer.status == 200 and not call.play.whole]

    assert stand.run(all_of_them()) == []
    stand.settle()
