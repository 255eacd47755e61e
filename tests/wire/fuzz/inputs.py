"""What is thrown at the proxy: input number `index` of a seed is always the same bytes in the same packets."""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from wire.fuzz.mutation import cut, mutate
from wire.fuzz.reading import Answer, read_answer
from wire.stream import chunks, lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from wire.fuzz.reading import Request

UNCHANGED_SHARE = 0.1
STAYING_SHARE = 0.05
EARLY_SHARE = 0.5
LONG_BODY_BYTES = 60_000
PATHS = (
    b"/v3/grants/%b/messages?limit=1",
    b"/v3/grants/%b/messages/a%%2Fb",
    b"//v3/%b",
    b"http://other.example/v3/%b?a=b",
    b"/v3/%b/../x",
    b"/messages/%b?a=&b;c",
)
_MORE_FIELDS = (
    b"Accept: */*",
    b"X-Utf8: caf\xc3\xa9",
    b"X-Empty:",
    b"Cookie: a=1",
    b"Cookie: b=2",
    b"Connection: X-Named",
    b"X-Named: 1",
    b"TE: trailers",
)


class Kind(Enum):
    """Which side is mutated."""

    REQUEST = auto()
    PIPELINE = auto()
    RESPONSE = auto()


@dataclass(slots=True)
class Input:
    """One exchange to play.

    Attributes:
        marker: Stands in every part of it, so that whatever arrives anywhere can be told to be its.
        request: What the client sends, packet by packet.
        response: What upstream sends, packet by packet; empty: a good answer.
        expected: What upstream's bytes mean to a strict reader.
        upstream_stays: Upstream keeps an ended connection open, so that only a time-out ends the exchange.
        is_early: Upstream answers when it has the head; the body is long.
        arrived: What upstream got of it.
    """

    index: int
    kind: Kind
    marker: bytes
    mutated: bool
    request: tuple[bytes, ...]
    response: tuple[bytes, ...] = ()
    expected: Answer | None = None
    upstream_stays: bool = False
    is_early: bool = False
    arrived: list[Request] = field(default_factory=list)

    @property
    def raw_request(self) -> bytes:
        return b"".join(self.request)


def marker_of(index: int) -> bytes:
    """The marker of input `index`; with a check sum, so that a mutated one is not taken for another's."""
    return b"fz%08d-%08x" % (index, zlib.crc32(b"%d" % index))


def make(seed: int, index: int) -> Input:
    """Input `index` of this seed."""
    rng = random.Random(f"{seed}/{index}")
    makers: tuple[Callable[[int, random.Random], Input], ...] = (_request, _request, _pipeline, _response, _response)
    return rng.choice(makers)(index, rng)


def _maybe_mutate(raw: bytes, rng: random.Random) -> tuple[bytes, bool]:
    if rng.random() < UNCHANGED_SHARE:
        return raw, False
    return mutate(raw, rng), True


def _request(index: int, rng: random.Random) -> Input:
    marker = marker_of(index)
    raw, mutated = _maybe_mutate(_valid_request(marker, 0, rng), rng)
    return Input(index, Kind.REQUEST, marker, mutated, cut(raw + _last_request(marker, 1), rng))


def _pipeline(index: int, rng: random.Random) -> Input:
    marker = marker_of(index)
    count = rng.randint(2, 6)
    raw, mutated = _maybe_mutate(b"".join(_valid_request(marker, part, rng) for part in range(count)), rng)
    return Input(index, Kind.PIPELINE, marker, mutated, cut(raw + _last_request(marker, count), rng))


def _response(index: int, rng: random.Random) -> Input:
    marker = marker_of(index)
    method = rng.choice((b"GET", b"GET", b"POST", b"HEAD"))
    raw, mutated = _maybe_mutate(_valid_response(marker, method, rng), rng)
    expected = read_answer(raw, method)
    pieces = _keep_excess_together(cut(raw, rng), expected.end)
    can_be_early = method == b"POST" and not expected.ends_connection and not expected.is_malformed
    early = can_be_early and rng.random() < EARLY_SHARE
    payload = b"body" * (LONG_BODY_BYTES // 4 if early else 1) if method == b"POST" else b""
    fields = [b"Host: a", b"Connection: close", b"X-Fuzz: " + marker, *([b"Content-Length: %d" % len(payload)] if payload else [])]
    request = cut(lines(method + b" /v3/grants/g/%b HTTP/1.1" % marker, *fields, body=payload), rng)
    return Input(index, Kind.RESPONSE, marker, mutated, request, pieces or (b"",), expected, rng.random() < STAYING_SHARE, early)


def _keep_excess_together(pieces: tuple[bytes, ...], end: int) -> tuple[bytes, ...]:
    """Put what follows a complete answer into the packet of its end: later it could not be told from the answer to another request."""
    kept: list[bytes] = []
    length = 0
    for piece in pieces:
        if kept and length >= end:
            kept[-1] += piece
        else:
            kept.append(piece)
        length += len(piece)
    return tuple(kept)


def _valid_request(marker: bytes, part: int, rng: random.Random) -> bytes:
    method = rng.choice((b"GET", b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"))
    line = b"%b %b HTTP/1.1" % (method, rng.choice(PATHS) % marker)
    fields = [b"Host: a", b"X-Fuzz: " + marker, b"X-Part: %d" % part, *_more_fields(rng)]
    payload = marker + rng.randbytes(rng.choice((0, 1, 10, 300)))
    framing = rng.choice(("none", "length", "chunked")) if method not in {b"PUT", b"POST"} else rng.choice(("length", "chunked"))
    if framing == "length":
        return lines(line, *fields, b"Content-Length: %d" % len(payload), body=payload)
    if framing == "chunked":
        return lines(line, *fields, b"Transfer-Encoding: chunked", body=_chunked(payload, rng))
    return lines(line, *fields)


def _more_fields(rng: random.Random) -> list[bytes]:
    return rng.sample(_MORE_FIELDS, rng.randint(0, 3))


def _chunked(payload: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(payload) + 1)
    return chunks([part for part in (payload[:at], payload[at:]) if part], *rng.choice(((), (), (b"X-Trailer: 1",))))


def _last_request(marker: bytes, part: int) -> bytes:
    return lines(b"GET /v3/%b/last HTTP/1.1" % marker, b"Host: a", b"X-Fuzz: " + marker, b"X-Part: %d" % part, b"Connection: close")


def _valid_response(marker: bytes, method: bytes, rng: random.Random) -> bytes:
    status = rng.choice((b"200 OK",) * 6 + (b"201 Created", b"204 No Content", b"304 Not Modified", b"404 Not Found", b"429 Too Many", b"502 Bad"))
    interim = rng.choice((b"",) * 4 + (lines(b"HTTP/1.1 103 Early Hints", b"Link: </a>"), b"HTTP/1.1 100 Continue\r\n\r\n"))
    line = b"HTTP/1.%d %b" % (rng.choice((1, 1, 1, 0)), status)
    fields = [b"X-Fuzz: " + marker, b"Content-Type: application/json", *rng.sample((b"Set-Cookie: a=1", b"Set-Cookie: b=2", b"X-Empty:"), 2)]
    payload = b'{"message": "%b"}' % marker + b" " * rng.choice((0, 1, 500))
    has_body = method != b"HEAD" and status[:3] not in {b"204", b"304"}
    framing = rng.choice(("length", "chunked", "close")) if line.startswith(b"HTTP/1.1") else rng.choice(("length", "close"))
    if not has_body:
        return interim + lines(line, *fields)
    if framing == "length":
        return interim + lines(line, *fields, b"Content-Length: %d" % len(payload), body=payload)
    if framing == "chunked":
        return interim + lines(line, *fields, b"Transfer-Encoding: chunked", body=_chunked(payload, rng))
    return interim + lines(line, *fields, body=payload)
