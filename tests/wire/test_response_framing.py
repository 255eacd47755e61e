"""An answer's body, framing, status line and interim answers reach the client as upstream sent them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from wire.cases import CHUNKED, GET, HEAD, by_name
from wire.stream import chunks, lines
from wire.strict import HOP_BY_HOP

if TYPE_CHECKING:
    from wire.lines import Fields
    from wire.rig import Rig

OLD_GET = b"GET /v3/x HTTP/1.0\r\nHost: a\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Case:
    """What upstream sends before it closes, and what the client has to get: framing by the name of the judge's decoder."""

    raw: bytes
    body: bytes
    framing: str
    trailers: Fields = ()


def ok(*fields: bytes, body: bytes = b"", line: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return lines(line, *fields, body=body)


CASES = {
    "9112-6.2 CL": Case(ok(b"Content-Length: 5", body=b"hello"), b"hello", "Sized"),
    "9112-6.2 CL 0": Case(ok(b"Content-Length: 0"), b"", "Sized"),
    "9112-6.2 CL of a body that looks like an answer": Case(
        ok(b"Content-Length: 19", body=b"HTTP/1.1 200 OK\r\n\r\n"), b"HTTP/1.1 200 OK\r\n\r\n", "Sized"
    ),
    "9112-7.1 one chunk": Case(ok(CHUNKED, body=chunks([b"hello"])), b"hello", "Chunked"),
    "9112-7.1 no chunk but the last": Case(ok(CHUNKED, body=chunks([])), b"", "Chunked"),
    "9112-7.1 a chunk for every byte": Case(ok(CHUNKED, body=chunks(bytes([byte]) for byte in b"hello")), b"hello", "Chunked"),
    "9112-7.1 chunks of odd sizes": Case(ok(CHUNKED, body=chunks([b"a" * 15, b"b" * 65537])), b"a" * 15 + b"b" * 65537, "Chunked"),
    "9112-7.1 size in capitals, leading zeros": Case(ok(CHUNKED, body=b"00A\r\n0123456789\r\n00\r\n\r\n"), b"0123456789", "Chunked"),
    "9112-7.1.1 extensions": Case(ok(CHUNKED, body=b'5;a="b;c"\r\nhello\r\n0;d\r\n\r\n'), b"hello", "Chunked"),
    "9112-7.1.2 trailers": Case(
        ok(CHUNKED, body=chunks([b"hello"], b"X-Sum: 1", b"x-sum: 2")), b"hello", "Chunked", ((b"X-Sum", b"1"), (b"x-sum", b"2"))
    ),
    "9112-6.3 until the connection ends": Case(ok(body=b"hello"), b"hello", "UntilClose"),
    "9112-6.3 empty until the connection ends": Case(ok(), b"", "UntilClose"),
    "9112-9.6 CL and close": Case(ok(b"Content-Length: 5", b"Connection: close", body=b"hello"), b"hello", "Sized"),
    "9112-9.3 HTTP/1.0 with CL": Case(ok(b"Content-Length: 5", body=b"hello", line=b"HTTP/1.0 200 OK"), b"hello", "Sized"),
    "9112-9.3 HTTP/1.0 until the connection ends": Case(ok(body=b"hello", line=b"HTTP/1.0 200 OK"), b"hello", "UntilClose"),
    "9112-9.3 HTTP/1.0 keep-alive": Case(
        ok(b"Content-Length: 5", b"Connection: keep-alive", body=b"hello", line=b"HTTP/1.0 200 OK"), b"hello", "Sized"
    ),
    "9110-15.3.5 204": Case(ok(line=b"HTTP/1.1 204 No Content"), b"", "Sized"),
    "9110-15.4.5 304 with the length of the other answer": Case(ok(b"Content-Length: 99", line=b"HTTP/1.1 304 Not Modified"), b"", "Sized"),
    "9110-15.4.5 304 without a length": Case(ok(b'ETag: "1"', line=b"HTTP/1.1 304 Not Modified"), b"", "Sized"),
    "9110-15 a status of no list": Case(ok(b"Content-Length: 5", body=b"hello", line=b"HTTP/1.1 299 Whatever"), b"hello", "Sized"),
    "9110-15.4.3 a redirect is not followed": Case(
        ok(b"Location: http://a/", b"Content-Length: 5", body=b"moved", line=b"HTTP/1.1 302 Found"), b"moved", "Sized"
    ),
}


@pytest.mark.parametrize("case", by_name(CASES))
def test_body_and_framing_reach_the_client_as_sent(plain: Rig, case: Case) -> None:
    client, response = plain.relayed(case.raw)
    assert response.line.status == int(case.raw[9:12])
    assert (response.body, response.framing, response.trailers) == (case.body, case.framing, case.trailers)
    if case.framing == "UntilClose":
        assert client.is_closed()
    else:
        assert client.is_silent()


@pytest.mark.parametrize("case", by_name({name: case for name, case in CASES.items() if len(case.raw) < 1000}))
def test_an_answer_may_come_byte_by_byte(plain: Rig, case: Case) -> None:
    client = plain.dial()
    client.send(GET)
    received = plain.origin.next_request()
    received.stream.send_bytewise(case.raw)
    received.stream.close()
    response = client.response()
    assert (response.body, response.framing, response.trailers) == (case.body, case.framing, case.trailers)


@pytest.mark.parametrize("case", by_name(CASES))
def test_an_http10_client_gets_no_chunks_and_an_end_after_each_answer(plain: Rig, case: Case) -> None:
    """RFC 9112 section 7.1: chunked only to those who said HTTP/1.1; section 9.3: no persistence by default in HTTP/1.0."""
    client, response = plain.relayed(case.raw, request=OLD_GET)
    assert response.value(b"transfer-encoding") is None
    assert response.body == case.body
    assert client.is_closed()


@pytest.mark.parametrize(
    ("raw", "length"),
    [
        pytest.param(ok(b"Content-Length: 12345"), b"12345", id="9110-9.3.2 with the length of GET's answer"),
        pytest.param(ok(b"Content-Length: 0"), b"0", id="9110-9.3.2 with length 0"),
        pytest.param(ok(CHUNKED), None, id="9110-9.3.2 chunked"),
        pytest.param(ok(), None, id="9110-9.3.2 without framing"),
        pytest.param(ok(b"Content-Length: 7", line=b"HTTP/1.1 206 Partial Content"), b"7", id="9110-9.3.2 another status"),
    ],
)
def test_an_answer_to_head_has_no_body_and_keeps_its_fields(plain: Rig, raw: bytes, length: bytes | None) -> None:
    client, response = plain.relayed(raw, request=HEAD, method=b"HEAD")
    assert (response.body, response.value(b"content-length")) == (b"", length)
    assert client.is_silent()


def test_an_answer_to_head_is_complete_while_upstream_stays(plain: Rig) -> None:
    received, response = plain.exchange(HEAD, ok(b"Content-Length: 12345"), method=b"HEAD")
    assert response.status == 200
    received, response = plain.exchange(GET)
    assert not received.is_first  # the connection was free again
    assert response.body == b"ok"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param(ok(line=b"HTTP/1.1 204 No Content"), 204, id="9110-15.3.5 204"),
        pytest.param(ok(line=b"HTTP/1.1 304 Not Modified"), 304, id="9110-15.4.5 304"),
    ],
)
def test_an_answer_without_a_body_is_complete_while_upstream_stays(plain: Rig, raw: bytes, status: int) -> None:
    _, response = plain.exchange(GET, raw)
    assert response.status == status
    received, response = plain.exchange(GET)
    assert not received.is_first
    assert response.body == b"ok"


@pytest.mark.parametrize(
    "interim",
    [
        pytest.param([b"HTTP/1.1 100 Continue"], id="9110-15.2.1 100 that nobody asked for"),
        pytest.param([b"HTTP/1.1 102 Processing"], id="9110-15.2 102"),
        pytest.param([b"HTTP/1.1 103 Early Hints"], id="8297-2 103"),
        pytest.param([b"HTTP/1.1 103 Early Hints", b"HTTP/1.1 103 Early Hints", b"HTTP/1.1 100 Continue"], id="9110-15.2 several"),
        pytest.param([b"HTTP/1.1 199 Whatever"], id="9110-15.2 of no list"),
    ],
)
def test_interim_answers_are_relayed_in_order(plain: Rig, interim: list[bytes]) -> None:
    raw = b"".join(lines(line, b"Link: </a>") for line in interim)
    _, response = plain.exchange(GET, raw + ok(b"Content-Length: 2", body=b"ok"))
    assert [head.start for head in response.interim] == interim
    assert all(head.value(b"link") == b"</a>" for head in response.interim)
    assert response.body == b"ok"


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"HTTP/1.1 200 Alles klar", id="9112-4 other words"),
        pytest.param(b"HTTP/1.1 200 ", id="9112-4 empty"),
        pytest.param(b"HTTP/1.1 200 caf\xe9", id="9112-4 byte above ASCII"),
    ],
)
def test_the_reason_is_kept(plain: Rig, line: bytes) -> None:
    _, response = plain.exchange(GET, ok(b"Content-Length: 0", line=line))
    assert response.head.start == line


def test_bytes_after_a_complete_answer_reach_nobody(plain: Rig) -> None:
    """RFC 9112 section 9.2 and 11.1: unasked bytes would be taken for the answer to the next request."""
    client = plain.dial()
    client.send(GET)
    plain.origin.next_request().send(ok(b"Content-Length: 2", body=b"ok") + ok(b"Content-Length: 4", body=b"evil"))
    assert client.response().body == b"ok"
    client.send(GET)
    received = plain.origin.next_request()
    assert received.is_first
    received.answer()
    assert client.response().body == b"ok"


@pytest.mark.parametrize("trailer", [b"Content-Type: a/b", b"Connection: close", b"Keep-Alive: 1", b"Upgrade: a", b"Set-Cookie: a=1"])
def test_trailers_of_one_hop_do_not_reach_the_client(plain: Rig, trailer: bytes) -> None:
    """RFC 9110 section 7.6.1; a trailer that is meant for the recipient (section 6.5.1) is passed on, wise or not."""
    _, response = plain.exchange(GET, ok(CHUNKED, body=chunks([b"hello"], b"X-Sum: 1", trailer)))
    assert (b"X-Sum", b"1") in response.trailers
    assert not {name.lower() for name, _ in response.trailers} & HOP_BY_HOP
