"""What one caller does must not reach another one, the operator's listener, or the log."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import pytest
from wire.cases import HOST, by_name
from wire.stream import lines

if TYPE_CHECKING:
    from wire.rig import Rig

STORABLE = (b"Cache-Control: public, max-age=3600", b'ETag: "1"', b"Content-Length: 3")
IDS_THAT_ARE_NONE = {
    "129 characters": b"a" * 129,
    "two words": b"mine and-more",
    "a tab": b"mine\tmore",
    "beyond ASCII": b"caf\xc3\xa9",
    "the control sequence introducer of 8 bits": b"\xc2\x9b31m",
    "empty": b"",
}


def asked_by(token: bytes) -> bytes:
    return lines(b"GET /v3/grants/me/messages HTTP/1.1", HOST, b"Authorization: Bearer " + token)


def test_what_was_answered_to_one_caller_is_never_given_to_another(plain: Rig) -> None:
    """However storable upstream calls it (RFC 9111): each request goes upstream under its own credential."""
    for token, answer in ((b"nyk_v0_one", b"one"), (b"nyk_v0_two", b"two"), (b"nyk_v0_one", b"new")):
        received, response = plain.exchange(asked_by(token), lines(b"HTTP/1.1 200 OK", *STORABLE, body=answer))
        assert received.head.values(b"authorization") == [b"Bearer " + token]
        assert response.body == answer


@pytest.mark.parametrize("request_id", by_name(IDS_THAT_ARE_NONE))
def test_an_id_that_could_look_like_something_else_in_a_log_is_not_taken(plain: Rig, request_id: bytes) -> None:
    client = plain.dial()
    client.send(lines(b"PUT /messages/1 HTTP/1.1", HOST, b"X-Request-Id: " + request_id, b"Content-Length: 0"))
    response = client.response()
    told = json.loads(response.body)["request_id"]
    assert response.value(b"x-request-id") == told.encode()
    assert told.isascii()
    assert told.isprintable()
    assert told.encode() != request_id
    assert len(told) < 40
    assert plain.proxy.logged_request(told)["status"] == 400


def test_no_key_of_the_proxy_can_be_guessed_from_another(plain: Rig) -> None:
    send = lines(b"POST /v3/grants/me/messages/send HTTP/1.1", HOST, b"X-Nylas-Proxy-Idempotency: injected", b"Content-Length: 2", body=b"{}")
    keys = []
    for _ in range(2):
        received, response = plain.exchange(send, method=b"POST")
        keys += [uuid.UUID(value.decode()) for value in received.head.values(b"idempotency-key")]
        assert response.value(b"x-nylas-proxy-idempotency") == b"injected"
    assert [key.version for key in keys] == [4, 4]
    assert keys[0] != keys[1]


@pytest.mark.parametrize("target", [b"/healthz", b"/readyz", b"/metrics", b"/", b"/status.json", b"/events", b"/page/page.js"])
def test_nothing_of_the_admin_listener_is_served_where_applications_ask(plain: Rig, target: bytes) -> None:
    client = plain.dial()
    client.send(lines(b"GET " + target + b" HTTP/1.1", HOST))
    received = plain.legacy.next_request()
    received.answer()
    assert received.target == target
    assert client.response().body == b"ok"


@pytest.mark.parametrize("target", [b"/windows", b"/drain", b"/log-level", b"/reload"])
def test_no_order_is_taken_where_applications_ask(plain: Rig, target: bytes) -> None:
    client = plain.dial()
    client.send(lines(b"POST " + target + b" HTTP/1.1", HOST, b"Content-Type: application/json", b"Content-Length: 2", body=b"{}"))
    received = plain.legacy.next_request()
    received.answer()
    assert received.target == target
    assert client.response().body == b"ok"
