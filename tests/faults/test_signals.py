"""The proxy is told to end, or is killed, while requests are in every phase: nobody is told half, nothing is done twice, windows hold on."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest
from wire.stream import lines

from faults.caller import PATIENT_S, Answer, Caller, End
from faults.case import Ask, Call, answers, asks_and_reads, begin
from faults.hostile_cases import LIMITED, NOW, error, told
from faults.stand import CASE_WITHIN_S, Stand, standing
from faults.upstream_cases import OK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wire.process import Section, Settings

    from faults.peer import Act, Visit

THROTTLED = error(LIMITED, told("rate_limit_error"), b"Retry-After: 60")
_BRIEFLY = error(LIMITED, told("rate_limit_error"), b"Retry-After: 1")
PHASES = ("in its head", "in its upload", "upstream works", "upstream works on a change", "in the answer", "in the queue", "idle")


class Phases:
    """One call in each phase; what waits in upstream goes on when it is released."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.released = asyncio.Event()
        self.calls: dict[str, Call] = {}
        self.callers: dict[str, Caller] = {}

    async def begin(self) -> None:
        """Bring each to its phase."""
        await self._send("in its head", Ask.CHANGE, self._works, sent_bytes=40)
        await self._send("in its upload", Ask.CHANGE, self._works, sent_bytes=-500, body=b"u" * 1000)
        await self._send("upstream works", Ask.READ, self._works)
        await self._send("upstream works on a change", Ask.CHANGE, self._works)
        await self._send("in the answer", Ask.READ, self._answers_in_two)
        throttled = begin(self.stand, Ask.READ, (_BRIEFLY,), fields=NOW)
        assert (await asks_and_reads(throttled)).status == 429
        await self._send("in the queue", Ask.CHANGE, answers, grant=throttled.grant)
        await self._send("idle", Ask.READ, answers)
        assert (await self.callers["idle"].answer()).status == 200
        for phase in PHASES[1:5]:
            await asyncio.wait_for(self.calls[phase].play.began.wait(), PATIENT_S)

    async def outcomes(self) -> dict[str, Answer]:
        """What each of them got in the end; nothing more is sent."""
        got = await asyncio.gather(*(self.callers[phase].answer(self.calls[phase].method) for phase in PHASES))
        for caller in self.callers.values():
            caller.leave("reset")
        return dict(zip(PHASES, got, strict=True))

    async def _send(self, phase: str, ask: Ask, act: Act, *, sent_bytes: int | None = None, body: bytes = b"{}", grant: bytes = b"") -> None:
        call = self.calls[phase] = begin(self.stand, ask, (act,), body=body, grant=grant)
        caller = self.callers[phase] = await call.dial()
        await caller.send(call.raw[:sent_bytes])

    async def _works(self, visit: Visit) -> None:
        await visit.body()
        await self.released.wait()
        await visit.answer()

    async def _answers_in_two(self, visit: Visit) -> None:
        await visit.body()
        visit.play.whole.add(b"hello")
        await visit.say(lines(OK, b"Content-Length: 5", body=b"he"))
        await self.released.wait()
        await visit.say(b"llo")


def _with_journal(folder: Path) -> Settings:
    return {"windows": {"journal": str(folder / "windows.json")}}


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Stand]:
    """A proxy that is to be ended, with a journal and time to finish."""
    listen: Section = {"body_timeout_s": 5, "drain_timeout_s": 1}
    with standing(tmp_path, {**_with_journal(tmp_path), "listen": listen, "upstream": {"response_timeout_s": 5}}) as stand:
        yield stand


def _end(stand: Stand, number: signal.Signals) -> tuple[Phases, dict[str, Answer], int]:
    """Bring calls to their phases, send the signal, let upstream go on; returns how each call ended, and how the process did."""
    phases = Phases(stand)
    stand.run(phases.begin())
    stand.proxy.signal(number)
    if number is not signal.SIGKILL:
        stand.proxy.wait_for(lambda event: event.get("event") == "proxy.draining")
    stand._loop.call_soon_threadsafe(phases.released.set)
    outcomes = stand.run(phases.outcomes())
    return phases, outcomes, stand.proxy.exit_status(CASE_WITHIN_S)


def _never_wrong(phases: Phases, outcomes: dict[str, Answer]) -> None:
    """Whatever happens at whatever time."""
    for phase, answer in outcomes.items():
        play = phases.calls[phase].play
        assert play.doubles == 0
        assert len(play.arrivals) <= 1
        if answer.end is End.WHOLE and answer.status < 400:
            assert answer.body in play.whole, phase
    assert phases.stand.complaints == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_told_to_end_it_finishes_what_upstream_has_and_tells_the_others(mortal: Stand, number: signal.Signals) -> None:
    phases, outcomes, status = _end(mortal, number)
    _never_wrong(phases, outcomes)
    assert (status, mortal.bugs(), mortal.proxy.noise) == (0, [], [])
    for phase in ("upstream works", "upstream works on a change", "in the answer"):
        assert (outcomes[phase].end, outcomes[phase].status) == (End.WHOLE, 200), phase
    queued = outcomes["in the queue"]
    assert (queued.status, queued.cause) in {(200, ""), (503, "shutting_down")}
    assert outcomes["idle"].end is End.NONE
    assert {outcomes[phase].status for phase in ("in its head", "in its upload")} <= {0, 408, 503}


def test_killed_it_leaves_nobody_with_half_an_answer_that_looks_whole(mortal: Stand) -> None:
    phases, outcomes, status = _end(mortal, signal.SIGKILL)
    _never_wrong(phases, outcomes)
    assert status == -signal.SIGKILL
    assert {answer.end for answer in outcomes.values()} <= {End.NONE, End.CUT}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_a_window_holds_on_over_an_end_in_the_midst_of_it(tmp_path: Path, number: signal.Signals) -> None:
    with standing(tmp_path, _with_journal(tmp_path)) as first:
        throttled = begin(first, Ask.CHANGE, (THROTTLED,), fields=NOW)
        assert first.run(asks_and_reads(throttled)).status == 429
        while not (tmp_path / "windows.json").exists():
            pass
        first.proxy.signal(number)
        first.proxy.exit_status()
    with standing(tmp_path, _with_journal(tmp_path)) as second:
        again = begin(second, Ask.CHANGE, (answers,), fields=NOW, grant=throttled.grant)
        answer = second.run(asks_and_reads(again))
        second.settle()
    assert (answer.status, answer.value(b"x-nylas-proxy-origin"), len(again.play.arrivals)) == (429, b"proxy", 0)
