"""Upstream connections are used again where that is safe; what died on a stale one is repeated only where that cannot matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wire.cases import CHUNKED, GET, HEAD, HOST, POST, UNSAFE, by_name
from wire.origin import OK, OK_CLOSE, Origin
from wire.rig import cause, running
from wire.stream import chunks, lines

if TYPE_CHECKING:
    from pathlib import Path

    from wire.rig import Rig

NEVER_REPEATED = {
    **UNSAFE,
    "GET with a body": lines(b"GET /v3/x HTTP/1.1", HOST, b"Content-Length: 5", body=b"hello"),
    "GET in chunks": lines(b"GET /v3/x HTTP/1.1", HOST, b"Transfer-Encoding: chunked", body=chunks([b"hello"])),
}
never_repeated = pytest.mark.parametrize("raw", by_name(NEVER_REPEATED))
safe = pytest.mark.parametrize(("raw", "method"), [pytest.param(GET, b"GET", id="GET"), pytest.param(HEAD, b"HEAD", id="HEAD")])


def warm_up(rig: Rig) -> None:
    """Leave one upstream connection idle."""
    received, response = rig.exchange(GET)
    assert received.is_first
    assert response.status == 200


def test_an_upstream_connection_is_used_again(plain: Rig) -> None:
    warm_up(plain)
    for request in (GET, POST, GET, POST):
        received, _ = plain.exchange(request)
        assert not received.is_first


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(OK_CLOSE, id="9112-9.6 close"),
        pytest.param(lines(b"HTTP/1.0 200 OK", b"Content-Length: 2", body=b"ok"), id="9112-9.3 HTTP/1.0"),
        pytest.param(OK + b"x", id="9112-9.2 bytes too many"),
        pytest.param(lines(b"HTTP/1.1 204 No Content", body=b"hello"), id="9112-6.3 a body where there is none"),
    ],
)
def test_an_upstream_connection_that_ended_is_not_used_again(plain: Rig, answer: bytes) -> None:
    client = plain.dial()
    client.send(GET)
    received = plain.origin.next_request()
    received.send(answer)
    assert client.response().status in {200, 204}
    assert received.stream.is_closed()
    client.send(GET)
    again = plain.origin.next_request()
    assert again.is_first
    again.answer()
    assert client.response().body == b"ok"


@pytest.mark.parametrize("trailer", [b"Connection: close", b"Transfer-Encoding: chunked, identity", b"Upgrade: a", b"X-Sum: 1"])
def test_what_stands_among_an_answers_trailers_does_not_harm_the_next_request(plain: Rig, trailer: bytes) -> None:
    """RFC 9110 section 6.5.1: a trailer is no field of the head; whether the connection is kept is open, the next answer is not."""
    client = plain.dial()
    for request in (GET, POST, POST):
        client.send(request)
        plain.origin.next_request().answer(lines(b"HTTP/1.1 200 OK", CHUNKED, body=chunks([b"ok"], trailer)))
        assert client.response().body == b"ok"


@pytest.mark.parametrize("unasked", [b"5\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n"])
def test_what_looks_like_a_body_behind_an_answer_to_head_ends_the_connection(plain: Rig, unasked: bytes) -> None:
    """RFC 9110 section 9.3.2: these bytes are nobody's, and upstream may have more of them."""
    client = plain.dial()
    client.send(HEAD)
    received = plain.origin.next_request()
    received.send(lines(b"HTTP/1.1 200 OK", CHUNKED, body=unasked))
    assert client.response(method=b"HEAD").status == 200
    assert received.stream.is_closed()


@pytest.mark.parametrize("unasked", [b"x", lines(b"HTTP/1.1 408 Request Timeout", b"Content-Length: 0"), OK])
def test_bytes_on_an_idle_connection_end_it(plain: Rig, unasked: bytes) -> None:
    """RFC 9112 section 9.2: what nobody asked for must not become the answer to the next request."""
    received, _ = plain.exchange(GET)
    received.send(unasked)
    assert received.stream.is_closed()
    again, response = plain.exchange(POST)
    assert again.is_first
    assert response.body == b"ok"


def test_an_idle_connection_that_upstream_closed_is_not_used_again(plain: Rig) -> None:
    warm_up(plain)
    plain.origin.forget_connections()
    received, response = plain.exchange(POST)
    assert received.is_first
    assert response.status == 200


@safe
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_bodiless_read_on_a_stale_connection_is_repeated_once(plain: Rig, raw: bytes, method: bytes, how: str) -> None:
    warm_up(plain)
    client = plain.dial()
    client.send(raw)
    received = plain.origin.next_request()
    assert not received.is_first
    getattr(received.stream, how)()
    again = plain.origin.next_request()
    assert (again.is_first, again.head) == (True, received.head)
    again.answer(lines(b"HTTP/1.1 200 OK", b"Content-Length: 0"))
    assert client.response(method=method).status == 200


@safe
def test_a_bodiless_read_is_not_repeated_twice(plain: Rig, raw: bytes, method: bytes) -> None:
    warm_up(plain)
    client = plain.dial()
    client.send(raw)
    for _ in range(2):
        plain.origin.next_request().stream.close()
    response = client.response(method=method)
    assert (response.status, response.value(b"x-nylas-proxy-cause")) == (502, b"upstream_broke_off")
    assert plain.origin.is_untouched()


@never_repeated
@pytest.mark.parametrize("how", ["close", "reset"])
def test_nothing_else_is_repeated_on_a_stale_connection(plain: Rig, raw: bytes, how: str) -> None:
    warm_up(plain)
    client = plain.dial()
    client.send(raw)
    received = plain.origin.next_request()
    received.body()
    assert not received.is_first
    getattr(received.stream, how)()
    assert cause(client.response()) == (502, "upstream_broke_off")
    assert plain.origin.is_untouched()


def test_a_read_is_not_repeated_once_a_byte_came_back(plain: Rig) -> None:
    warm_up(plain)
    client = plain.dial()
    client.send(GET)
    received = plain.origin.next_request()
    received.send(b"H")
    received.stream.close()
    assert cause(client.response()) == (502, "upstream_broke_off")
    assert plain.origin.is_untouched()


def test_an_ipv6_upstream_is_reached(loop_name: str, tmp_path: Path) -> None:
    """RFC 3986 section 3.2.2: an IPv6 address stands in brackets, in the URL and in Host."""
    with running({"listen": {"event_loop": loop_name}}, tmp_path, origin=Origin("::1")) as rig:
        received, response = rig.exchange(GET)
        assert received.head.value(b"host") == b"[::1]:%d" % rig.origin.port
        assert response.body == b"ok"
        rig.settle()
