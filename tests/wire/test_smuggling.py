"""What two parsers could read differently is refused, closes the connection, and never reaches upstream."""

from __future__ import annotations

import contextlib
import select
from typing import TYPE_CHECKING

import pytest

from wire.cases import CHUNKED, HOST, by_name, rows_by_name
from wire.rig import assert_refused
from wire.stream import DEADLINE_S, lines

if TYPE_CHECKING:
    from wire.rig import Rig
    from wire.stream import Stream

POST_LINE = b"POST /v3/x HTTP/1.1"
GET_LINE = b"GET /v3/x HTTP/1.1"
LAST_CHUNK = b"0\r\n\r\n"
SMUGGLED = lines(b"GET /v3/smuggled HTTP/1.1", HOST)


def post(*fields: bytes, body: bytes = LAST_CHUNK) -> bytes:
    return lines(POST_LINE, HOST, *fields, body=body)


def chunked(body: bytes) -> bytes:
    return post(CHUNKED, body=body)


MALFORMED = {
    "9112-6.3 CL then TE": post(b"Content-Length: 5", CHUNKED),
    "9112-6.3 TE then CL": post(CHUNKED, b"Content-Length: 5"),
    "9112-6.3 CL 0 and TE": post(CHUNKED, b"Content-Length: 0"),
    "9112-6.3 CL twice, different": post(b"Content-Length: 5", b"Content-Length: 6", body=b"123456"),
    "9112-6.3 CL twice, equal": post(b"Content-Length: 5", b"Content-Length: 5", body=b"12345"),
    "9112-6.3 CL as a list": post(b"Content-Length: 5, 5", body=b"12345"),
    "9110-8.6 CL with a plus": post(b"Content-Length: +5", body=b"12345"),
    "9110-8.6 CL negative": post(b"Content-Length: -1", body=b"12345"),
    "9110-8.6 CL empty": post(b"Content-Length:", body=b""),
    "9110-8.6 CL hexadecimal": post(b"Content-Length: 0x5", body=b"12345"),
    "9110-8.6 CL with a blank inside": post(b"Content-Length: 1 2", body=b"123456789012"),
    "9110-8.6 CL with a fraction": post(b"Content-Length: 5.0", body=b"12345"),
    "9110-8.6 CL over 64 bits": post(b"Content-Length: 18446744073709551621", body=b"12345"),
    "9110-8.6 CL of 40 digits": post(b"Content-Length: " + b"9" * 40, body=b"12345"),
    "9112-6.1 TE gzip": post(b"Transfer-Encoding: gzip"),
    "9112-6.1 TE gzip, chunked": post(b"Transfer-Encoding: gzip, chunked"),
    "9112-6.1 TE chunked, gzip": post(b"Transfer-Encoding: chunked, gzip"),
    "9112-6.1 TE chunked, chunked": post(b"Transfer-Encoding: chunked, chunked"),
    "9112-6.1 TE identity": post(b"Transfer-Encoding: identity"),
    "9112-6.1 TE xchunked": post(b"Transfer-Encoding: xchunked"),
    "9112-6.1 TE chunkedx": post(b"Transfer-Encoding: chunkedx"),
    "9112-6.1 TE chunked with a parameter": post(b"Transfer-Encoding: chunked;q=1"),
    "9112-6.1 TE twice": post(CHUNKED, CHUNKED),
    "9112-6.1 TE gzip and chunked on two lines": post(b"Transfer-Encoding: gzip", CHUNKED),
    "9112-6.1 TE chunked and identity on two lines": post(CHUNKED, b"Transfer-Encoding: identity"),
    "9112-6.1 TE empty": post(b"Transfer-Encoding:"),
    "9112-6.1 TE quoted": post(b'Transfer-Encoding: "chunked"'),
    "9112-6.1 TE after a vertical tab": post(b"Transfer-Encoding: \x0bchunked"),
    "9112-6.1 TE in HTTP/1.0": lines(b"POST /v3/x HTTP/1.0", HOST, CHUNKED, body=LAST_CHUNK),
    "9112-5.1 blank before the colon of CL": post(b"Content-Length : 5", body=b"12345"),
    "9112-5.1 blank before the colon of TE": post(b"Transfer-Encoding : chunked"),
    "9112-5.1 tab before the colon": post(b"Transfer-Encoding\t: chunked"),
    "9112-2.2 blank before the first field": lines(GET_LINE, b" Host: a"),
    "9112-5.2 obs-fold": lines(GET_LINE, HOST, b"X-A: 1", b" 2"),
    "9112-5.2 obs-fold with a tab": lines(GET_LINE, HOST, b"X-A: 1", b"\tTransfer-Encoding: chunked"),
    "9112-5.2 obs-fold of TE": post(b"Transfer-Encoding:", b" chunked"),
    "9112-2.2 bare LF after the request line": GET_LINE + b"\nHost: a\r\n\r\n",
    "9112-2.2 bare LF after a field": GET_LINE + b"\r\nHost: a\nX-A: 1\r\n\r\n",
    "9112-2.2 bare LF ends the head": GET_LINE + b"\r\nHost: a\r\n\n",
    "9112-2.2 only bare LF": GET_LINE + b"\nHost: a\n\n",
    "9112-2.2 bare CR in a value": lines(GET_LINE, HOST, b"X-A: 1\rX-B: 2"),
    "9112-2.2 CR CR LF": GET_LINE + b"\r\nHost: a\r\r\n\r\n",
    "9110-5.5 NUL in a value": lines(GET_LINE, HOST, b"X-A: 1\x002"),
    "9110-5.5 control byte in a value": lines(GET_LINE, HOST, b"X-A: 1\x012"),
    "9110-5.5 DEL in a value": lines(GET_LINE, HOST, b"X-A: 1\x7f2"),
    "9110-5.6.2 NUL in a name": lines(GET_LINE, HOST, b"X\x00A: 1"),
    "9110-5.6.2 blank in a name": lines(GET_LINE, HOST, b"X A: 1"),
    "9110-5.6.2 bracket in a name": lines(GET_LINE, HOST, b"X(A): 1"),
    "9110-5.6.2 byte above ASCII in a name": lines(GET_LINE, HOST, b"X-\xe9: 1"),
    "9112-5 field without a name": lines(GET_LINE, HOST, b": 1"),
    "9112-5 field without a colon": lines(GET_LINE, HOST, b"X-A"),
    "9112-3.2 no Host": lines(GET_LINE, b"X-A: 1"),
    "9112-3.2 two Hosts": lines(GET_LINE, HOST, b"Host: b"),
    "9112-3.2 two equal Hosts": lines(GET_LINE, HOST, HOST),
    "9112-3.2 Host with a blank": lines(GET_LINE, b"Host: a b"),
    "9112-3.2 Host with a path": lines(GET_LINE, b"Host: a/b"),
    "9112-3.2 Host with user information": lines(GET_LINE, b"Host: user@a"),
    "9112-3.2 Host with a port that is none": lines(GET_LINE, b"Host: a:8x"),
    "9112-3.2 Host as a list": lines(GET_LINE, b"Host: a, b"),
    "9112-3.2 no Host in absolute-form": lines(b"GET http://a/v3/x HTTP/1.1"),
    "9112-7.1 chunk size is no number": chunked(b"g\r\n12345\r\n0\r\n\r\n"),
    "9112-7.1 chunk size is empty": chunked(b"\r\n12345\r\n0\r\n\r\n"),
    "9112-7.1 chunk size is negative": chunked(b"-1\r\n12345\r\n0\r\n\r\n"),
    "9112-7.1 chunk size with a plus": chunked(b"+5\r\n12345\r\n0\r\n\r\n"),
    "9112-7.1 chunk size with 0x": chunked(b"0x5\r\n12345\r\n0\r\n\r\n"),
    "9112-7.1 chunk size with an underscore": chunked(b"0_5\r\n12345\r\n0\r\n\r\n"),
    "9112-7.1 blank before the chunk size": chunked(b" 5\r\n12345\r\n0\r\n\r\n"),
    "9112-7.1 blank after the chunk size": chunked(b"5 \r\n12345\r\n0\r\n\r\n"),
    "9112-7.1 chunk size over 64 bits": chunked(b"10000000000000005\r\n12345\r\n0\r\n\r\n"),
    "9112-7.1 LF after the chunk size": chunked(b"5\n12345\r\n0\r\n\r\n"),
    "9112-7.1 CR alone after the chunk size": chunked(b"5\r12345\r\n0\r\n\r\n"),
    "9112-7.1 LF after the chunk data": chunked(b"5\r\n12345\n0\r\n\r\n"),
    "9112-7.1 nothing after the chunk data": chunked(b"5\r\n123450\r\n\r\n"),
    "9112-7.1 data longer than the chunk size": chunked(b"3\r\n12345\r\n0\r\n\r\n"),
    "9112-7.1 LF after the last chunk": chunked(b"5\r\n12345\r\n0\n\r\n"),
    "9112-7.1 LF ends the body": chunked(b"5\r\n12345\r\n0\r\n\n"),
    "9112-7.1.1 LF in an extension": chunked(b"5;a\nb\r\n12345\r\n0\r\n\r\n"),
    "9112-7.1.1 NUL in an extension": chunked(b"5;a=\x00\r\n12345\r\n0\r\n\r\n"),
    "9110-6.5.1 CL among the trailers": chunked(b"5\r\n12345\r\n0\r\nContent-Length: 5\r\n\r\n"),
    "9110-6.5.1 TE among the trailers": chunked(b"5\r\n12345\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    "9112-7.1.2 LF in the trailers": chunked(b"5\r\n12345\r\n0\r\nX-A: 1\n\r\n"),
    "9112-7.1.2 trailer without a colon": chunked(b"5\r\n12345\r\n0\r\nX-A\r\n\r\n"),
}

MALFORMED_LINES = {
    "9112-3 HTTP/0.9 line": b"GET /v3/x\r\n",
    "9112-3 a word too many": b"GET /v3/x HTTP/1.1 y\r\nHost: a\r\n\r\n",
    "9112-3 blank after the version": b"GET /v3/x HTTP/1.1 \r\nHost: a\r\n\r\n",
    "9112-3 tab for a blank": b"GET\t/v3/x\tHTTP/1.1\r\nHost: a\r\n\r\n",
    "9112-2.2 blank before the method": b" GET /v3/x HTTP/1.1\r\nHost: a\r\n\r\n",
    "9112-2.3 version in small letters": b"GET /v3/x http/1.1\r\nHost: a\r\n\r\n",
    "9112-2.3 version of two digits": b"GET /v3/x HTTP/1.10\r\nHost: a\r\n\r\n",
    "9112-2.3 version without a point": b"GET /v3/x HTTP/11\r\nHost: a\r\n\r\n",
    "9112-2.3 another protocol": b"GET /v3/x ICAP/1.0\r\nHost: a\r\n\r\n",
    "9112-3.2 fragment in the target": b"GET /v3/x#y HTTP/1.1\r\nHost: a\r\n\r\n",
    "9112-3.2 fragment after the query": b"GET /v3/x?a=b#y HTTP/1.1\r\nHost: a\r\n\r\n",
    "9112-3.2.4 asterisk-form": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "9112-3.2.4 asterisk-form of GET": b"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
    "9112-3.2 target without a slash": b"GET v3/x HTTP/1.1\r\nHost: a\r\n\r\n",
    "9112-3.2 no target": b"GET HTTP/1.1\r\nHost: a\r\n\r\n",
    "9112-3.2 byte above ASCII in the target": b"GET /v3/\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
    "9112-3.2 NUL in the target": b"GET /v3/\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
    "9112-3.2 control byte in the target": b"GET /v3/\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    "9112-3.2 DEL in the target": b"GET /v3/\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
    "8446-4.1.2 a TLS ClientHello": bytes.fromhex("16030100c8010000c40303") + b"\x00" * 100,
    "9112-3 bytes of no protocol": b"\x00\xff\xfe\r\n\r\n",
}


IN_THE_BODY = {name: raw for name, raw in MALFORMED.items() if name.startswith("9112-7.1") or "trailers" in name}
IN_THE_HEAD = {name: raw for name, raw in {**MALFORMED, **MALFORMED_LINES}.items() if name not in IN_THE_BODY}


@pytest.mark.parametrize("request_bytes", by_name(IN_THE_HEAD))
def test_an_ambiguous_head_is_refused_and_never_reaches_upstream(plain: Rig, request_bytes: bytes) -> None:
    client = plain.dial()
    client.send(request_bytes + SMUGGLED)
    assert_refused(client, 400, "request_malformed")
    assert plain.origin.is_untouched()
    assert plain.legacy.is_untouched()


@pytest.mark.parametrize("request_bytes", by_name(IN_THE_BODY))
def test_an_ambiguous_body_is_refused_and_never_completes_upstream(plain: Rig, request_bytes: bytes) -> None:
    client = plain.dial()
    client.send(request_bytes + SMUGGLED)
    assert_refused(client, 400, "request_malformed")  # that nothing complete went upstream is checked when the rig settles


TOLERATED = {
    "9112-3 two blanks before the target": b"GET  /v3/x HTTP/1.1\r\nHost: a\r\n\r\n",
    "9112-3 two blanks before the version": b"GET /v3/x  HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", by_name(TOLERATED))
def test_what_a_server_may_tolerate_is_refused_or_sent_on_clean(plain: Rig, request_bytes: bytes) -> None:
    """RFC 9112 section 3: a recipient MAY split the request line at any blanks. What goes upstream has one of them."""
    client = plain.dial()
    client.send(request_bytes)
    if select.select([client.socket, *plain.origin.sockets()], [], [], DEADLINE_S)[0] != [client.socket]:
        received = plain.origin.next_request()
        assert received.head.start == b"GET /v3/x HTTP/1.1"
        received.answer()
        assert client.response().status == 200
    else:
        assert_refused(client, 400, "request_malformed")


UNSUPPORTED = {
    "9110-2.5 HTTP/2.0": (b"GET /v3/x HTTP/2.0", 505, "version_unsupported"),
    "9110-2.5 HTTP/1.2": (b"GET /v3/x HTTP/1.2", 505, "version_unsupported"),
    "9110-2.5 HTTP/3.0": (b"GET /v3/x HTTP/3.0", 505, "version_unsupported"),
    "9110-2.5 HTTP/0.9 with fields": (b"GET /v3/x HTTP/0.9", 505, "version_unsupported"),
    "9110-9.3.6 CONNECT": (b"CONNECT example.org:443 HTTP/1.1", 501, "method_unsupported"),
    "9110-9.1 a method of no list": (b"FROBNICATE /v3/x HTTP/1.1", 501, "method_unsupported"),
    "9110-9.1 methods are case-sensitive": (b"get /v3/x HTTP/1.1", 501, "method_unsupported"),
}


@pytest.mark.parametrize(("line", "status", "cause"), rows_by_name(UNSUPPORTED))
def test_an_unsupported_version_or_method_is_refused(plain: Rig, line: bytes, status: int, cause: str) -> None:
    client = plain.dial()
    client.send(lines(line, HOST) + SMUGGLED)
    assert_refused(client, status, cause)
    assert plain.origin.is_untouched()


def test_the_preface_of_http2_is_refused(plain: Rig) -> None:
    """RFC 9113 section 3.4: prior knowledge of HTTP/2 is not ours; whether version or target is named first is open."""
    client = plain.dial()
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert client.response().status in {400, 501, 505}
    assert client.is_closed()


@pytest.mark.parametrize(("line", "status", "cause"), rows_by_name(UNSUPPORTED))
def test_what_is_refused_does_not_depend_on_where_packets_are_cut(plain: Rig, line: bytes, status: int, cause: str) -> None:
    client = plain.dial()
    send_bytewise_what_is_taken(client, lines(line, HOST))
    assert_refused(client, status, cause)


@pytest.mark.parametrize("request_bytes", by_name({**IN_THE_HEAD, **IN_THE_BODY}))
def test_an_ambiguous_request_is_refused_when_it_comes_byte_by_byte(plain: Rig, request_bytes: bytes) -> None:
    client = plain.dial()
    send_bytewise_what_is_taken(client, request_bytes + SMUGGLED)
    assert_refused(client, 400, "request_malformed")


def send_bytewise_what_is_taken(client: Stream, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        client.send_bytewise(data)


@pytest.mark.parametrize("name", [b"Content-Length", b"Transfer-Encoding", b"Host"])
def test_connection_cannot_name_away_what_frames_a_request(plain: Rig, name: bytes) -> None:
    """RFC 9110 section 7.6.1: removing a framing field would make the body the next request."""
    framing, body = (b"Transfer-Encoding: chunked", b"5\r\n12345\r\n0\r\n\r\n") if name == b"Transfer-Encoding" else (b"Content-Length: 5", b"12345")
    received, response = plain.exchange(lines(POST_LINE, HOST, framing, b"Connection: " + name, body=body))
    assert received.body() == b"12345"
    assert received.head.value(b"host") == plain.origin.authority
    assert response.status == 200
