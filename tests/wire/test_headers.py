"""Header fields cross byte for byte, in order, with duplicates; those meant for one hop do not; little is added."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wire.cases import GET, HOST, by_name
from wire.stream import lines

if TYPE_CHECKING:
    from wire.lines import Fields
    from wire.rig import Rig

LINE = b"GET /v3/x HTTP/1.1"
ADDED_TO_ANSWERS = {b"x-request-id", b"x-nylas-proxy-attempts", b"x-nylas-proxy-waited"}

END_TO_END = {
    "9110-5.3 order and duplicates": [b"B: 1", b"A: 2", b"B: 3", b"A: 4"],
    "9110-5.1 letters of names": [b"x-LOWER: 1", b"X-lower: 2", b"X-LOWER: 3"],
    "9110-5.5 empty value": [b"X-Empty:", b"X-Blank: "],
    "9110-5.5 letters, blanks and marks inside": [b'X-A: a:b;c="d, e"\t f', b"X-B: ,,;;"],
    "9110-5.5 bytes above ASCII": [b"X-Utf8: caf\xc3\xa9", b"X-Latin1: caf\xe9", b"X-High: \x80\xff"],
    "9110-5.6.2 every character of a token": [b"!#$%&'*+-.^_`|~09azAZ: 1"],
    "9110-5.4 a value of 16 KB": [b"X-Long: " + b"v" * 16384],
    "9110-5.4 a name of 1 KB": [b"X-" + b"n" * 1024 + b": 1"],
    "9110-5.4 150 fields": [b"X-%d: %d" % (number, number) for number in range(150)],
    "9110-11.6.2 Authorization": [b"Authorization: Bearer nyk_v0_test"],
    "6265-4.2 cookies, one line or two": [b"Cookie: a=1; b=2", b"Cookie: c=3"],
    "9110-12.5 what the client accepts": [b"Accept: */*", b"Accept-Encoding: identity", b"User-Agent: test/1.0 (x)"],
    "9110-7.6.3 Via and Forwarded of others": [b"Via: 1.1 other", b"X-Forwarded-For: 192.0.2.1", b"Forwarded: for=192.0.2.1"],
    "9110-7.6.2 Max-Forwards": [b"Max-Forwards: 3"],
    "9110-14.2 Range": [b"Range: bytes=0-3", b'If-Range: "1"'],
    "9110-6.6.2 Trailer": [b"Trailer: X-Sum"],
    "product: the client's request id": [b"X-Request-Id: mine"],
    "product: a name that only resembles ours": [b"X-Nylas-Proxied: 1", b"X-Nylas: 2"],
}


def parsed(sent: list[bytes]) -> Fields:
    pairs = (line.partition(b":") for line in sent)
    return tuple((name, value.strip(b" \t")) for name, _, value in pairs)


@pytest.mark.parametrize("sent", by_name(END_TO_END))
def test_request_fields_reach_upstream_as_sent_and_nothing_is_added(plain: Rig, sent: list[bytes]) -> None:
    half = len(sent) // 2
    received, _ = plain.exchange(lines(LINE, *sent[:half], HOST, *sent[half:]))
    assert received.head.fields == (*parsed(sent[:half]), (b"Host", plain.origin.authority), *parsed(sent[half:]))


ANSWERED = {
    "9110-5.3 order, letters and duplicates": [b"b: 1", b"A: 2", b"B: 3", b"a: 4"],
    "6265-4.1 three cookies are three lines": [b"Set-Cookie: a=1; Path=/", b"Set-Cookie: b=2", b"set-cookie: c=3"],
    "9110-5.5 empty value": [b"X-Empty:", b"X-Blank: "],
    "9110-5.5 bytes above ASCII": [b"X-Utf8: caf\xc3\xa9", b"X-Latin1: caf\xe9", b"X-High: \x80\xff"],
    "9110-5.5 tabs and marks inside": [b'X-A: a\tb;c="d, e"'],
    "9110-5.4 a value of 16 KB": [b"X-Long: " + b"v" * 16384],
    "9110-5.4 100 fields": [b"X-%d: %d" % (number, number) for number in range(100)],
    "9110-8.4 Content-Encoding": [b"Content-Encoding: gzip", b"Vary: Accept-Encoding"],
    "9110-10.2 Date, Server, Via of upstream": [b"Date: Thu, 01 Jan 1970 00:00:00 GMT", b"Server: test", b"Via: 1.1 other"],
    "9110-8.3 Content-Type with parameters": [b'Content-Type: text/plain; charset="utf-8"'],
    "4.4 of the vendor's: limits": [b"X-RateLimit-Limit: 5", b"Retry-After: 3"],
}


@pytest.mark.parametrize("sent", by_name(ANSWERED))
def test_answer_fields_reach_the_client_as_sent_and_only_ours_are_added(plain: Rig, sent: list[bytes]) -> None:
    _, response = plain.exchange(GET, lines(b"HTTP/1.1 200 OK", *sent, b"Content-Length: 2", body=b"ok"))
    theirs = tuple((name, value) for name, value in response.head.fields if name.lower() not in ADDED_TO_ANSWERS)
    assert theirs == (*parsed(sent), (b"Content-Length", b"2"))
    assert {name.lower() for name, _ in response.head.fields} >= ADDED_TO_ANSWERS
    assert response.body == b"ok"


HOP_BY_HOP = {
    "9110-7.6.1 Connection": [b"Connection: keep-alive"],
    "9110-7.6.1 a field that Connection names": [b"Connection: X-Named", b"X-Named: 1"],
    "9110-7.6.1 named before, in other letters": [b"x-NAMED: 1", b"connection: X-nAmEd"],
    "9110-7.6.1 several named, on two lines": [
        b"Connection: X-Named, x-other",
        b"X-Other: 1",
        b"Connection: ,X-Third,",
        b"X-Third: 1",
        b"X-Named: 1",
    ],
    "9110-7.6.1 named twice": [b"Connection: X-Named, X-Named", b"X-Named: 1", b"X-Named: 2"],
    "9110-7.6.1 Keep-Alive": [b"Keep-Alive: timeout=5", b"Connection: keep-alive"],
    "9110-7.6.1 Keep-Alive without being named": [b"Keep-Alive: timeout=5"],
    "9110-7.6.1 Proxy-Connection": [b"Proxy-Connection: keep-alive"],
    "9110-7.8 Upgrade": [b"Connection: Upgrade", b"Upgrade: h2c, websocket"],
    "9110-7.8 Upgrade without being named": [b"Upgrade: websocket"],
}
FOR_REQUESTS_ONLY = {
    "9110-10.1.4 TE": [b"TE: trailers", b"Connection: TE"],
    "9110-10.1.4 TE without being named": [b"te: gzip"],
    "9110-11.7.2 Proxy-Authorization": [b"Proxy-Authorization: Basic dGVzdA=="],
    "7540-3.2.1 HTTP2-Settings, named": [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"],
    "product: ours": [b"X-Nylas-Proxy-Errors: shaped", b"x-nylas-proxy-whatever: 1"],
}
BEFORE, AFTER = b"X-Before: 1", b"X-After: 2"


@pytest.mark.parametrize("sent", by_name({**HOP_BY_HOP, **FOR_REQUESTS_ONLY}))
def test_fields_of_one_hop_stay_behind_on_the_way_up(plain: Rig, sent: list[bytes]) -> None:
    received, response = plain.exchange(lines(LINE, HOST, BEFORE, *sent, AFTER))
    assert received.head.fields == ((b"Host", plain.origin.authority), *parsed([BEFORE, AFTER]))
    assert response.body == b"ok"


@pytest.mark.parametrize("sent", by_name(HOP_BY_HOP))
def test_fields_of_one_hop_stay_behind_on_the_way_down(plain: Rig, sent: list[bytes]) -> None:
    _, response = plain.exchange(GET, lines(b"HTTP/1.1 200 OK", BEFORE, *sent, AFTER, b"Content-Length: 2", body=b"ok"))
    theirs = tuple((name, value) for name, value in response.head.fields if name.lower() not in ADDED_TO_ANSWERS)
    assert theirs == (*parsed([BEFORE, AFTER]), (b"Content-Length", b"2"))


def test_upstreams_request_id_is_kept_and_not_doubled(plain: Rig) -> None:
    _, response = plain.exchange(GET, lines(b"HTTP/1.1 200 OK", b"x-request-ID: theirs", b"Content-Length: 0"))
    assert response.head.values(b"x-request-id") == [b"theirs"]


def test_attempts_and_waiting_time_are_told(plain: Rig) -> None:
    _, response = plain.exchange(GET)
    assert response.value(b"x-nylas-proxy-attempts") == b"1"
    assert float(response.value(b"x-nylas-proxy-waited") or b"nan") == 0.0
    assert response.value(b"x-nylas-proxy-cause") is None


def test_a_compressed_body_is_left_alone(plain: Rig) -> None:
    """RFC 9110 section 7.7: a content coding is end to end; these bytes would not even decompress."""
    body = b"\x1f\x8b\x08\x00 no gzip at all"
    _, response = plain.exchange(GET, lines(b"HTTP/1.1 200 OK", b"Content-Encoding: gzip", b"Content-Length: %d" % len(body), body=body))
    assert response.body == body


def test_a_compressed_request_is_left_alone(plain: Rig) -> None:
    body = b"\x1f\x8b\x08\x00 no gzip at all"
    head = (b"POST /v3/x HTTP/1.1", HOST, b"Content-Encoding: gzip", b"Content-Length: %d" % len(body))
    received, _ = plain.exchange(lines(*head, body=body))
    assert received.body() == body
    assert received.head.value(b"content-encoding") == b"gzip"


def test_cookies_of_one_caller_are_not_sent_for_another(plain: Rig) -> None:
    plain.exchange(GET, lines(b"HTTP/1.1 200 OK", b"Set-Cookie: session=1; Path=/", b"Content-Length: 0"))
    received, _ = plain.exchange(GET)
    assert received.head.value(b"cookie") is None
