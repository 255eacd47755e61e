"""Requests that were refused, or answers that were lost, although nothing was wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.wire.exchange import Exchange
from proxy.wire.framing import CHUNKED
from proxy.wire.head import RequestHead, ResponseHead
from proxy.wire.limits import ServerLimits
from proxy.wire.request_reader import RequestReader

if TYPE_CHECKING:
    from proxy.wire.head import Field, Refusal

LIMITS = ServerLimits(head_max_bytes=65_536)
POST = b"POST /v3/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class Read:
    """Counts what a reader finds."""

    def __init__(self) -> None:
        self.bodies: list[int] = []
        self.trailers: list[Field] = []
        self.refusal: Refusal | None = None

    def request_head(self, head: RequestHead) -> None:
        assert head.framing is CHUNKED
        self.bodies.append(0)

    def request_data(self, data: bytes) -> None:
        self.bodies[-1] += len(data)

    def request_end(self, trailers: list[Field]) -> None:
        self.trailers += trailers

    def request_refused(self, refusal: Refusal) -> None:
        self.refusal = refusal


def read(data: bytes, packet_bytes: int) -> Read:
    found = Read()
    reader = RequestReader(LIMITS, found)
    for start in range(0, len(data), packet_bytes):
        reader.feed(data[start : start + packet_bytes])
    return found


@pytest.mark.parametrize("packet_bytes", [1000, 65_536, 262_144])
def test_chunked_uploads_behind_each_other_are_not_taken_for_overhead(packet_bytes: int) -> None:
    body = b"".join(b"3e8\r\n" + b"x" * 1000 + b"\r\n" for _ in range(150)) + b"0\r\n\r\n"
    found = read((POST + body) * 3, packet_bytes)
    assert (found.bodies, found.refusal) == ([150_000] * 3, None)


def test_trailers_under_the_limit_are_counted_once() -> None:
    trailers = b"".join(b"X-%d: %b\r\n" % (number, b"v" * 2000) for number in range(20))
    found = read(POST + b"5\r\nhello\r\n0\r\n" + trailers + b"\r\n", 1000)
    assert (len(found.trailers), found.refusal) == (20, None)


def test_trailers_over_the_limit_are_refused() -> None:
    trailers = b"".join(b"X-%d: %b\r\n" % (number, b"v" * 2000) for number in range(60))
    assert read(POST + b"5\r\nhello\r\n0\r\n" + trailers + b"\r\n", 1000).refusal is not None


class Client:
    """A connection that takes everything."""

    def write(self, data: bytes) -> None: ...
    def exchange_finished(self, exchange: Exchange) -> None: ...
    def reset(self) -> None: ...
    def hold_body(self) -> None: ...
    def release_body(self) -> None: ...
    def wants_close(self) -> bool:
        return False


def test_a_client_that_waits_for_100_is_not_slow_until_it_was_told() -> None:
    head = RequestHead(b"POST", b"/v3/x", is_http_10=False, fields=[(b"expect", b"Expect", b"100-continue")])
    exchange = Exchange(Client(), head, None, 0.0)
    assert exchange.awaits_permission()
    exchange.inform(ResponseHead(100, b"Continue", is_http_10=False, fields=[]))
    assert not exchange.awaits_permission()


def test_a_client_that_does_not_wait_for_100_is_not_waited_for() -> None:
    head = RequestHead(b"POST", b"/v3/x", is_http_10=False, fields=[(b"expect", b"Expect", b"100-continue")])
    exchange = Exchange(Client(), head, None, 0.0)
    exchange.body.feed(b"x")
    assert not exchange.awaits_permission()
