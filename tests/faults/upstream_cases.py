"""Upstream fails: while a connection is made, before, in and after the head of its answer, in uploads, and on kept connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wire.cases import CHUNKED
from wire.stream import lines

from faults.caller import End
from faults.case import Ask, Case, Gets, answers
from faults.relay import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults.peer import Act, Visit

OK = b"HTTP/1.1 200 OK"
MIB = 1024 * 1024
_CUT = Gets(200, end=End.CUT)
_TRICKLES_S = 0.02


def says(*pieces: bytes, then: str, reads: bool = True) -> Act:
    """An act: read the request, send these bytes, then `reset`, `close` (FIN), or `hang` until the proxy gives up."""

    async def act(visit: Visit) -> None:
        if reads:
            await visit.body()
        await visit.say(*pieces)
        await visit.end(then)

    return act


def repeats(pieces: bytes, count: int) -> Act:
    """An act: send the same again and again, as long as the proxy takes it."""

    async def act(visit: Visit) -> None:
        await visit.body()
        await visit.say(lines(OK, CHUNKED)) if pieces.startswith(b"4000\r\n") else await visit.say(OK + b"\r\n")
        for _ in range(count):
            await visit.say(pieces)
        await visit.until_left()

    return act


async def answers_too_long(visit: Visit) -> None:
    """The answer is followed by bytes that its length does not cover."""
    await visit.body()
    visit.play.whole.add(b"hello")
    await visit.say(lines(OK, b"Content-Length: 5", body=b"hello world"))
    await visit.until_left()


async def answers_until_close(visit: Visit) -> None:
    """Only the end of the connection ends the answer, and it is a clean one."""
    await visit.body()
    visit.play.whole.add(b"hello")
    await visit.say(lines(OK, body=b"hello"))
    await visit.close()


async def leaves_without_goodbye(visit: Visit) -> None:
    """Only the end of the connection ends the answer, and TLS does not vouch for it (RFC 9112 section 9.8)."""
    await visit.body()
    await visit.say(lines(OK, body=b"hello"))
    visit.vanish()


async def refuses_the_upload(visit: Visit) -> None:
    """The answer comes before the upload is read, and the connection ends with it."""
    await visit.say(lines(b"HTTP/1.1 413 Too Large", b"Content-Length: 0", b"Connection: close"))
    await visit.close()


def _lost(fault: str, act: Act, status: int, cause: str) -> Iterator[Case]:
    """A first attempt of which nobody knows what came of it: what may be repeated is, and succeeds."""
    for ask, gets in ((Ask.READ, Gets(attempts=2)), (Ask.CHANGE, Gets(status, cause)), (Ask.SEND, Gets(attempts=2))):
        yield Case(fault, ask, (act, answers), gets, f'`nylas_proxy_upstream_attempts_total{{status="{cause}"}}`')


def _cut(fault: str, act: Act) -> Iterator[Case]:
    """An answer that breaks off after its head was passed on."""
    for ask in (Ask.READ, Ask.CHANGE):
        yield Case(fault, ask, (act,), _CUT, '`nylas_proxy_requests_unfinished_total{ended="cut"}`', ended="cut")


def _once(fault: str, act: Act, ask: Ask, gets: Gets, body: bytes = b"{}") -> Iterator[Case]:
    yield Case(fault, ask, (act,), gets, body=body)


def _no_way_in(fault: str, door: Fault, gets: Gets, attempts: tuple[int, int, int], *, refuses: bool = False) -> Iterator[Case]:
    """No connection comes about, whatever is tried."""
    for ask, count in zip((Ask.READ, Ask.CHANGE, Ask.SEND), attempts, strict=True):
        yield Case(fault, ask, (answers,), gets._replace(attempts=count), "two attempts", door=door, refuses=refuses)


def _stale(fault: str, act: Act) -> Iterator[Case]:
    """A kept connection that ends when a request has just gone out on it."""
    for ask, gets in ((Ask.READ, Gets(attempts=2)), (Ask.CHANGE, Gets(502, "upstream_broke_off")), (Ask.SEND, Gets(attempts=2))):
        yield Case(fault, ask, (act, answers), gets, is_warm=True)


def _no_tls(fault: str, door: Fault, attempts: int = 0) -> Iterator[Case]:
    for ask in (Ask.READ_BY_TLS, Ask.CHANGE_BY_TLS):
        yield Case(fault, ask, (answers,), Gets(502, "upstream_unreachable", attempts), "two attempts", door=door)


_BROKE, _MALFORMED, _SILENT = (502, "upstream_broke_off"), (502, "upstream_malformed"), (504, "response_timeout")
_UNREACHABLE = Gets(502, "upstream_unreachable")
_LONG = b"u" * 100_000
_HALF = 50_000
_DEAD_IN_THE_REQUEST = Fault(question_bytes=_HALF, ends="freeze")
_HEAD = lines(OK, b"Content-Length: 10")
_CHUNKED_HEAD = lines(OK, CHUNKED)

CASES: tuple[Case, ...] = (
    *_no_way_in("upstream refuses connections", Fault(), _UNREACHABLE, (0, 0, 0), refuses=True),
    *_no_way_in("upstream accepts connections and resets them", Fault("reset"), Gets(502, "upstream_unreachable upstream_broke_off"), (0, 0, 0)),
    *_no_way_in("upstream accepts connections and takes nothing in", Fault("mute"), Gets(*_SILENT), (2, 1, 2)),
    *_no_tls("upstream never shakes hands for TLS", Fault("mute")),
    *_no_tls("upstream speaks no TLS", Fault(greeting=b"220 mail.example ESMTP\r\n")),
    *_no_tls("upstream resets within the handshake of TLS", Fault(answer_bytes=100)),
    *_no_tls("upstream stops within the handshake of TLS", Fault(answer_bytes=100, ends="freeze")),
    *_lost("upstream resets before its head", says(then="reset"), *_BROKE),
    *_lost("upstream closes before its head", says(then="close"), *_BROKE),
    *_lost("upstream resets in its head", says(b"HTTP/1.1 200 OK\r\nContent-Le", then="reset"), *_BROKE),
    *_lost("upstream closes in its head", says(b"HTTP/1.1 200 OK\r\nContent-Le", then="close"), *_BROKE),
    *_lost("upstream closes after an interim answer", says(b"HTTP/1.1 103 Early Hints\r\n\r\n", then="close"), *_BROKE),
    *_lost("upstream answers something that is no HTTP", says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", then="hang"), *_MALFORMED),
    *_lost("upstream answers with a length and chunks", says(lines(OK, b"Content-Length: 5", CHUNKED, body=b"0\r\n\r\n"), then="hang"), *_MALFORMED),
    *_lost("upstream answers with two lengths", says(lines(OK, b"Content-Length: 5", b"Content-Length: 6", body=b"hello"), then="hang"), *_MALFORMED),
    *_lost("upstream switches protocols unasked", says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: a\r\n\r\n", then="hang"), *_MALFORMED),
    *_lost("upstream's head has an endless field", says(OK + b"\r\nX-Long: " + b"v" * MIB, then="hang"), *_MALFORMED),
    *_lost("upstream's head has fields without end", repeats(b"X-A: 1\r\n" * 100, 1000), *_MALFORMED),
    *_lost("upstream's head has a thousand fields", says(lines(OK, *[b"A: 1"] * 1000), then="hang"), *_MALFORMED),
    *_lost("upstream never answers", says(then="hang"), *_SILENT),
    *_lost("upstream stops in its head", says(b"HTTP/1.1 200 OK\r\nX-A: 1\r\n", then="hang"), *_SILENT),
    *_lost("upstream gives interim answers and no other", says(b"HTTP/1.1 103 Early Hints\r\n\r\n", then="hang"), *_SILENT),
    *_stale("upstream closes a kept connection at the moment of its reuse", says(then="close")),
    *_stale("upstream resets a kept connection at the moment of its reuse", says(then="reset")),
    *_cut("upstream closes short of its length", says(_HEAD + b"hello", then="close")),
    *_cut("upstream resets short of its length", says(_HEAD + b"hello", then="reset")),
    *_cut("upstream stops short of its length", says(_HEAD + b"hello", then="hang")),
    *_cut("upstream closes between chunks", says(_CHUNKED_HEAD + b"5\r\nhello\r\n", then="close")),
    *_cut("upstream resets in a chunk", says(_CHUNKED_HEAD + b"5\r\nhel", then="reset")),
    *_cut("upstream stops between chunks", says(_CHUNKED_HEAD + b"5\r\nhello\r\n", then="hang")),
    *_cut("upstream sends a chunk of no readable size", says(_CHUNKED_HEAD, b"5\r\nhello\r\nzz\r\n", then="hang")),
    *_cut("upstream resets in a body that its close would end", says(lines(OK, body=b"hello"), then="reset")),
    *_cut("upstream stops in a body that its close would end", says(lines(OK, body=b"hello"), then="hang")),
    Case("upstream's close ends the body without TLS's goodbye", Ask.READ_BY_TLS, (leaves_without_goodbye,), _CUT, ended="cut"),
    *_once("upstream sends more than its length", answers_too_long, Ask.READ, Gets()),
    *_once("upstream's close ends the body", answers_until_close, Ask.READ, Gets()),
    *_once("upstream answers before an upload is read", refuses_the_upload, Ask.CHANGE, Gets(413, "payload_too_large"), b"u" * 3 * MIB),
    *_once("upstream resets in an upload", says(then="reset", reads=False), Ask.CHANGE, Gets(*_BROKE), b"u" * 3 * MIB),
    *_once("upstream takes nothing of an upload", says(then="hang", reads=False), Ask.CHANGE, Gets(*_SILENT), b"u" * 3 * MIB),
    Case("upstream's answer comes a byte at a time", Ask.READ, (answers,), Gets(), door=Fault(delay_s=0.0005, piece_bytes=1)),
    Case("upstream's head comes too slowly", Ask.CHANGE, (answers,), Gets(*_SILENT), door=Fault(delay_s=_TRICKLES_S, piece_bytes=1)),
    Case("the way to upstream is cut in the request", Ask.CHANGE, (answers,), Gets(*_BROKE), body=_LONG, door=Fault(question_bytes=_HALF)),
    Case("the way to upstream goes dead in the request", Ask.CHANGE, (answers,), Gets(*_SILENT), body=_LONG, door=_DEAD_IN_THE_REQUEST),
    Case("the way to upstream is half closed in the answer", Ask.CHANGE, (answers,), _CUT, door=Fault(answer_bytes=40, ends="half"), ended="cut"),
)
