"""Every error has the one shape, whoever caused it and however upstream framed it; limits refuse early and clearly."""

from __future__ import annotations

import contextlib
import gzip
import json
import uuid
from typing import TYPE_CHECKING

import pytest

from wire.cases import CHUNKED, GET, GET_AND_POST, HOST, by_name, with_request_id
from wire.rig import assert_refused, cause, problem
from wire.stream import BrokenOff, chunks, lines, send_what_is_taken

if TYPE_CHECKING:
    from wire.rig import Rig

STANDARD = b'{"request_id": "r1", "error": {"type": "not_found_error", "message": "no such message"}}'
PAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
JSON_TYPE = b"Content-Type: application/json"


def error(status: bytes, *fields: bytes, body: bytes = b"") -> bytes:
    return lines(b"HTTP/1.1 " + status, *fields, body=body)


def sized(status: bytes, *fields: bytes, body: bytes) -> bytes:
    return error(status, *fields, b"Content-Length: %d" % len(body), body=body)


SHAPED = {
    "standard v3": sized(b"404 Not Found", JSON_TYPE, body=STANDARD),
    "standard v3 in chunks": error(b"404 Not Found", JSON_TYPE, CHUNKED, body=chunks([STANDARD[:9], STANDARD[9:]], b"X-Sum: 1")),
    "standard v3 until the connection ends": error(b"404 Not Found", JSON_TYPE, b"Connection: close", body=STANDARD),
    "standard v2": sized(b"400 Bad Request", JSON_TYPE, body=b'{"message": "no", "type": "invalid_request_error"}'),
    "JSON with a charset": sized(b"400 Bad Request", JSON_TYPE + b"; charset=utf-8", body=STANDARD),
    "gzip": sized(b"500 Internal Server Error", JSON_TYPE, b"Content-Encoding: gzip", body=gzip.compress(STANDARD, mtime=0)),
    "gzip that is none": sized(b"500 Internal Server Error", JSON_TYPE, b"Content-Encoding: gzip", body=b"\x1f\x8b\x08\x00nonsense"),
    "gzip cut off": sized(b"500 Internal Server Error", b"Content-Encoding: gzip", body=gzip.compress(STANDARD, mtime=0)[:-12]),
    "gzip of 20 MB": sized(b"500 Internal Server Error", b"Content-Encoding: gzip", body=gzip.compress(b"a" * 20_000_000, mtime=0)),
    "a page": sized(b"502 Bad Gateway", b"Content-Type: text/html", body=PAGE),
    "a page until the connection ends": error(b"502 Bad Gateway", b"Content-Type: text/html", b"Connection: close", body=PAGE),
    "nothing": sized(b"503 Service Unavailable", body=b""),
    "nothing, without a length": error(b"503 Service Unavailable", b"Connection: close"),
    "plain text": sized(b"429 Too Many Requests", b"Content-Type: text/plain", body=b"slow down"),
    "no text encoding": sized(b"500 Internal Server Error", JSON_TYPE, body=b'{"message": "\xff\xfe"}'),
    "truncated JSON": sized(b"500 Internal Server Error", JSON_TYPE, body=STANDARD[:30]),
    "an array": sized(b"400 Bad Request", JSON_TYPE, body=b"[1, 2]"),
    "a number": sized(b"400 Bad Request", JSON_TYPE, body=b"7"),
    "null": sized(b"400 Bad Request", JSON_TYPE, body=b"null"),
    "deeply nested": sized(b"400 Bad Request", JSON_TYPE, body=b"[" * 50_000 + b"]" * 50_000),
    "Retry-After 0": sized(b"503 Service Unavailable", JSON_TYPE, b"Retry-After: 0", body=STANDARD),
    "Retry-After with a fraction": sized(b"429 Too Many Requests", JSON_TYPE, b"Retry-After: 0.249", body=STANDARD),
    "Retry-After that is none": sized(b"429 Too Many Requests", JSON_TYPE, b"Retry-After: soon", body=STANDARD),
    "a status of no list": sized(b"499 Client Closed", body=b""),
    "the highest status": sized(b"599 Whatever", body=b""),
    "two types and lengths of its own": sized(b"404 Not Found", JSON_TYPE, b"Content-Type: text/html", body=STANDARD),
}


@pytest.mark.parametrize("request_bytes", by_name(GET_AND_POST))
@pytest.mark.parametrize("raw", by_name(SHAPED))
def test_an_error_of_upstream_gets_the_one_shape(plain: Rig, raw: bytes, request_bytes: bytes) -> None:
    client = plain.dial()
    client.send(request_bytes)
    received = plain.origin.next_request()
    if b"Connection: close" in raw:
        received.answer_and_close(raw)
    else:
        received.answer(raw)
    response = client.response()
    assert response.status == int(raw[9:12])
    assert response.framing == "Sized"
    problem(response)
    assert client.is_silent()  # an error ends nothing


def test_what_upstream_said_is_kept(plain: Rig) -> None:
    _, response = plain.exchange(GET, sized(b"404 Not Found", JSON_TYPE, b"X-Extra: 1", body=STANDARD))
    body = problem(response)
    assert (body["request_id"], body["error"]["type"], body["error"]["message"]) == ("r1", "not_found_error", "no such message")
    assert (response.value(b"x-request-id"), response.value(b"x-extra")) == (b"r1", b"1")
    assert response.value(b"x-nylas-proxy-origin") == b"nylas"


def test_an_error_of_10_mb_is_cut_and_does_not_pile_up(plain: Rig) -> None:
    client = plain.dial()
    client.send(GET)
    received = plain.origin.next_request()
    before_bytes = plain.proxy.resident_bytes()
    plain.proxy.forget_peak()
    received.send(error(b"502 Bad Gateway", b"Content-Type: text/html", b"Content-Length: 10000000"))
    sending = plain.hands.submit(send_what_is_taken, received.stream, PAGE * 200_000)
    response = client.response()
    sending.result()
    problem(response)
    assert len(response.body) < 2_200_000  # `error_max_bytes` of text, each as at most two characters of JSON
    assert plain.proxy.peak_bytes() - before_bytes < 20 * 1024 * 1024


def test_an_error_that_breaks_off_never_claims_more_than_came(plain: Rig) -> None:
    client = plain.dial()
    client.send(GET)
    plain.origin.next_request().answer_and_close(error(b"500 Internal Server Error", b"Content-Length: 100", body=STANDARD[:20]))
    with contextlib.suppress(BrokenOff):
        assert problem(client.response())["proxy"]["cause"]


def test_an_error_for_head_has_no_body(plain: Rig) -> None:
    client = plain.dial()
    client.send(lines(b"HEAD /v3/x HTTP/1.1", HOST))
    plain.origin.next_request().answer(error(b"404 Not Found", b"Content-Length: 100"))
    response = client.response(method=b"HEAD")
    assert (response.status, response.value(b"x-nylas-proxy-cause")) == (404, b"not_found")
    client.send(GET)
    plain.origin.next_request().answer()
    assert client.response().body == b"ok"


def test_an_error_for_an_http10_client_has_the_one_shape(plain: Rig) -> None:
    client, response = plain.relayed(error(b"404 Not Found", CHUNKED, body=chunks([STANDARD])), request=lines(b"GET /v3/x HTTP/1.0"))
    problem(response)
    assert client.is_closed()


@pytest.mark.parametrize("name", [b"X-Nylas-Proxy-Errors", b"x-nylas-proxy-errors"])
def test_a_caller_may_ask_for_the_raw_error(plain: Rig, name: bytes) -> None:
    request = lines(b"GET /v3/x HTTP/1.1", HOST, name + b": raw")
    _, response = plain.exchange(request, sized(b"502 Bad Gateway", b"Content-Type: text/html", b"Content-Encoding: gzip", body=PAGE))
    assert (response.status, response.body) == (502, PAGE)
    assert response.value(b"content-type") == b"text/html"
    assert response.value(b"content-encoding") == b"gzip"
    assert response.value(b"x-nylas-proxy-cause")


def test_an_error_in_a_coding_that_nobody_here_reads_is_labelled_and_left_alone(plain: Rig) -> None:
    """A caller that asked for such a coding understands it; an error text made of nothing would say less."""
    _, response = plain.exchange(GET, sized(b"500 Internal Server Error", b"Content-Encoding: br", body=b"\x8b\x02\x80"))
    assert (response.status, response.body, response.value(b"content-encoding")) == (500, b"\x8b\x02\x80", b"br")
    assert response.value(b"x-nylas-proxy-cause") == b"server_error"
    assert response.value(b"x-nylas-proxy-origin") == b"nylas"


def test_a_raw_error_keeps_its_framing(plain: Rig) -> None:
    request = lines(b"GET /v3/x HTTP/1.1", HOST, b"X-Nylas-Proxy-Errors: raw")
    _, response = plain.exchange(request, error(b"404 Not Found", CHUNKED, body=chunks([STANDARD], b"X-Sum: 1")))
    assert (response.framing, response.body, response.trailers) == ("Chunked", STANDARD, ((b"X-Sum", b"1"),))


def test_errors_of_oauth_paths_have_its_shape(plain: Rig) -> None:
    request = lines(b"POST /v3/connect/token HTTP/1.1", HOST, JSON_TYPE, b"Content-Length: 2", body=b"{}")
    _, response = plain.exchange(request, sized(b"502 Bad Gateway", b"Content-Type: text/html", body=PAGE))
    body = json.loads(response.body)
    assert isinstance(body["error"], str)
    assert isinstance(body["error_description"], str)
    assert body["proxy"]["cause"]


def test_an_own_error_names_nothing_that_the_caller_sent(plain: Rig) -> None:
    client = plain.dial()
    client.send(lines(b"GET /v3/x?secret=s3cr3t HTTP/1.1", b"Host: s3cr3t s3cr3t", b"Authorization: Bearer s3cr3t", b"X s3cr3t: 1"))
    response = client.response()
    assert cause(response) == (400, "request_malformed")
    assert b"s3cr3t" not in response.body


def test_the_log_names_no_secret(plain: Rig) -> None:
    request_id = uuid.uuid4().hex
    head = (b"POST /v3/grants/s3cr3t@example.com/messages?q=s3cr3t HTTP/1.1", HOST, b"Authorization: Bearer s3cr3t", b"Content-Length: 6")
    answer = lines(b"HTTP/1.1 200 OK", b"Set-Cookie: s3cr3t", b"Content-Length: 6", body=b"s3cr3t")
    plain.exchange(with_request_id(lines(*head, body=b"s3cr3t"), request_id), answer)
    event = plain.proxy.logged_request(request_id)
    assert "s3cr3t" not in json.dumps(event)
    assert (event["method"], event["status"], event["attempts"]) == ("POST", 200, 1)


def test_an_own_error_in_a_body_reaches_a_client_that_is_still_sending(plain: Rig) -> None:
    client = plain.dial()
    client.send(lines(b"POST /v3/x HTTP/1.1", HOST, CHUNKED, body=b"zz\r\n"))
    client.send(b"x" * 500_000)
    assert_refused(client, 400, "request_malformed")
