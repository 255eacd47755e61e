"""Several requests on one connection: answered in order, each with its own body, refusals in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wire.cases import GET, HOST, POST
from wire.origin import OK
from wire.rig import assert_refused, cause
from wire.stream import chunks, lines

if TYPE_CHECKING:
    from wire.rig import Rig

BAD = b"GET /v3/bad HTTP/1.1\r\nHost: a\r\nX A: 1\r\n\r\n"


def get(number: int) -> bytes:
    return lines(b"GET /v3/%d HTTP/1.1" % number, HOST)


def post(number: int, body: bytes) -> bytes:
    return lines(b"POST /v3/%d HTTP/1.1" % number, HOST, b"Content-Length: %d" % len(body), body=body)


def post_chunked(number: int, body: bytes) -> bytes:
    return lines(b"POST /v3/%d HTTP/1.1" % number, HOST, b"Transfer-Encoding: chunked", body=chunks([body[:3], body[3:]]))


def numbered(number: int) -> bytes:
    body = b"%d" % number
    return lines(b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), body=body)


def serve(rig: Rig, count: int) -> dict[bytes, bytes]:
    """Answer so many requests, each with the number of its path, in whatever order they come; return their bodies by path."""
    bodies: dict[bytes, bytes] = {}
    for _ in range(count):
        received = rig.origin.next_request()
        bodies[received.target] = received.body()
        received.answer(numbered(int(received.target.removeprefix(b"/v3/"))))
    return bodies


@pytest.mark.parametrize("count", [2, 10, 100])
def test_pipelined_requests_are_answered_in_order(plain: Rig, count: int) -> None:
    """RFC 9112 section 9.3.2."""
    client = plain.dial()
    client.send(b"".join(get(number) for number in range(count)))
    serve(plain, count)
    assert [client.response().body for _ in range(count)] == [b"%d" % number for number in range(count)]


def test_pipelined_bodies_stay_with_their_requests(plain: Rig) -> None:
    client = plain.dial()
    client.send(post(0, b"first") + post_chunked(1, b"second") + get(2) + post_chunked(3, GET) + post(4, POST) + get(5))
    bodies = serve(plain, 6)
    assert bodies == {b"/v3/0": b"first", b"/v3/1": b"second", b"/v3/2": b"", b"/v3/3": GET, b"/v3/4": POST, b"/v3/5": b""}
    assert [client.response().body for _ in range(6)] == [b"0", b"1", b"2", b"3", b"4", b"5"]


def test_pipelined_requests_may_come_byte_by_byte(plain: Rig) -> None:
    client = plain.dial()
    client.send_bytewise(post(0, b"first") + post_chunked(1, b"second") + get(2))
    assert serve(plain, 3) == {b"/v3/0": b"first", b"/v3/1": b"second", b"/v3/2": b""}
    assert [client.response().body for _ in range(3)] == [b"0", b"1", b"2"]


@pytest.mark.parametrize("first_cut", [1, 20, 27, 32, 60, 120])
def test_a_pipeline_may_be_cut_anywhere(plain: Rig, first_cut: int) -> None:
    """The end of one message and the beginning of the next may share a packet in every way."""
    raw = get(0) + post(1, b"first") + get(2) + post_chunked(3, b"second") + get(4)
    for second_cut in range(first_cut + 1, len(raw)):
        client = plain.dial()
        client.send(raw[:first_cut])
        plain.barrier()
        client.send(raw[first_cut:second_cut])
        plain.barrier()
        client.send(raw[second_cut:])
        assert serve(plain, 5) == {b"/v3/0": b"", b"/v3/1": b"first", b"/v3/2": b"", b"/v3/3": b"second", b"/v3/4": b""}
        assert [client.response().body for _ in range(5)] == [b"0", b"1", b"2", b"3", b"4"]


def test_a_pipeline_may_be_cut_after_its_first_answer(plain: Rig) -> None:
    """The same with the proxy idle in between: it has read all of the first packet before the second comes."""
    raw = get(1) + get(2)
    for at in range(len(raw)):
        client = plain.dial()
        client.send(get(0) + raw[:at])
        serve(plain, 1)
        assert client.response().body == b"0"
        client.send(raw[at:])
        serve(plain, 2)
        assert [client.response().body, client.response().body] == [b"1", b"2"]


def test_an_upgrade_in_a_pipeline_is_an_ordinary_request(plain: Rig) -> None:
    """RFC 9110 section 7.8: a server may ignore Upgrade; what follows is HTTP."""
    client = plain.dial()
    upgrade = lines(b"GET /v3/1 HTTP/1.1", HOST, b"Connection: Upgrade", b"Upgrade: websocket")
    client.send(post_chunked(0, b"first") + upgrade + post_chunked(2, b"second"))
    assert serve(plain, 3) == {b"/v3/0": b"first", b"/v3/1": b"", b"/v3/2": b"second"}
    assert [client.response().body for _ in range(3)] == [b"0", b"1", b"2"]


def test_a_head_in_a_pipeline_has_no_body(plain: Rig) -> None:
    client = plain.dial()
    client.send(lines(b"HEAD /v3/0 HTTP/1.1", HOST) + get(1))
    plain.origin.next_request().answer(lines(b"HTTP/1.1 200 OK", b"Content-Length: 1000"))
    assert client.response(method=b"HEAD").value(b"content-length") == b"1000"
    serve(plain, 1)
    assert client.response().body == b"1"


@pytest.mark.parametrize("good", [0, 1, 5])
def test_a_refusal_waits_for_its_turn(plain: Rig, good: int) -> None:
    client = plain.dial()
    client.send(b"".join(get(number) for number in range(good)) + BAD + get(99))
    serve(plain, good)
    assert [client.response().body for _ in range(good)] == [b"%d" % number for number in range(good)]
    assert_refused(client, 400, "request_malformed")
    assert plain.origin.is_untouched()


def test_a_refusal_behind_a_body_waits_for_its_turn(plain: Rig) -> None:
    client = plain.dial()
    client.send(post_chunked(0, b"first") + BAD)
    assert serve(plain, 1) == {b"/v3/0": b"first"}
    assert client.response().body == b"0"
    assert_refused(client, 400, "request_malformed")


def test_what_follows_a_bad_body_is_not_read(plain: Rig) -> None:
    client = plain.dial()
    client.send(get(0) + lines(b"POST /v3/1 HTTP/1.1", HOST, b"Transfer-Encoding: chunked", body=b"zz\r\n") + get(2))
    serve(plain, 1)
    assert client.response().body == b"0"
    assert_refused(client, 400, "request_malformed")


def test_an_error_of_ours_that_needs_no_end_keeps_the_connection(plain: Rig) -> None:
    client = plain.dial()
    client.send(lines(b"PUT /messages/1 HTTP/1.1", HOST, b"Content-Length: 0") + get(1))
    serve(plain, 1)
    assert cause(client.response()) == (400, "empty_put_body")
    assert client.response().body == b"1"


def test_nothing_after_connection_close_is_served(plain: Rig) -> None:
    """RFC 9112 section 9.6: a server that receives `close` must not process further requests."""
    client = plain.dial()
    client.send(lines(b"GET /v3/0 HTTP/1.1", HOST, b"Connection: close") + get(1))
    serve(plain, 1)
    response = client.response()
    assert (response.body, response.value(b"connection")) == (b"0", b"close")
    assert client.is_closed()
    assert plain.origin.is_untouched()


@pytest.mark.parametrize("value", [b"close", b"Close", b"keep-alive, close", b"x-a,close"])
def test_connection_close_is_honoured(plain: Rig, value: bytes) -> None:
    client = plain.dial()
    client.send(lines(b"GET /v3/0 HTTP/1.1", HOST, b"Connection: " + value))
    serve(plain, 1)
    assert client.response().body == b"0"
    assert client.is_closed()


def test_nothing_follows_an_answer_that_ends_with_the_connection(plain: Rig) -> None:
    client = plain.dial()
    client.send(get(0) + get(1))
    plain.origin.next_request().answer_and_close(lines(b"HTTP/1.1 200 OK", body=b"open end"))
    assert client.response().body == b"open end"


def test_a_pipeline_that_waits_does_not_block_others(plain: Rig) -> None:
    waiting, other = plain.dial(), plain.dial()
    waiting.send(get(0) + get(1))
    first = plain.origin.next_request()
    other.send(get(2))
    serve(plain, 1)
    assert other.response().body == b"2"
    first.answer(numbered(0))
    serve(plain, 1)
    assert [waiting.response().body, waiting.response().body] == [b"0", b"1"]


def test_one_client_connection_takes_many_requests_in_turn(plain: Rig) -> None:
    client = plain.dial()
    for _ in range(20):
        client.send(GET)
        plain.origin.next_request().answer(OK)
        assert client.response().body == b"ok"
