"""Bodies pass piece by piece as they come, wait for the slower side, and do not pile up in memory."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from wire import strict
from wire.cases import CHUNKED, GET, HOST
from wire.stream import Stream, chunks, lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from wire.origin import Received
    from wire.rig import Rig

MIB = 1024 * 1024
EVENT_STREAM = lines(b"HTTP/1.1 200 OK", b"Content-Type: text/event-stream", CHUNKED)
GROWTH_BYTES = 20 * MIB
BLOCK = bytes(range(256)) * 256


def chunk(payload: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(payload), payload)


@pytest.mark.parametrize(
    ("head", "frame", "end"),
    [
        pytest.param(EVENT_STREAM, chunk, b"0\r\n\r\n", id="product: server-sent events in chunks"),
        pytest.param(lines(b"HTTP/1.1 200 OK", b"Content-Length: 30"), bytes, b"", id="9112-6.2 a body with a length"),
        pytest.param(lines(b"HTTP/1.1 200 OK"), bytes, b"", id="9112-6.3 a body until the connection ends"),
    ],
)
@pytest.mark.parametrize("target", [b"/v3/grants/g/messages/smart-compose", b"/delta/streaming?cursor=1"])
def test_every_piece_of_an_answer_arrives_before_the_next_is_sent(
    plain: Rig, target: bytes, head: bytes, frame: Callable[[bytes], bytes], end: bytes
) -> None:
    client = plain.dial()
    client.send(lines(b"GET " + target + b" HTTP/1.1", HOST))
    received = (plain.origin if target.startswith(b"/v3/") else plain.legacy).next_request()
    received.send(head)
    decoder = strict.response_body(client.head(), b"GET")
    for payload in (b"data: 1\n\n.", b"data: 2\n\n.", b"data: 3\n\n."):
        received.send(frame(payload))
        assert client.piece(decoder) == payload
    received.send(end)
    received.stream.close()
    assert client.piece(decoder) == b""


@pytest.mark.parametrize(
    ("framing", "frame", "end"),
    [
        pytest.param(CHUNKED, chunk, b"0\r\n\r\n", id="9112-7.1 in chunks"),
        pytest.param(b"Content-Length: 15", bytes, b"", id="9112-6.2 with a length"),
    ],
)
def test_every_piece_of_an_upload_arrives_before_the_next_is_sent(plain: Rig, framing: bytes, frame: Callable[[bytes], bytes], end: bytes) -> None:
    client = plain.dial()
    client.send(lines(b"POST /v3/x HTTP/1.1", HOST, framing))
    received = plain.origin.next_request()
    for payload in (b"first", b"secon", b"third"):
        client.send(frame(payload))
        assert received.piece() == payload
    client.send(end)
    received.answer()
    assert client.response().status == 200


def test_pieces_may_go_both_ways_at_once(plain: Rig) -> None:
    """RFC 9112 section 9.3: an answer may begin before the request has ended."""
    client = plain.dial()
    client.send(lines(b"POST /v3/x HTTP/1.1", HOST, CHUNKED))
    received = plain.origin.next_request()
    received.send(EVENT_STREAM)
    decoder = strict.response_body(client.head(), b"POST")
    for payload in (b"1", b"2", b"3"):
        client.send(chunk(payload))
        assert received.piece() == payload
        received.send(chunk(payload))
        assert client.piece(decoder) == payload
    client.send(b"0\r\n\r\n")
    assert received.body() == b""
    received.send(b"0\r\n\r\n")
    assert client.piece(decoder) == b""


def test_trailers_follow_a_body_that_came_in_pieces(plain: Rig) -> None:
    """RFC 9112 section 7.1.2, both ways: by then head and body have long passed."""
    client = plain.dial()
    client.send(lines(b"POST /v3/x HTTP/1.1", HOST, CHUNKED), chunk(b"up"))
    received = plain.origin.next_request()
    assert received.piece() == b"up"
    client.send(b"0\r\nX-Up: 1\r\n\r\n")
    assert (received.body(), received.trailers) == (b"", ((b"X-Up", b"1"),))
    received.send(EVENT_STREAM, chunk(b"down"))
    decoder = strict.response_body(client.head(), b"POST")
    assert client.piece(decoder) == b"down"
    received.send(b"0\r\nX-Down: 1\r\n\r\n")
    assert (client.body(decoder), decoder.trailers) == (b"", ((b"X-Down", b"1"),))


def repeat(stream: Stream, piece: bytes, count: int, end: bytes) -> None:
    """Send one piece many times."""
    for _ in range(count):
        stream.socket.sendall(piece)
    stream.send(end)


def count_bytes(piece: Callable[[], bytes]) -> int:
    """Read a body to its end without keeping it."""
    total_bytes = 0
    while payload := piece():
        total_bytes += len(payload)
    return total_bytes


FRAMINGS = [
    pytest.param(lambda size: b"Content-Length: %d" % size, bytes, b"", id="with a length"),
    pytest.param(lambda _: CHUNKED, chunk, b"0\r\n\r\n", id="in chunks"),
]


@pytest.mark.parametrize(("framing", "frame", "end"), FRAMINGS)
def test_a_download_of_50_mb_does_not_pile_up(plain: Rig, framing: Callable[[int], bytes], frame: Callable[[bytes], bytes], end: bytes) -> None:
    client = plain.dial()
    client.send(GET)
    received = plain.origin.next_request()
    before_bytes = plain.proxy.resident_bytes()
    plain.proxy.forget_peak()
    received.send(lines(b"HTTP/1.1 200 OK", framing(50 * MIB)))
    sending = plain.hands.submit(repeat, received.stream, frame(BLOCK), 800, end)
    decoder = strict.response_body(client.head(), b"GET")
    assert count_bytes(lambda: client.piece(decoder)) == 50 * MIB
    sending.result()
    assert plain.proxy.peak_bytes() - before_bytes < GROWTH_BYTES


@pytest.mark.parametrize(("framing", "frame", "end"), FRAMINGS)
def test_an_upload_of_25_mb_does_not_pile_up(plain: Rig, framing: Callable[[int], bytes], frame: Callable[[bytes], bytes], end: bytes) -> None:
    client = plain.dial()
    client.send(lines(b"POST /v3/x HTTP/1.1", HOST, framing(25 * MIB)))
    received = plain.origin.next_request()
    before_bytes = plain.proxy.resident_bytes()
    plain.proxy.forget_peak()
    sending = plain.hands.submit(repeat, client, frame(BLOCK), 400, end)
    assert count_bytes(received.piece) == 25 * MIB
    sending.result()
    received.answer()
    assert client.response().status == 200
    assert plain.proxy.peak_bytes() - before_bytes < GROWTH_BYTES


def send_until_blocked(stream: Stream, piece: bytes, limit_bytes: int) -> int:
    """Send until the other side has taken nothing for a while, or all is sent; return how much left."""
    sent_bytes = 0
    stream.socket.settimeout(0.3)
    with contextlib.suppress(TimeoutError):
        while sent_bytes < limit_bytes:
            sent_bytes += stream.socket.send(piece)
    return sent_bytes


def test_a_client_that_does_not_read_stops_upstream(plain: Rig) -> None:
    """Back-pressure: what is on the way is what the kernel's and the proxy's buffers hold, not the whole answer."""
    client = plain.dial()
    client.send(GET)
    received = plain.origin.next_request()
    received.send(lines(b"HTTP/1.1 200 OK", b"Content-Length: %d" % (100 * MIB)))
    before_bytes = plain.proxy.resident_bytes()
    assert send_until_blocked(received.stream, BLOCK, 50 * MIB) < 25 * MIB
    assert plain.proxy.resident_bytes() - before_bytes < GROWTH_BYTES
    other, response = plain.exchange(GET)  # nobody else waits
    assert (other.is_first, response.body) == (True, b"ok")


def test_an_upstream_that_does_not_read_stops_the_client(plain: Rig) -> None:
    client = plain.dial()
    client.send(lines(b"POST /v3/x HTTP/1.1", HOST, b"Content-Length: %d" % (100 * MIB)))
    plain.origin.next_request()
    before_bytes = plain.proxy.resident_bytes()
    assert send_until_blocked(client, BLOCK, 50 * MIB) < 25 * MIB
    assert plain.proxy.resident_bytes() - before_bytes < GROWTH_BYTES


def test_a_pipeline_behind_a_waiting_request_is_bounded(plain: Rig) -> None:
    """An endless head behind a request that hangs is not read without bound."""
    client = plain.dial()
    client.send(GET)
    plain.origin.next_request()
    before_bytes = plain.proxy.resident_bytes()
    with contextlib.suppress(ConnectionError):
        client.send(lines(b"GET /v3/x HTTP/1.1", HOST)[:-2])
        send_until_blocked(client, b"X-Endless: " + b"e" * 8192 + b"\r\n", 50 * MIB)
    assert plain.proxy.resident_bytes() - before_bytes < GROWTH_BYTES


@pytest.mark.parametrize("status", [b"200 OK", b"302 Found", b"404 Not Found", b"413 Content Too Large"])
@pytest.mark.parametrize(
    ("framing", "frame"), [pytest.param(b"Content-Length: 1000000", bytes, id="with a length"), pytest.param(CHUNKED, chunk, id="in chunks")]
)
def test_an_early_answer_is_relayed_at_once_and_ends_both_connections(
    plain: Rig, status: bytes, framing: bytes, frame: Callable[[bytes], bytes]
) -> None:
    """RFC 9112 section 9.3: upstream may answer before the upload is complete; what is left of it must not become a request."""
    client = plain.dial()
    client.send(lines(b"POST /v3/x HTTP/1.1", HOST, framing), frame(b"hello"))
    received = plain.origin.next_request()
    assert received.piece() == b"hello"
    received.send(lines(b"HTTP/1.1 " + status, b"Content-Length: 2", body=b"{}"))
    response = client.response()
    assert response.status == int(status[:3])
    assert response.value(b"connection") == b"close"
    assert client.is_closed()
    assert upload_ends(received)


def upload_ends(received: Received) -> bool:
    """Tell whether the proxy ends the connection without having completed the request."""
    return received.stream.is_closed() and not received.decoder.finished


def test_a_client_still_uploading_gets_the_early_answer(plain: Rig) -> None:
    """RFC 9112 section 9.6: closing at once would reset the connection, and the answer would be lost on its way."""
    client = plain.dial()
    client.send(lines(b"POST /v3/x HTTP/1.1", HOST, b"Content-Length: 1000000"), b"hello")
    received = plain.origin.next_request()
    received.send(lines(b"HTTP/1.1 413 Content Too Large", b"Content-Length: 2", body=b"{}"))
    client.send(BLOCK, BLOCK)
    assert client.response().status == 413


def test_a_multipart_upload_passes_byte_for_byte(plain: Rig) -> None:
    body = b"--b\r\nContent-Disposition: form-data; name=file\r\n\r\n" + BLOCK * 16 + b"\r\n--b--\r\n"
    fields = (b"Content-Type: multipart/form-data; boundary=b", CHUNKED)
    client = plain.dial()
    client.send(lines(b"POST /v3/x HTTP/1.1", HOST, *fields, body=chunks([body[:7], body[7:]])))
    received = plain.origin.next_request()
    assert received.body() == body
    received.answer()
    assert client.response().status == 200
