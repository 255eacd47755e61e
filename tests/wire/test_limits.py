"""What is too large or too many is refused early, with a clear error, and never kept in memory."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from wire.cases import CHUNKED, GET, HOST, by_name
from wire.rig import assert_refused, cause
from wire.stream import chunks, lines, send_what_is_taken

if TYPE_CHECKING:
    from wire.rig import Rig

MIB = 1024 * 1024


def of_grant(grant: bytes) -> bytes:
    return lines(b"GET /v3/grants/" + grant + b"/messages HTTP/1.1", HOST)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(lines(b"POST /v3/x HTTP/1.1", HOST, b"Content-Length: %d" % MIB, body=b"b" * MIB), id="9110-15.5.14 a length at the limit"),
        pytest.param(lines(b"POST /v3/x HTTP/1.1", HOST, CHUNKED, body=chunks([b"b" * (MIB // 2)] * 2)), id="9110-15.5.14 chunks up to the limit"),
    ],
)
def test_a_body_at_the_limit_passes(tight: Rig, raw: bytes) -> None:
    client = tight.dial()
    sending = tight.hands.submit(client.send, raw)
    received = tight.origin.next_request()
    assert len(received.body()) == MIB
    sending.result()
    received.answer()
    assert client.response().status == 200


@pytest.mark.parametrize("length", [MIB + 1, 10**12, 2**63 - 1])
@pytest.mark.parametrize("expect", [[], [b"Expect: 100-continue"]])
def test_a_declared_length_over_the_limit_is_refused_without_upstream(tight: Rig, length: int, expect: list[bytes]) -> None:
    client = tight.dial()
    client.send(lines(b"POST /v3/x HTTP/1.1", HOST, b"Content-Length: %d" % length, *expect))
    assert_refused(client, 413, "request_body_too_large")
    assert tight.origin.is_untouched()


def test_a_body_that_grows_over_the_limit_is_refused_and_never_completes_upstream(tight: Rig) -> None:
    client = tight.dial()
    client.send(lines(b"POST /v3/x HTTP/1.1", HOST, CHUNKED, body=chunks([b"hello"])[:-5]))
    received = tight.origin.next_request()
    assert received.piece() == b"hello"
    sending = tight.hands.submit(send_what_is_taken, client, chunks([b"b" * 65536] * 20))
    with contextlib.suppress(ConnectionError):
        while received.stream.fill():
            received.stream.buffer.clear()
    sending.result()
    assert_refused(client, 413, "request_body_too_large")


def test_a_client_that_sends_its_large_body_anyway_gets_the_413(tight: Rig) -> None:
    client = tight.dial()
    body = b"b" * (2 * MIB)
    tight.hands.submit(send_what_is_taken, client, lines(b"POST /v3/x HTTP/1.1", HOST, b"Content-Length: %d" % len(body), body=body))
    assert cause(client.response()) == (413, "request_body_too_large")


LARGE_HEADS = {
    "6585-5 long target": lines(b"GET /v3/" + b"p" * 5000 + b" HTTP/1.1", HOST),
    "6585-5 long query": lines(b"GET /v3/x?" + b"q" * 5000 + b" HTTP/1.1", HOST),
    "6585-5 long value": lines(b"GET /v3/x HTTP/1.1", HOST, b"X-Long: " + b"v" * 5000),
    "6585-5 long name": lines(b"GET /v3/x HTTP/1.1", HOST, b"X-" + b"n" * 5000 + b": 1"),
    "6585-5 long in all": lines(b"GET /v3/x HTTP/1.1", HOST, *[b"X-A: " + b"v" * 500] * 10),
    "6585-5 too many fields": lines(b"GET /v3/x HTTP/1.1", HOST, *[b"X-A: 1"] * 20),
    "6585-5 a line without an end": b"GET /v3/x HTTP/1.1\r\nX-Endless: " + b"v" * 200_000,
    "6585-5 a target without an end": b"GET /v3/" + b"p" * 200_000,
    "6585-5 fields without an end": b"GET /v3/x HTTP/1.1\r\n" + b"X-A: 1\r\n" * 20_000,
}


@pytest.mark.parametrize("raw", by_name(LARGE_HEADS))
def test_a_large_head_is_refused(tight: Rig, raw: bytes) -> None:
    client = tight.dial()
    send_what_is_taken(client, raw)
    assert_refused(client, 431, "request_head_too_large")
    assert tight.origin.is_untouched()


@pytest.mark.parametrize("raw", by_name({name: raw for name, raw in LARGE_HEADS.items() if len(raw) < 10_000}))
def test_a_large_head_is_refused_when_it_comes_byte_by_byte(tight: Rig, raw: bytes) -> None:
    client = tight.dial()
    with contextlib.suppress(ConnectionError):
        client.send_bytewise(raw)
    assert_refused(client, 431, "request_head_too_large")


def test_a_head_at_the_limits_passes(tight: Rig) -> None:
    fields = [b"X-A: 1"] * 18 + [b"X-Long: " + b"v" * 3500]
    received, _ = tight.exchange(lines(b"GET /v3/x HTTP/1.1", HOST, *fields))
    assert len(received.head.fields) == 20


IN_A_BODY = {
    "9112-7.1.1 long extension": b"5;" + b"e" * 200_000 + b"\r\nhello\r\n0\r\n\r\n",
    "9112-7.1.1 an extension for every byte": b"".join(b"1;" + b"e" * 4000 + b"\r\nx\r\n" for _ in range(200)) + b"0\r\n\r\n",
    "9112-7.1.2 long trailer": b"5\r\nhello\r\n0\r\nX-A: " + b"v" * 200_000 + b"\r\n\r\n",
    "9112-7.1.2 many trailers": b"5\r\nhello\r\n0\r\n" + b"X-A: 1\r\n" * 2000 + b"\r\n",
}


@pytest.mark.parametrize("body", by_name(IN_A_BODY))
def test_chunk_extensions_and_trailers_have_limits(tight: Rig, body: bytes) -> None:
    client = tight.dial()
    send_what_is_taken(client, lines(b"POST /v3/x HTTP/1.1", HOST, CHUNKED, body=body))
    assert cause(client.response()) in {(400, "request_malformed"), (431, "request_head_too_large")}
    assert client.is_closed()


def test_an_upstream_head_over_the_limit_becomes_a_502(tight: Rig) -> None:
    client = tight.dial()
    client.send(GET)
    tight.origin.next_request().send(lines(b"HTTP/1.1 200 OK", b"X-Long: " + b"v" * 5000, b"Content-Length: 0"))
    assert cause(client.response()) == (502, "upstream_malformed")


def test_a_client_too_many_is_refused_and_a_free_place_is_given_away(tight: Rig) -> None:
    clients = [tight.dial() for _ in range(5)]
    for client in clients:
        client.send(GET)
        tight.origin.next_request().answer()
        assert client.response().status == 200
    one_too_many = tight.dial()
    send_what_is_taken(one_too_many, GET)
    assert_refused(one_too_many, 503, "overloaded")
    one_too_many.close()
    clients[0].finish_sending()
    assert clients[0].is_closed()
    _, response = tight.exchange(GET)
    assert response.status == 200


def test_hung_calls_of_one_grant_do_not_block_another(tight: Rig) -> None:
    clients = [tight.dial() for _ in range(3)]
    hung = []
    for client in clients[:2]:
        client.send(of_grant(b"greedy"))
        hung.append(tight.origin.next_request())
    clients[2].send(of_grant(b"greedy"))
    received, response = tight.exchange(of_grant(b"polite"))
    assert (received.target, response.status) == (b"/v3/grants/polite/messages", 200)
    assert tight.origin.is_untouched()  # the third call of the greedy one waits
    hung[0].answer()
    assert clients[0].response().status == 200
    waited = tight.origin.next_request()
    waited.answer()
    assert clients[2].response().status == 200


def test_a_waiting_call_whose_client_leaves_is_never_sent(tight: Rig) -> None:
    clients = [tight.dial() for _ in range(3)]
    hung = []
    for client in clients[:2]:
        client.send(of_grant(b"greedy"))
        hung.append(tight.origin.next_request())
    clients[2].send(lines(b"POST /v3/grants/greedy/messages/send HTTP/1.1", HOST, b"Content-Length: 2", body=b"{}"))
    clients[2].finish_sending()
    assert clients[2].is_closed()
    for client, received in zip(clients[:2], hung, strict=True):
        received.answer()
        assert client.response().status == 200
    received, _ = tight.exchange(of_grant(b"greedy"))
    assert received.line.method == b"GET"
