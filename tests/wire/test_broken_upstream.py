"""Whatever upstream does wrong becomes one clear error, or an end that nobody takes for a complete answer."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from wire import strict
from wire.cases import CHUNKED, GET, GET_AND_POST, by_name
from wire.rig import cause, running
from wire.stream import BrokenOff, Stream, chunks, lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wire.process import Settings
    from wire.rig import Rig


def ok(*fields: bytes, body: bytes = b"", line: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return lines(line, *fields, body=body)


MALFORMED = {
    "9112-6.3 CL and TE": ok(b"Content-Length: 5", CHUNKED, body=chunks([b"hello"])),
    "9112-6.3 TE and CL": ok(CHUNKED, b"Content-Length: 5", body=chunks([b"hello"])),
    "9112-6.3 CL twice, different": ok(b"Content-Length: 5", b"Content-Length: 6", body=b"hello"),
    "9112-6.3 CL as a list of two": ok(b"Content-Length: 5, 6", body=b"hello"),
    "9110-8.6 CL is no number": ok(b"Content-Length: abc", body=b"hello"),
    "9110-8.6 CL negative": ok(b"Content-Length: -5", body=b"hello"),
    "9110-8.6 CL with a plus": ok(b"Content-Length: +5", body=b"hello"),
    "9110-8.6 CL over 64 bits": ok(b"Content-Length: 18446744073709551621", body=b"hello"),
    "9112-6.1 coding gzip": ok(b"Transfer-Encoding: gzip", body=b"hello"),
    "9112-6.1 coding gzip, chunked": ok(b"Transfer-Encoding: gzip, chunked", body=chunks([b"hello"])),
    "9112-6.1 coding chunked, gzip": ok(b"Transfer-Encoding: chunked, gzip", body=chunks([b"hello"])),
    "9112-6.1 coding identity": ok(b"Transfer-Encoding: identity", body=b"hello"),
    "9112-6.1 chunked twice": ok(CHUNKED, CHUNKED, body=chunks([b"hello"])),
    "9110-15 status 099": ok(b"Content-Length: 0", line=b"HTTP/1.1 099 Low"),
    "9110-15 status 600": ok(b"Content-Length: 0", line=b"HTTP/1.1 600 High"),
    "9110-15 status 999": ok(b"Content-Length: 0", line=b"HTTP/1.1 999 High"),
    "9112-4 status of two digits": ok(b"Content-Length: 0", line=b"HTTP/1.1 20 OK"),
    "9112-4 status of four digits": ok(b"Content-Length: 0", line=b"HTTP/1.1 2000 OK"),
    "9112-4 status of letters": ok(b"Content-Length: 0", line=b"HTTP/1.1 abc OK"),
    "9110-15.2.2 101 that nobody asked for": ok(b"Connection: Upgrade", b"Upgrade: websocket", line=b"HTTP/1.1 101 Switching Protocols"),
    "9110-15.2.2 101 without Upgrade": ok(line=b"HTTP/1.1 101 Switching Protocols"),
    "9112-2.3 HTTP/2.0": ok(b"Content-Length: 0", line=b"HTTP/2.0 200 OK"),
    "9112-2.3 HTTP/0.9": ok(b"Content-Length: 0", line=b"HTTP/0.9 200 OK"),
    "9112-2.3 another protocol": ok(b"Content-Length: 0", line=b"ICY 200 OK"),
    "9112-4 no HTTP at all": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "9112-4 a body without a head": b"<html>hello</html>\r\n\r\n",
    "9110-5.5 NUL in a value": ok(b"X-A: 1\x002", b"Content-Length: 0"),
    "9110-5.5 control byte in a value": ok(b"X-A: 1\x012", b"Content-Length: 0"),
    "9112-4 control byte in the reason": ok(b"Content-Length: 0", line=b"HTTP/1.1 200 O\x01K"),
    "9112-5 field without a colon": ok(b"X-A", b"Content-Length: 0"),
    "9112-5 field without a name": ok(b": 1", b"Content-Length: 0"),
    "9112-5.1 blank before the colon": ok(b"Content-Length : 5", body=b"hello"),
    "9110-5.6.2 blank in a name": ok(b"X A: 1", b"Content-Length: 0"),
    "9112-5.2 obs-fold": ok(b"X-A: 1", b" 2", b"Content-Length: 0"),
    "9112-2.2 bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "9112-2.2 bare CR in a value": ok(b"X-A: 1\rX-B: 2", b"Content-Length: 0"),
    "product: head over the limit": ok(b"X-Long: " + b"v" * 70000, b"Content-Length: 0"),
    "product: endless head": b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 20000,
    "product: endless status line": b"HTTP/1.1 200 " + b"O" * 70000,
}


@pytest.mark.parametrize("raw", by_name(MALFORMED))
def test_an_unreadable_head_becomes_a_502(plain: Rig, raw: bytes) -> None:
    client = plain.dial()
    client.send(GET)
    received = plain.origin.next_request()
    with contextlib.suppress(ConnectionError):  # the proxy need not take all of it
        received.send(raw)
    assert cause(client.response()) == (502, "upstream_malformed")
    assert received.stream.is_closed()
    client.send(GET)  # the client's connection is as good as before
    plain.origin.next_request().answer()
    assert client.response().body == b"ok"


BROKEN_HEADS = {
    "9112-8 closed without a byte": b"",
    "9112-8 closed in the status line": b"HTTP/1.1 200",
    "9112-8 closed in a field": b"HTTP/1.1 200 OK\r\nContent-Le",
    "9112-8 closed before the empty line": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
    "9112-8 closed after an interim answer": b"HTTP/1.1 103 Early Hints\r\n\r\n",
}


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("request_bytes", by_name(GET_AND_POST))
@pytest.mark.parametrize("raw", by_name(BROKEN_HEADS))
def test_an_upstream_that_breaks_off_before_its_head_becomes_a_502(plain: Rig, raw: bytes, request_bytes: bytes, how: str) -> None:
    client = plain.dial()
    client.send(request_bytes)
    received = plain.origin.next_request()
    received.body()
    received.send(raw)
    getattr(received.stream, how)()
    assert cause(client.response()) == (502, "upstream_broke_off")
    assert plain.origin.is_untouched()  # a fresh connection: nothing is repeated
    assert client.is_silent()


BROKEN_BODIES = {
    "9112-8 short of its length": ok(b"Content-Length: 10", body=b"hello"),
    "9112-8 nothing of its length": ok(b"Content-Length: 10"),
    "9112-8 in chunk data": ok(CHUNKED, body=b"a\r\nhello"),
    "9112-8 between chunks": ok(CHUNKED, body=b"5\r\nhello\r\n"),
    "9112-8 in a chunk size": ok(CHUNKED, body=b"5\r\nhello\r\n5"),
    "9112-8 before the empty line of the trailers": ok(CHUNKED, body=b"5\r\nhello\r\n0\r\n"),
    "9112-8 in the trailers": ok(CHUNKED, body=b"5\r\nhello\r\n0\r\nX-A: 1\r\n"),
}
BAD_CHUNKS = {
    "9112-7.1 size is no number": ok(CHUNKED, body=b"5\r\nhello\r\nzz\r\n\r\n"),
    "9112-7.1 data longer than the size": ok(CHUNKED, body=b"5\r\nhello world\r\n0\r\n\r\n"),
    "9112-7.1 LF after the size": ok(CHUNKED, body=b"5\r\nhello\r\n5\nworld\r\n0\r\n\r\n"),
    "9112-7.1 size over 64 bits": ok(CHUNKED, body=b"5\r\nhello\r\n10000000000000000\r\n"),
    "9110-6.5.1 CL among the trailers": ok(CHUNKED, body=b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n"),
}


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("raw", by_name(BROKEN_BODIES))
def test_a_body_that_breaks_off_never_looks_complete(plain: Rig, raw: bytes, how: str) -> None:
    client = plain.dial()
    client.send(GET)
    received = plain.origin.next_request()
    received.send(raw)
    assert client.head().start == b"HTTP/1.1 200 OK"  # the head has passed, so that a reset cannot overtake it
    getattr(received.stream, how)()
    assert ends_incomplete(client, raw)


@pytest.mark.parametrize("raw", by_name(BAD_CHUNKS))
def test_a_body_in_bad_chunks_never_looks_complete(plain: Rig, raw: bytes) -> None:
    head_end = raw.index(b"\r\n\r\n") + 4
    client = plain.dial()
    client.send(GET)
    received = plain.origin.next_request()
    received.send(raw[:head_end])
    assert client.head().start == b"HTTP/1.1 200 OK"
    received.send(raw[head_end:])
    assert ends_incomplete(client, raw)
    assert received.stream.is_closed()


def ends_incomplete(client: Stream, raw: bytes) -> bool:
    """Tell whether the rest of the answer, whose head upstream sent as in `raw`, ends before it is complete."""
    head = strict.take_head(bytearray(raw))
    assert head is not None
    with pytest.raises(BrokenOff):
        client.body(strict.response_body(head, b"GET"))
    return True


def test_a_reset_in_a_body_without_an_end_is_passed_on_as_a_reset(plain: Rig) -> None:
    """RFC 9112 section 8: of such a body only a clean end says that it is complete."""
    client = plain.dial()
    client.send(GET)
    received = plain.origin.next_request()
    received.send(ok(body=b"hello"))
    assert client.head().start == b"HTTP/1.1 200 OK"
    received.stream.reset()
    with pytest.raises(ConnectionResetError):
        client.rest()


@pytest.mark.parametrize("raw", by_name(BROKEN_BODIES))
def test_a_cut_answer_to_an_http10_client_is_a_reset(plain: Rig, raw: bytes) -> None:
    """Without chunks and with an unknown length, FIN would say that the body is complete."""
    client = plain.dial()
    client.send(lines(b"GET /v3/x HTTP/1.0", b"Host: a"))
    received = plain.origin.next_request()
    received.send(raw)
    head = client.head()
    received.stream.close()
    if head.value(b"content-length") is None:
        with pytest.raises(ConnectionResetError):
            client.rest()
    else:
        assert ends_incomplete(client, raw)


@pytest.mark.parametrize("request_bytes", by_name(GET_AND_POST))
def test_a_connection_that_is_accepted_and_dropped_becomes_a_502(plain: Rig, request_bytes: bytes) -> None:
    client = plain.dial()
    client.send(request_bytes)
    plain.origin.accept().reset()
    assert cause(client.response()) in {(502, "upstream_broke_off"), (502, "upstream_unreachable")}  # the reset may overtake the end of connecting


@pytest.fixture
def unreachable(loop_name: str, tmp_path: Path) -> Iterator[Rig]:
    """A proxy whose v3 upstream refuses connections and whose v2 upstream has no address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    settings: Settings = {
        "listen": {"event_loop": loop_name},
        "upstream": {"v3_url": f"http://127.0.0.1:{port}", "v2_url": "http://name.invalid:1", "connect_timeout_s": 5},
    }
    with running(settings, tmp_path) as rig:
        yield rig
        rig.settle()


def test_an_upstream_that_cannot_be_reached_becomes_a_502(unreachable: Rig) -> None:
    client = unreachable.dial()
    for target in (b"/v3/x", b"/x", b"/v3/x"):  # RFC 6761 section 6.4: `invalid` never resolves
        client.send(lines(b"POST " + target + b" HTTP/1.1", b"Host: a", b"Content-Length: 5", body=b"hello"))
        response = client.response()
        assert cause(response) == (502, "upstream_unreachable")
        assert response.value(b"x-nylas-proxy-origin") == b"network"
