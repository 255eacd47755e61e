"""What a case of the fault programme is: a fault, and what the caller gets and the operator sees of it, as data."""

from __future__ import annotations

import asyncio
import contextlib
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from wire.stream import lines

from faults.caller import Answer, Caller, End
from faults.peer import CALL, Play
from faults.relay import NO_FAULT, Fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from faults.peer import Act, Visit
    from faults.stand import Stand

    Manner = Callable[["Call"], Awaitable[Answer]]


class Ask(StrEnum):
    """A request, by how far it may be repeated."""

    READ = "a read"
    CHANGE = "a change"
    SEND = "a send"
    READ_BY_TLS = "a read by TLS"
    CHANGE_BY_TLS = "a change by TLS"


_FIRST_ERROR_STATUS = 400
_LINES = {
    Ask.READ: b"GET /v3/grants/%b/messages HTTP/1.1",
    Ask.CHANGE: b"POST /v3/grants/%b/events HTTP/1.1",
    Ask.SEND: b"POST /v3/grants/%b/messages/send HTTP/1.1",
    Ask.READ_BY_TLS: b"GET /messages?grant=%b HTTP/1.1",
    Ask.CHANGE_BY_TLS: b"POST /events?grant=%b HTTP/1.1",
}


class Gets(NamedTuple):
    """What becomes of a call.

    Attributes:
        status: What the caller is told; 0 where it is told nothing.
        cause: The cause of an error; several where the order of events decides, separated by a blank.
        attempts: How many requests come to upstream, complete or not.
        end: How the answer ends.
        waits_s: The shortest and the longest Retry-After that it may be told; None where it is told none.
    """

    status: int = 200
    cause: str = ""
    attempts: int = 1
    end: End = End.WHOLE
    waits_s: tuple[int, int] | None = None


class Case(NamedTuple):
    """One fault that befalls one call.

    Attributes:
        fault: What happens, as it stands in the documentation.
        ask: What is asked.
        acts: What upstream does to the first attempt, the second, and so on.
        gets: What becomes of it.
        sees: What the operator sees besides the access line.
        manner: How the caller behaves.
        body: Of a change or a send.
        fields: Further fields of the request.
        door: What befalls the way to upstream meanwhile; everyone on it suffers.
        refuses: Upstream accepts no connection meanwhile.
        is_warm: There is an idle connection to upstream that it will come by.
        ended: How the access line says that it ended; empty where there is none.
        logged_status: The status in the access line of a caller that was told nothing.
    """

    fault: str
    ask: Ask
    acts: tuple[Act, ...]
    gets: Gets
    sees: str = ""
    manner: Manner | None = None
    body: bytes = b"{}"
    fields: tuple[bytes, ...] = ()
    door: Fault = NO_FAULT
    refuses: bool = False
    is_warm: bool = False
    ended: str = "complete"
    logged_status: int = 0

    @property
    def name(self) -> str:
        """The id of its test."""
        return f"{self.fault} - {self.ask}"

    @property
    def is_alone(self) -> bool:
        """It changes the world for others, so that none can run beside it."""
        return self.door != NO_FAULT or self.refuses or self.is_warm


class Call(NamedTuple):
    """A case under way.

    Attributes:
        stand: Where.
        name: Its id.
        grant: Its mailbox, which no other call has.
        play: What upstream does and sees.
        raw: The request.
        method: Its method.
        body_bytes: How many of the last bytes of the request are its body.
        port: Where its caller connects to.
        callers: The connections that it made.
    """

    stand: Stand
    name: bytes
    grant: bytes
    play: Play
    raw: bytes
    method: bytes
    body_bytes: int
    port: int
    callers: list[Caller]

    async def dial(self, *, takes_little: bool = False) -> Caller:
        """Connect to the proxy, or to what stands before it."""
        self.callers.append(await Caller.dial(self.port, takes_little=takes_little))
        return self.callers[-1]


def begin(stand: Stand, ask: Ask, acts: tuple[Act, ...], *, body: bytes = b"{}", fields: tuple[bytes, ...] = (), grant: bytes = b"") -> Call:
    """Register a call: nothing is sent yet."""
    play = Play(acts)
    name, own_grant = stand.new_call(play)
    line = _LINES[ask] % (grant or own_grant)
    is_read = line.startswith(b"GET")
    own = (b"Host: proxy", CALL + b": " + name, b"X-Request-Id: " + name, b"Authorization: Bearer " + (grant or own_grant))
    length = () if is_read else (b"Content-Type: application/json", b"Content-Length: %d" % len(body))
    body = b"" if is_read else body
    raw = lines(line, *own, *length, *fields, body=body)
    return Call(stand, name, grant or own_grant, play, raw, line.split(b" ", 1)[0], len(body), stand.port, [])


async def asks_and_reads(call: Call) -> Answer:
    """Send everything, read the answer, leave."""
    caller = await call.dial()
    sending = asyncio.ensure_future(caller.send(call.raw))
    try:
        return await caller.answer(call.method)
    finally:
        sending.cancel()
        caller.leave("close")


@contextlib.asynccontextmanager
async def _world(stand: Stand, case: Case) -> AsyncIterator[None]:
    """What befalls everyone while the case is played."""
    door = stand.tls_door if "TLS" in case.ask else stand.door
    if case.is_alone and not case.is_warm:
        door.hang_up("close")  # nobody comes by an old connection
    door.fault = case.door
    if case.refuses:
        await door.refuse()
    try:
        yield
    finally:
        door.fault = NO_FAULT
        await door.listen()
        if case.door != NO_FAULT:
            door.hang_up("reset")


async def play(stand: Stand, case: Case) -> tuple[Call, Answer]:
    """Play a case; returns the call and what its caller got."""
    if case.is_warm:
        await asks_and_reads(begin(stand, Ask.READ, (answers,)))
    async with _world(stand, case):
        call = begin(stand, case.ask, case.acts, body=case.body, fields=case.fields)
        try:
            return call, await (case.manner or asks_and_reads)(call)
        finally:
            for caller in call.callers:
                caller.leave("reset")


async def answers(visit: Visit) -> None:
    """Upstream does what it should."""
    await visit.answer()


def judge(call: Call, case: Case, answer: Answer) -> list[str]:
    """What is not as documented, in sentences."""
    gets, found = case.gets, []
    attempts = attempts_of(call)
    if (answer.end, answer.status) != (gets.end, gets.status):
        found.append(f"the caller got {answer.status}, {answer.end}, not {gets.status}, {gets.end}: {answer.cause} {answer.body[:200]!r}")
    if answer.head is not None and answer.cause not in (gets.cause.split() or [""]):
        found.append(f"its cause is {answer.cause!r}, not {gets.cause!r}")
    if not _waits_as_told(gets.waits_s, answer.value(b"retry-after")):
        found.append(f"it was told to wait {answer.value(b'retry-after')!r}, not {gets.waits_s}")
    if attempts != gets.attempts:
        found.append(f"{attempts} requests came to upstream, not {gets.attempts}")
    if call.play.doubles:
        found.append(f"it took effect {call.play.doubles} times too often")
    if answer.end is End.WHOLE and 0 < answer.status < _FIRST_ERROR_STATUS and answer.body not in call.play.whole:
        found.append("it looks complete, and upstream has never sent it to its end")
    if answer.value(b"x-evil"):
        found.append("upstream's words became a field")
    return found + _judge_line(call, case, answer)


def attempts_of(call: Call) -> int:
    """How many requests of a call came to upstream, or to a way there that had gone dead."""
    doors = (call.stand.door, call.stand.tls_door)
    return len(call.play.arrivals) + sum(door.swallowed.count(call.name + b"\r\nX-Request-Id") for door in doors)


def _waits_as_told(allowed_s: tuple[int, int] | None, told: bytes) -> bool:
    if allowed_s is None:
        return told == b""
    return told.isdigit() and allowed_s[0] <= int(told) <= allowed_s[1]


def _judge_line(call: Call, case: Case, answer: Answer) -> list[str]:
    """What is wrong with the access line."""
    if not case.ended:
        return []
    line = call.stand.proxy.logged_request((answer.value(b"x-request-id") or call.name).decode())
    wanted, cause = case.gets.status or case.logged_status, line.get("cause", "")
    if (line["status"], line["ended"]) == (wanted, case.ended) and cause in (case.gets.cause.split() or [""]):
        return []
    return [f"the access line says {line['status']} {line['ended']} {cause!r}, not {wanted} {case.ended} {case.gets.cause!r}"]
