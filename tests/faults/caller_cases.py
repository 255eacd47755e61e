"""Callers leave at every phase, send slowly, never read; and the way between them and the proxy breaks."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from wire.stream import lines

from faults.caller import PATIENT_S, Answer, Caller, End
from faults.case import Ask, Case, Gets, answers, asks_and_reads, begin
from faults.relay import Fault, Relay
from faults.upstream_cases import OK, repeats, says

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults.case import Call, Manner
    from faults.peer import Visit

MIB = 1024 * 1024
_SLOWLY_S = 0.02
_UNTOLD = Answer(End.NONE)
_CHUNK = b"4000\r\n" + b"c" * 0x4000 + b"\r\n"


def leaves(how: str, sent_bytes: int | None = None, *, after_arrival: bool = False) -> Manner:
    """A manner: send so many bytes, or all; wait until upstream has the request, where that is asked for; leave."""

    async def manner(call: Call) -> Answer:
        caller = await call.dial()
        await caller.send(call.raw[:sent_bytes])
        if after_arrival:
            await asyncio.wait_for(call.play.began.wait(), PATIENT_S)
        return await _leave(call, caller, how)

    return manner


async def _leave(call: Call, caller: Caller, how: str) -> Answer:
    caller.leave(how)
    call.play.left.set()
    if how == "half":
        assert await caller.until_closed() == b""
        caller.leave("close")
    return _UNTOLD


def leaves_in_its_upload(how: str) -> Manner:
    """A manner: leave when half of the body is with upstream."""

    async def manner(call: Call) -> Answer:
        return await leaves(how, len(call.raw) - call.body_bytes // 2, after_arrival=True)(call)

    return manner


def leaves_in_its_answer(how: str, taken_bytes: int) -> Manner:
    """A manner: read so many bytes of the answer and leave."""

    async def manner(call: Call) -> Answer:
        caller = await call.dial()
        await caller.send(call.raw)
        assert await caller.some(taken_bytes) >= taken_bytes
        return await _leave(call, caller, how)

    return manner


def leaves_in_the_queue(how: str) -> Manner:
    """A manner: be held by a window of the same mailbox, and leave."""

    async def manner(call: Call) -> Answer:
        throttled = begin(call.stand, Ask.READ, (_says_429,), grant=call.grant, fields=(b"X-Nylas-Proxy-Patience: 0",))
        assert (await asks_and_reads(throttled)).status == 429
        caller = await call.dial()
        await caller.send(call.raw)
        while not (await asyncio.to_thread(call.stand.base_line)).queue_depth:
            pass
        return await _leave(call, caller, how)

    return manner


async def _says_429(visit: Visit) -> None:
    await visit.answer(b"Retry-After: 1", status=b"429 Too Many Requests")


async def answers_when_left(visit: Visit) -> None:
    """Upstream goes on after the caller has left."""
    await visit.body()
    await visit.play.left.wait()
    await visit.answer()


async def _answers_10_kb(visit: Visit) -> None:
    await visit.answer(body=b"b" * 10_000)


def sends_slowly(first: int, pieces: int) -> Manner:
    """A manner: send all but the last `first` bytes at once and these one by one; after `pieces` of them nothing more comes."""

    async def manner(call: Call) -> Answer:
        caller = await call.dial()
        rest = len(call.raw) - first
        await caller.send(call.raw[:rest])
        sending = asyncio.ensure_future(_send_slowly(caller, call.raw[rest : rest + pieces]))
        try:
            return await caller.answer(call.method)
        finally:
            sending.cancel()
            caller.leave("reset")

    return manner


async def _send_slowly(caller: Caller, data: bytes) -> None:
    for byte in data:
        await caller.send(bytes([byte]))
        await asyncio.sleep(_SLOWLY_S)


async def never_asks(call: Call) -> Answer:
    """Connect, say nothing, wait for what comes."""
    caller = await call.dial()
    assert await caller.until_closed() == b""
    caller.leave("close")
    return _UNTOLD


async def never_reads(call: Call) -> Answer:
    """Ask, and look at the answer only when upstream has been told to stop."""
    caller = await call.dial(takes_little=True)
    await caller.send(call.raw)
    await asyncio.wait_for(call.play.left.wait(), PATIENT_S)
    try:
        return await caller.answer(call.method)
    finally:
        caller.leave("reset")


async def answers_at_length(visit: Visit) -> None:
    """Send far more than the way holds; tell when the proxy hangs up."""
    await visit.body()
    try:
        await visit.say(lines(OK, b"Content-Length: %d" % (64 * MIB)), *[b"b" * MIB] * 64)
    finally:
        visit.play.left.set()


def by_way_of(fault: Fault, manner: Manner = asks_and_reads) -> Manner:
    """A manner, over a way on which something happens."""

    async def by_relay(call: Call) -> Answer:
        relay = Relay(call.port)
        relay.fault = fault
        await relay.listen()
        try:
            return await manner(call._replace(port=relay.port))
        finally:
            await relay.close()

    return by_relay


async def waits_for_its_line(call: Call) -> Answer:
    """Ask, and leave when the proxy has given up."""
    caller = await call.dial()
    await caller.send(call.raw)
    await asyncio.to_thread(call.stand.proxy.logged_request, call.name.decode())
    return _UNTOLD


async def gives_up_waiting(call: Call) -> Answer:
    """Ask, and leave where nothing comes for a while."""
    caller = await call.dial()
    await caller.send(call.raw)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_SLOWLY_S * 10):
            return await caller.answer(call.method)
    caller.leave("reset")
    return _UNTOLD


_GONE, _NOTHING_SENT = Gets(0, end=End.NONE), Gets(0, end=End.NONE, attempts=0)
_SLOW = Gets(408, "request_timeout", attempts=0)
_HANGS = says(then="hang")
_DOWNLOAD = says(lines(OK, b"Content-Length: 100", body=b"hello"), then="hang")


_LEFT = "caller_left"
_CANCELLED, _FINISHED = "the call upstream is cancelled", "the call is finished: its status is in the access line"


def _leavers() -> Iterator[Case]:
    for how, word in (("close", "closes"), ("reset", "resets"), ("half", "closes its half")):
        waits, download = leaves(how, after_arrival=True), leaves_in_its_answer(how, 20)
        yield Case(f"the caller {word} before its request", Ask.READ, (answers,), _NOTHING_SENT, manner=leaves(how, 0), ended="")
        yield Case(f"the caller {word} in its head", Ask.CHANGE, (answers,), _NOTHING_SENT, manner=leaves(how, 40), ended="")
        in_upload = Case(f"the caller {word} in its upload", Ask.CHANGE, (answers,), _GONE, _CANCELLED, leaves_in_its_upload(how), ended=_LEFT)
        yield in_upload._replace(body=b"u" * 1000)
        yield Case(f"the caller {word} in the queue", Ask.CHANGE, (answers,), _NOTHING_SENT, manner=leaves_in_the_queue(how), ended=_LEFT)
        yield Case(f"the caller {word} before the answer", Ask.READ, (_HANGS,), _GONE, _CANCELLED, waits, ended=_LEFT)
        for ask in (Ask.CHANGE, Ask.SEND):
            finished = Case(f"the caller {word} before the answer", ask, (answers_when_left,), _GONE, _FINISHED, waits, ended=_LEFT)
            yield finished._replace(logged_status=200)
        yield Case(f"the caller {word} in the answer", Ask.READ, (_DOWNLOAD,), _GONE, _CANCELLED, download, ended=_LEFT, logged_status=200)


CASES: tuple[Case, ...] = (
    *_leavers(),
    Case("the caller never asks", Ask.READ, (answers,), _NOTHING_SENT, manner=never_asks, ended=""),
    Case("the caller's head comes too slowly", Ask.READ, (answers,), _SLOW, manner=sends_slowly(100, 100), ended=""),
    Case("the caller's head does not end", Ask.CHANGE, (answers,), _SLOW, manner=sends_slowly(100, 0), ended=""),
    Case("the caller's body comes slowly", Ask.CHANGE, (answers,), Gets(), manner=sends_slowly(10, 10), body=b"u" * 100),
    Case("the caller's body does not end", Ask.CHANGE, (answers,), _SLOW._replace(attempts=1), manner=sends_slowly(10, 5), body=b"u" * 100),
    Case("the caller never reads", Ask.READ, (answers_at_length,), Gets(end=End.CUT), "memory stays flat", manner=never_reads, ended=_LEFT),
    Case(
        "upstream sends chunks without end, the caller leaves", Ask.READ, (repeats(_CHUNK, 10**6),), _GONE, "memory stays flat",
        manner=leaves_in_its_answer("reset", 8 * MIB), ended=_LEFT, logged_status=200,
    ),
    Case("the way to the caller is slow", Ask.READ, (answers,), Gets(), manner=by_way_of(Fault(delay_s=0.001, piece_bytes=7))),
    Case(
        "the way to the caller is cut in the answer", Ask.READ, (_answers_10_kb,), Gets(end=End.CUT),
        manner=by_way_of(Fault(answer_bytes=5000)), ended="",
    ),
    Case(
        "the way to the caller is cut in the upload", Ask.CHANGE, (answers,), _GONE,
        manner=by_way_of(Fault(question_bytes=500, ends="freeze"), leaves("reset", after_arrival=True)), body=b"u" * 1000, ended=_LEFT,
    ),
    Case(
        "the way to the caller goes dead in the upload", Ask.CHANGE, (answers,), Gets(0, "request_timeout", end=End.NONE),
        manner=by_way_of(Fault(question_bytes=500, ends="freeze"), waits_for_its_line), body=b"u" * 1000, logged_status=408,
    ),
    Case(
        "the way to the caller goes dead in the head", Ask.CHANGE, (answers,), _NOTHING_SENT,
        manner=by_way_of(Fault(question_bytes=40, ends="freeze"), gives_up_waiting), ended="",
    ),
)  # fmt: skip
