"""Uploads in parts, and the ways in which an upstream ends a call before it has answered it for good."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from wire.cases import CHUNKED, HOST
from wire.stream import chunks, lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from wire.origin import Received

    Frame = Callable[[bytes, int], tuple[bytes, bytes, bytes]]

UNAVAILABLE = lines(b"HTTP/1.1 503 Service Unavailable", b"Content-Length: 5", body=b"later")
TRAILER = b"X-Sum: 1"
BODY = random.Random(5).randbytes(300_000)


def in_length(body: bytes, cut: int) -> tuple[bytes, bytes, bytes]:
    """A head, and the body with a length in two parts."""
    return lines(b"POST /v3/x HTTP/1.1", HOST, b"Content-Length: %d" % len(body)), body[:cut], body[cut:]


def in_chunks(body: bytes, cut: int) -> tuple[bytes, bytes, bytes]:
    """The same, chunked, with a trailer."""
    raw = chunks([piece for piece in (body[:cut], body[cut:]) if piece], TRAILER)
    first = len(chunks([body[:cut]])) - 5 if cut else 0
    return lines(b"POST /v3/x HTTP/1.1", HOST, CHUNKED, b"Trailer: X-Sum"), raw[:first], raw[first:]


FRAMES = pytest.mark.parametrize("frame", [pytest.param(in_length, id="with a length"), pytest.param(in_chunks, id="in chunks")])


def read_exactly(received: Received, count: int) -> bytes:
    """So much of a body, which has come or is coming."""
    payload = b""
    while len(payload) < count:
        piece = received.piece()
        assert piece, "the body ended early"
        payload += piece
    return payload


def assert_all_of_it(received: Received, body: bytes, *, already: bytes = b"") -> None:
    """The upstream has got this body to its end, with its trailer where it has one."""
    assert already + received.body() == body
    assert received.trailers == (((b"X-Sum", b"1"),) if received.head.value(b"transfer-encoding") else ())


def resets(received: Received) -> None:
    received.stream.reset()


def closes(received: Received) -> None:
    received.stream.finish_sending()


def says_503(received: Received) -> None:
    received.send(UNAVAILABLE)


def says_503_and_closes(received: Received) -> None:
    received.send(UNAVAILABLE)
    received.stream.close()


ENDS = [resets, closes, says_503, says_503_and_closes]
