"""No phase of an exchange takes for ever: each has its time-out, and each ends in its own way."""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING

import pytest

from wire.cases import CHUNKED, GET, GET_AND_POST, HOST, by_name
from wire.rig import assert_refused, cause, running
from wire.stream import DEADLINE_S, BrokenOff, lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wire.process import Settings
    from wire.rig import Rig

MIB = 1024 * 1024

INCOMPLETE_HEADS = {
    "9110-15.5.9 one byte": b"G",
    "9110-15.5.9 a request line": b"GET /v3/x HTTP/1.1\r\n",
    "9110-15.5.9 no empty line": b"GET /v3/x HTTP/1.1\r\nHost: a\r\n",
    "9110-15.5.9 half a line end": b"GET /v3/x HTTP/1.1\r\nHost: a\r\n\r",
}
STALLED_BODIES = {
    "9110-15.5.9 nothing of a length": lines(b"POST /v3/x HTTP/1.1", HOST, b"Content-Length: 5"),
    "9110-15.5.9 short of a length": lines(b"POST /v3/x HTTP/1.1", HOST, b"Content-Length: 5", body=b"hell"),
    "9110-15.5.9 no chunk": lines(b"POST /v3/x HTTP/1.1", HOST, CHUNKED),
    "9110-15.5.9 half a chunk": lines(b"POST /v3/x HTTP/1.1", HOST, CHUNKED, body=b"5\r\nhel"),
    "9110-15.5.9 no last chunk": lines(b"POST /v3/x HTTP/1.1", HOST, CHUNKED, body=b"5\r\nhello\r\n"),
    "9110-15.5.9 no end of the trailers": lines(b"POST /v3/x HTTP/1.1", HOST, CHUNKED, body=b"5\r\nhello\r\n0\r\nX-A: 1\r\n"),
}


@pytest.mark.parametrize("raw", by_name(INCOMPLETE_HEADS))
def test_a_head_that_does_not_end_is_answered_408(hasty: Rig, raw: bytes) -> None:
    client = hasty.dial()
    client.send(raw)
    assert_refused(client, 408, "request_timeout")
    assert hasty.origin.is_untouched()


def test_a_head_that_trickles_is_answered_408(hasty: Rig) -> None:
    """A byte now and then buys no time: the time-out is for the head, not for its next byte."""
    client = hasty.dial()
    client.send(b"GET /v3/x HTTP/1.1\r\nX-Slow: ")
    for _ in range(int(DEADLINE_S / 0.1)):
        if select.select([client.socket], [], [], 0.1)[0]:
            break
        client.send(b"s")
    assert_refused(client, 408, "request_timeout")


@pytest.mark.parametrize("raw", by_name(INCOMPLETE_HEADS))
def test_a_second_head_that_does_not_end_is_answered_408(hasty: Rig, raw: bytes) -> None:
    client = hasty.dial()
    client.send(GET + raw)
    hasty.origin.next_request().answer()
    assert client.response().status == 200
    assert_refused(client, 408, "request_timeout")


def test_a_connection_without_a_request_is_closed_silently(hasty: Rig) -> None:
    assert hasty.dial().is_closed()


def test_a_kept_connection_without_a_further_request_is_closed_silently(hasty: Rig) -> None:
    client = hasty.dial()
    client.send(GET)
    hasty.origin.next_request().answer()
    assert client.response().status == 200
    assert client.is_closed()


@pytest.mark.parametrize("raw", by_name(STALLED_BODIES))
def test_a_body_that_stalls_is_answered_408_and_never_completes_upstream(hasty: Rig, raw: bytes) -> None:
    client = hasty.dial()
    client.send(raw)
    received = hasty.origin.next_request()
    assert_refused(client, 408, "request_timeout")
    with pytest.raises(BrokenOff):
        received.body()


@pytest.mark.parametrize("raw", by_name(GET_AND_POST))
@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nX-A: 1\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
def test_an_upstream_that_does_not_answer_becomes_a_504(hasty: Rig, raw: bytes, beginning: bytes) -> None:
    client = hasty.dial()
    client.send(raw)
    received = hasty.origin.next_request()
    received.body()
    received.send(beginning)
    assert cause(client.response()) == (504, "response_timeout")
    assert received.stream.is_closed()
    assert hasty.origin.is_untouched()
    client.send(GET)
    hasty.origin.next_request().answer()
    assert client.response().body == b"ok"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(lines(b"HTTP/1.1 200 OK", b"Content-Length: 10", body=b"hello"), id="short of its length"),
        pytest.param(lines(b"HTTP/1.1 200 OK", CHUNKED, body=b"5\r\nhello\r\n"), id="between chunks"),
        pytest.param(lines(b"HTTP/1.1 200 OK", body=b"hello"), id="until the connection ends"),
    ],
)
@pytest.mark.parametrize("target", [b"/v3/x", b"/v3/grants/g/messages/smart-compose"])
def test_an_answer_that_stalls_ends_incomplete(hasty: Rig, raw: bytes, target: bytes) -> None:
    client = hasty.dial()
    client.send(lines(b"GET " + target + b" HTTP/1.1", HOST))
    received = hasty.origin.next_request()
    received.send(raw)
    with pytest.raises(BrokenOff):
        client.response()
    assert received.stream.is_closed()


def test_an_error_that_stalls_is_answered_all_the_same(hasty: Rig) -> None:
    client = hasty.dial()
    client.send(GET)
    received = hasty.origin.next_request()
    received.send(lines(b"HTTP/1.1 500 Internal Server Error", b"Content-Length: 10", body=b"hello"))
    response = client.response()
    assert cause(response)[0] in {500, 504}
    assert received.stream.is_closed()


def test_a_client_that_takes_nothing_is_dropped_and_upstream_too(hasty: Rig) -> None:
    client = hasty.dial()
    client.send(GET)
    received = hasty.origin.next_request()
    received.send(lines(b"HTTP/1.1 200 OK", b"Content-Length: %d" % (100 * MIB)))
    with pytest.raises(ConnectionError):
        received.send(*[b"b" * MIB] * 100)
    with pytest.raises(BrokenOff):
        client.response()


def test_an_upstream_that_takes_nothing_is_dropped_and_the_client_told(hasty: Rig) -> None:
    client = hasty.dial()
    client.send(lines(b"POST /v3/x HTTP/1.1", HOST, b"Content-Length: %d" % (100 * MIB)))
    received = hasty.origin.next_request()
    sending = hasty.hands.submit(client.send, *[b"b" * MIB] * 100)
    response = client.response()
    assert (response.status, response.value(b"x-nylas-proxy-origin")) == (504, b"network")
    client.socket.shutdown(socket.SHUT_RDWR)
    assert isinstance(sending.exception(), OSError)
    with pytest.raises(BrokenOff):
        received.body()


def test_an_idle_upstream_connection_is_closed(hasty: Rig) -> None:
    received, _ = hasty.exchange(GET)
    assert received.stream.is_closed()


@pytest.fixture
def deaf(loop_name: str, tmp_path: Path) -> Iterator[Rig]:
    """A proxy whose v3 upstream accepts no connection, and whose v2 upstream accepts one but never shakes hands."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.create_server(("127.0.0.1", 0)) as mute:
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
        settings: Settings = {
            "listen": {"event_loop": loop_name},
            "upstream": {
                "v3_url": f"http://127.0.0.1:{full.getsockname()[1]}",
                "v2_url": f"https://127.0.0.1:{mute.getsockname()[1]}",
                "connect_timeout_s": 0.4,
            },
        }
        with running(settings, tmp_path) as rig:
            yield rig
        for sock in waiting:
            sock.close()


@pytest.mark.parametrize("target", [pytest.param(b"/v3/x", id="TCP"), pytest.param(b"/x", id="TLS")])
def test_an_upstream_that_does_not_let_in_becomes_a_502(deaf: Rig, target: bytes) -> None:
    client = deaf.dial()
    client.send(lines(b"GET " + target + b" HTTP/1.1", HOST))
    assert cause(client.response()) == (502, "upstream_unreachable")
    assert deaf.proxy.noise == []
