"""With listen.client_secret, a request without it gets nothing but a refusal, and the secret goes nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from wire.cases import CHUNKED, HOST, by_name
from wire.rig import assert_refused, cause
from wire.stream import chunks, lines

from access.conftest import SECRET
from access.stage import asked, metric
from proxy.settings.report import effective, effective_toml
from proxy.settings.source import read

if TYPE_CHECKING:
    from wire.rig import Rig

FIELD = b"X-Nylas-Proxy-Secret: "
SHOWN = FIELD + SECRET.encode()
NOT_SHOWN: dict[str, tuple[bytes, ...]] = {
    "none": (),
    "empty": (FIELD,),
    "another": (FIELD + b"another",),
    "its beginning": (SHOWN[:-1],),
    "more than it": (SHOWN + b"x",),
    "in capitals": (FIELD + SECRET.upper().encode(),),
    "twice": (SHOWN, SHOWN),
    "beside another": (SHOWN, FIELD + b"another"),
    "beyond ASCII": (FIELD + b"\xff\xfe",),
    "in another field": (b"Authorization: Bearer " + SECRET.encode(),),
}
TARGETS = {
    "a call": b"GET /v3/grants/g1/messages HTTP/1.1",
    "what is redirected": b"GET /v3/connect/auth?client_id=c HTTP/1.1",
    "what is refused for another reason": b"PUT /messages/1 HTTP/1.1",
    "what no row describes": b"GET /anything HTTP/1.1",
}


@pytest.mark.parametrize("fields", by_name(NOT_SHOWN))
def test_a_request_without_the_secret_is_refused_without_upstream(secretive: Rig, fields: tuple[bytes, ...]) -> None:
    client = secretive.dial()
    client.send(lines(b"GET /v3/grants/g1/messages HTTP/1.1", HOST, *fields))
    assert_refused(client, 403, "client_not_allowed")
    assert secretive.origin.is_untouched()


@pytest.mark.parametrize("line", by_name(TARGETS))
def test_the_secret_comes_before_everything_else(secretive: Rig, line: bytes) -> None:
    client = secretive.dial()
    client.send(lines(line, HOST))
    assert_refused(client, 403, "client_not_allowed")
    assert secretive.legacy.is_untouched()


def test_a_body_is_not_waited_for(secretive: Rig) -> None:
    client = secretive.dial()
    client.send(lines(b"PUT /messages/1 HTTP/1.1", HOST, b"Expect: 100-continue", b"Content-Length: 10"))
    response = client.response()
    assert cause(response) == (403, "client_not_allowed")
    assert response.interim == ()
    assert client.is_closed()


def test_a_request_behind_a_refused_one_is_not_looked_at(secretive: Rig) -> None:
    client = secretive.dial()
    client.send(lines(b"GET /v3/x HTTP/1.1", HOST) + lines(b"GET /v3/x HTTP/1.1", HOST, SHOWN))
    assert_refused(client, 403, "client_not_allowed")
    assert secretive.origin.is_untouched()


def test_a_request_without_the_secret_on_a_kept_connection_ends_it(secretive: Rig) -> None:
    client = secretive.dial()
    client.send(lines(b"GET /v3/x HTTP/1.1", HOST, SHOWN))
    secretive.origin.next_request().answer()
    assert client.response().status == 200
    client.send(lines(b"HEAD /v3/x HTTP/1.1", HOST))
    response = client.response(method=b"HEAD")
    assert (response.status, response.value(b"x-nylas-proxy-cause")) == (403, b"client_not_allowed")
    assert client.is_closed()


def test_a_request_with_the_secret_passes_without_it(secretive: Rig) -> None:
    again = b"x-nylas-proxy-secret: " + SECRET.encode()
    raw = lines(b"POST /v3/x HTTP/1.1", HOST, SHOWN, CHUNKED, b"Trailer: x-nylas-proxy-secret", body=chunks([b"hello"], again, b"X-Sum: 1"))
    client = secretive.dial()
    client.send(raw)
    received = secretive.origin.next_request()
    received.answer()
    assert received.body() == b"hello"
    assert list(received.decoder.trailers) == [(b"X-Sum", b"1")]
    assert not [name for name, _ in received.head.fields if name.lower().startswith(b"x-nylas-proxy-")]
    assert client.response().status == 200


def test_a_refusal_is_recorded_without_what_was_shown(secretive: Rig) -> None:
    client = secretive.dial()
    client.send(lines(b"GET /v3/x HTTP/1.1", HOST, FIELD + b"a-wrong-one", b"X-Request-Id: shown-wrongly"))
    assert_refused(client, 403, "client_not_allowed")
    line: dict[str, Any] = secretive.proxy.logged_request("shown-wrongly")
    assert (line["status"], line["cause"]) == (403, "client_not_allowed")
    assert "a-wrong-one" not in str(line)


def test_the_secret_is_shown_to_nobody(secretive: Rig) -> None:
    for path in ("/status.json", "/metrics", "/"):
        status, body = asked(secretive, path)
        assert status == 200
        assert SECRET not in body
    loaded = read(None, {"NYLAS_PROXY__LISTEN__CLIENT_SECRET": SECRET})
    assert loaded.settings.listen.client_secret == SECRET
    assert SECRET not in effective_toml(loaded) + str(effective(loaded))


def test_the_admin_listener_does_not_ask_for_it(secretive: Rig) -> None:
    assert metric(secretive, "in_flight") == 0
