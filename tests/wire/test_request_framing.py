"""A request's body and framing reach upstream as they were sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from wire.cases import CHUNKED, GET, HOST, POST, by_name
from wire.stream import BrokenOff, chunks, lines

if TYPE_CHECKING:
    from wire.lines import Fields
    from wire.rig import Rig

MEGABYTE = bytes(range(256)) * 4096


@dataclass(frozen=True, slots=True)
class Case:
    """A request and what upstream has to see of it: the framing fields' values (None: absent), the body, the trailers."""

    raw: bytes
    body: bytes = b""
    length: bytes | None = None
    coding: bytes | None = None
    trailers: Fields = ()


def post(*fields: bytes, body: bytes = b"", method: bytes = b"POST") -> bytes:
    return lines(method + b" /v3/x HTTP/1.1", HOST, *fields, body=body)


def chunked(raw_body: bytes, body: bytes, trailers: Fields = (), *, coding: bytes = b"chunked") -> Case:
    return Case(post(b"Transfer-Encoding: " + coding, body=raw_body), body, coding=coding, trailers=trailers)


CASES = {
    "9112-6.3 GET without a body": Case(GET),
    "9112-6.3 POST without length or coding has no body": Case(post()),
    "9110-8.6 CL 0": Case(post(b"Content-Length: 0"), length=b"0"),
    "9110-8.6 CL 5": Case(post(b"Content-Length: 5", body=b"hello"), b"hello", length=b"5"),
    "9110-8.6 CL with leading zeros": Case(post(b"Content-Length: 005", body=b"hello"), b"hello", length=b"005"),
    "9112-5.1 CL without blanks": Case(post(b"Content-Length:5", body=b"hello"), b"hello", length=b"5"),
    "9112-5.1 CL amid blanks": Case(post(b"Content-Length: \t 5 \t", body=b"hello"), b"hello", length=b"5"),
    "9110-5.1 CL in capitals": Case(post(b"CONTENT-LENGTH: 5", body=b"hello"), b"hello", length=b"5"),
    "9110-8.6 CL of 1 MB": Case(post(b"Content-Length: %d" % len(MEGABYTE), body=MEGABYTE), MEGABYTE, length=b"%d" % len(MEGABYTE)),
    "9110-8.6 body that looks like a request": Case(post(b"Content-Length: %d" % len(GET), body=GET), GET, length=b"%d" % len(GET)),
    "9110-9.3.1 GET with a body": Case(post(b"Content-Length: 5", body=b"hello", method=b"GET"), b"hello", length=b"5"),
    "9110-9.3.5 DELETE with a body": Case(post(b"Content-Length: 5", body=b"hello", method=b"DELETE"), b"hello", length=b"5"),
    "9110-9.3.7 OPTIONS with a body": Case(post(b"Content-Length: 5", body=b"hello", method=b"OPTIONS"), b"hello", length=b"5"),
    "9112-7.1 GET in chunks": Case(post(CHUNKED, body=chunks([b"hello"]), method=b"GET"), b"hello", coding=b"chunked"),
    "9112-7.1 DELETE in chunks": Case(post(CHUNKED, body=chunks([b"hello"]), method=b"DELETE"), b"hello", coding=b"chunked"),
    "9112-7.1 one chunk": chunked(chunks([b"hello"]), b"hello"),
    "9112-7.1 no chunk but the last": chunked(chunks([]), b""),
    "9112-7.1 a chunk for every byte": chunked(chunks(bytes([byte]) for byte in b"hello world"), b"hello world"),
    "9112-7.1 chunks of odd sizes": chunked(chunks([b"a" * 15, b"b" * 16, b"c" * 17, b"d" * 4097]), b"a" * 15 + b"b" * 16 + b"c" * 17 + b"d" * 4097),
    "9112-7.1 a chunk of 1 MB": chunked(chunks([MEGABYTE]), MEGABYTE),
    "9112-7.1 size in capitals": chunked(b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "9112-7.1 size in small letters": chunked(b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    "9112-7.1 size with leading zeros": chunked(b"0005\r\nhello\r\n000\r\n\r\n", b"hello"),
    "9112-7.1.1 extension": chunked(b"5;a=b\r\nhello\r\n0;c\r\n\r\n", b"hello"),
    "9112-7.1.1 quoted extension": chunked(b'5;a="b c"\r\nhello\r\n0\r\n\r\n', b"hello"),
    "9112-7.1.2 trailer": chunked(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", b"hello", ((b"X-Sum", b"1"),)),
    "9112-7.1.2 trailers, twice the same": chunked(chunks([b"hello"], b"X-A: 1", b"x-a: 2"), b"hello", ((b"X-A", b"1"), (b"x-a", b"2"))),
    "9112-7.1.2 trailer without a body": chunked(chunks([], b"X-A: 1"), b"", ((b"X-A", b"1"),)),
    "9110-10.1.4 coding in other letters": chunked(chunks([b"hello"]), b"hello", coding=b"Chunked"),
    "9112-7.1 chunk data that look like the end": chunked(chunks([b"0\r\n\r\n"]), b"0\r\n\r\n"),
    "9112-2.2 empty lines before the request": Case(b"\r\n\r\n" + post(b"Content-Length: 5", body=b"hello"), b"hello", length=b"5"),
}


def assert_arrives_as_sent(rig: Rig, case: Case, *, bytewise: bool) -> None:
    client = rig.dial()
    if bytewise:
        client.send_bytewise(case.raw)
    else:
        client.send(case.raw)
    received = rig.origin.next_request()
    received.answer()
    assert client.response().status == 200
    assert received.body() == case.body
    assert received.head.value(b"content-length") == case.length
    assert received.head.value(b"transfer-encoding") == case.coding
    assert received.trailers == case.trailers


@pytest.mark.parametrize("case", by_name(CASES))
def test_body_and_framing_reach_upstream_as_sent(plain: Rig, case: Case) -> None:
    assert_arrives_as_sent(plain, case, bytewise=False)


@pytest.mark.parametrize("case", by_name({name: case for name, case in CASES.items() if len(case.raw) < 1000}))
def test_a_request_may_come_byte_by_byte(plain: Rig, case: Case) -> None:
    assert_arrives_as_sent(plain, case, bytewise=True)


def test_http10_request_with_a_length_goes_upstream_as_http11(plain: Rig) -> None:
    """RFC 9112 section 2.3: a proxy sends its own version."""
    received, response = plain.exchange(lines(b"POST /v3/x HTTP/1.0", HOST, b"Content-Length: 5", body=b"hello"))
    assert received.line.minor == 1
    assert received.body() == b"hello"
    assert response.status == 200


def test_http10_request_without_host_gets_upstreams(plain: Rig) -> None:
    """RFC 9112 section 3.2: only HTTP/1.1 requires a Host of the client."""
    received, _ = plain.exchange(lines(b"GET /v3/x HTTP/1.0"))
    assert received.head.values(b"host") == [plain.origin.authority]


FORBIDDEN_TRAILERS = [
    b"Host: b",
    b"Content-Type: a/b",
    b"Connection: close",
    b"Keep-Alive: 1",
    b"TE: gzip",
    b"Upgrade: a",
    b"X-Nylas-Proxy-Errors: raw",
]


@pytest.mark.parametrize("trailer", FORBIDDEN_TRAILERS)
def test_trailers_that_may_not_be_trailers_do_not_reach_upstream(plain: Rig, trailer: bytes) -> None:
    """RFC 9110 section 6.5.1: refused, or left out as section 7.6.1 asks for fields of one hop."""
    client = plain.dial()
    client.send(post(CHUNKED, body=chunks([b"hello"], b"X-Sum: 1", trailer)))
    received = plain.origin.next_request()
    try:
        received.answer()
    except BrokenOff:
        assert client.response().status == 400
        return
    assert received.trailers == ((b"X-Sum", b"1"),)
    assert client.response().status == 200


METHODS = (
    b"DELETE GET HEAD POST PUT OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND UNBIND ACL REPORT MKACTIVITY "
    b"CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK UNLINK SOURCE QUERY"
).split()


@pytest.mark.parametrize("method", [pytest.param(method, id=f"9110-9.1 {method.decode()}") for method in METHODS])
def test_every_method_that_the_parser_knows_passes(plain: Rig, method: bytes) -> None:
    received, response = plain.exchange(lines(method + b" /v3/x HTTP/1.1", HOST), method=method)
    assert (received.line.method, response.status) == (method, 200)


EXPECTING = POST[:-12] + b"Expect: 100-continue\r\n\r\n"


def test_expect_continue_is_forwarded_and_upstreams_100_is_relayed(plain: Rig) -> None:
    """RFC 9110 section 10.1.1: the proxy forwards the expectation; the go-ahead is upstream's."""
    client = plain.dial()
    client.send(EXPECTING)
    received = plain.origin.next_request()
    assert received.head.value(b"expect") == b"100-continue"
    received.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert client.head().start == b"HTTP/1.1 100 Continue"
    client.send(b"0123456789")
    received.answer()
    assert received.body() == b"0123456789"
    assert client.response().status == 200


def test_a_client_that_does_not_wait_for_the_100_may_send_at_once(plain: Rig) -> None:
    """RFC 9110 section 10.1.1: a client may go on without the interim answer."""
    client = plain.dial()
    client.send(EXPECTING + b"0123456789")
    received = plain.origin.next_request()
    received.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    received.answer()
    assert received.body() == b"0123456789"
    assert [head.start for head in client.response().interim] == [b"HTTP/1.1 100 Continue"]


def test_a_final_answer_instead_of_the_100_is_relayed_and_ends_the_connection(plain: Rig) -> None:
    """RFC 9110 section 10.1.1: the body was never sent, so nobody can tell where the next request begins."""
    client = plain.dial()
    client.send(EXPECTING)
    received = plain.origin.next_request()
    received.send(lines(b"HTTP/1.1 417 Expectation Failed", b"Content-Length: 0"))
    response = client.response()
    assert response.status == 417
    assert response.value(b"connection") == b"close"
    assert client.is_closed()
    assert received.stream.is_closed()


@pytest.mark.parametrize("status", [b"100 Continue", b"103 Early Hints"])
def test_interim_answers_are_kept_from_http10_clients(plain: Rig, status: bytes) -> None:
    """RFC 9110 section 15.2: a 1xx must not be sent to an HTTP/1.0 client."""
    client = plain.dial()
    client.send(lines(b"GET /v3/x HTTP/1.0", HOST))
    received = plain.origin.next_request()
    received.send(lines(b"HTTP/1.1 " + status))
    received.answer()
    response = client.response()
    assert (response.status, response.interim) == (200, ())
