from __future__ import annotations

import pytest
from builders import NOW, OUR_ID, a_context, a_reply, a_verdict, normalised
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.headers import REQUEST_ID_MAX_CHARS
from proxy.core.model import Cause, Fields
from proxy.core.normalise import untouched


def fields_of(fields: Fields = (), body: object = b"{}", retry_after_s: float | None = None, status: int = 400) -> list[tuple[bytes, bytes]]:
    return list(normalised(a_reply(status, body, fields), verdict=a_verdict(Cause.UNKNOWN, retry_after_s=retry_after_s)).fields)


def value_of(name: bytes, fields: list[tuple[bytes, bytes]]) -> bytes | None:
    found = [value for key, value in fields if key.lower() == name]
    assert len(found) <= 1
    return found[0] if found else None


def test_fields_of_upstream_stay_in_order_with_their_case_and_duplicates() -> None:
    kept = [
        (b"SERVER", b"x"),
        (b"Set-Cookie", b"a=1"),
        (b"WWW-Authenticate", b'Basic realm="API"'),
        (b"set-cookie", b"b=\xff"),
        (b"Nylas-Provider-Request-Count", b"1"),
    ]
    assert fields_of(tuple(kept))[: len(kept)] == kept


@pytest.mark.parametrize(
    "name",
    [
        b"Content-Length", b"Content-Type", b"Content-Encoding", b"Transfer-Encoding", b"Trailer", b"ETag", b"Content-MD5", b"Digest",
        b"Content-Digest", b"Repr-Digest", b"Content-Range", b"Accept-Ranges", b"Last-Modified", b"X-Nylas-Proxy-Waited", b"x-nylas-proxy-cause",
    ],
)  # fmt: skip
def test_fields_that_described_the_body_or_are_ours_do_not_stay(name: bytes) -> None:
    assert (name, b"theirs") not in fields_of(((name, b"theirs"),) if name != b"Content-Encoding" else ((name, b"gzip"),))
    assert len([key for key, _ in fields_of(((name, b"identity"),)) if key.lower() == name.lower()]) <= 1


def test_the_content_type_is_exactly_json() -> None:
    assert value_of(b"content-type", fields_of(((b"content-type", b"application/json; charset=utf-8"),))) == b"application/json"


@pytest.mark.parametrize(("wait_s", "value"), [(None, None), (0.0, b"1"), (0.249, b"1"), (7.0, b"7"), (7.01, b"8")])
def test_retry_after_is_a_whole_number_of_at_least_one_and_the_verdicts(wait_s: float | None, value: bytes | None) -> None:
    for upstream in (b"0", b"Tue, 14 Nov 2023 22:23:20 GMT", b"soon"):
        assert value_of(b"retry-after", fields_of(((b"retry-after", upstream),), retry_after_s=wait_s)) == value


@pytest.mark.parametrize("name", [b"X-RateLimit-Limit", b"x-ratelimit-reset"])
@pytest.mark.parametrize(
    ("value", "whole"),
    [(b"500", b"500"), (b" 10 ", b" 10 "), (b"9.2", b"10"), (b"Tue, 14 Nov 2023 22:23:20 GMT", b"600"), (b"abcd", None), (b"", None), (b"-3", None)],
)
def test_limits_are_whole_numbers_or_left_out(name: bytes, value: bytes, whole: bytes | None) -> None:
    assert (name, whole) in fields_of(((name, value),)) if whole else value_of(name, fields_of(((name, value),))) is None
    assert NOW + 600 == 1_700_000_600  # the date above


@pytest.mark.parametrize(
    ("header", "in_body", "expected"),
    [
        (b"from-header", "from-body", b"from-header"),
        (None, "from-body", b"from-body"),
        (b"", "from-body", b"from-body"),
        (b"  ", "from-body", b"from-body"),
        (None, "a\r\nSet-Cookie: x=1", b"aSet-Cookie:x=1"),
        (None, "\u20ac\u00e9 \t", OUR_ID.encode()),
        (None, "i" * 5000, b"i" * REQUEST_ID_MAX_CHARS),
        (None, 5, OUR_ID.encode()),
        (None, "", OUR_ID.encode()),
    ],
)
def test_the_request_id_is_upstreams_where_it_named_one_that_fits_a_header(header: bytes | None, in_body: object, expected: bytes) -> None:
    fields = ((b"Server", b"x"),) if header is None else ((b"Server", b"x"), (b"x-request-id", header))
    answered = fields_of(fields, {"request_id": in_body})
    assert value_of(b"x-request-id", answered) == expected
    assert value_of(b"server", answered) == b"x"


def test_the_body_names_the_id_of_the_header_where_it_had_none() -> None:
    answer = normalised(a_reply(502, b"", ((b"X-Request-Id", b"hdr-req-42"),)))
    assert b'"request_id":"hdr-req-42"' in answer.body


def test_every_error_tells_origin_cause_and_attempts() -> None:
    fields = normalised(a_reply(429, {"error": {"type": "nylas_rate_limit_exceeded"}}), attempts=3).fields
    assert fields[-3:] == ((b"X-Nylas-Proxy-Origin", b"nylas"), (b"X-Nylas-Proxy-Cause", b"rate_limit_nylas"), (b"X-Nylas-Proxy-Attempts", b"3"))


def test_an_untouched_error_keeps_body_and_fields_and_gains_ours() -> None:
    fields = ((b"Content-Type", b"text/html"), (b"Content-Encoding", b"br"), (b"ETag", b'"x"'), (b"Retry-After", b"0"), (b"content-length", b"9"))
    answer = untouched(a_reply(503, b"\x0b\x02\x80raw", fields), a_verdict(), OUR_ID, 2)
    assert (answer.status, answer.body) == (503, b"\x0b\x02\x80raw")
    assert answer.fields == (
        *fields[:4],
        (b"Content-Length", b"6"),
        (b"X-Request-Id", OUR_ID.encode()),
        (b"X-Nylas-Proxy-Origin", b"nylas"),
        (b"X-Nylas-Proxy-Cause", b"unknown"),
        (b"X-Nylas-Proxy-Attempts", b"2"),
    )


def test_an_untouched_error_keeps_upstreams_request_id() -> None:
    answer = untouched(a_reply(503, b"x", ((b"x-request-id", b"theirs"), (b"X-Nylas-Proxy-Attempts", b"9"))), a_verdict(), OUR_ID, 1)
    assert [value for name, value in answer.fields if name.lower() in {b"x-request-id", b"x-nylas-proxy-attempts"}] == [b"theirs", b"1"]


@pytest.mark.parametrize("coding", [b"br", b"zstd"])
def test_an_error_in_a_coding_that_only_the_client_reads_stays_as_it_is(coding: bytes) -> None:
    reply = a_reply(502, b"\x0b\x02\x80raw", ((b"Content-Encoding", coding), (b"Content-Type", b"text/html")))
    assert normalised(reply) == untouched(reply, a_verdict(Cause.UPSTREAM_UNAVAILABLE), OUR_ID, 1)


def test_an_error_in_such_a_coding_that_was_cut_is_told_by_its_status() -> None:
    answer = normalised(a_reply(502, b"\x0b\x02\x80raw", ((b"Content-Encoding", b"br"),), cut=True))
    assert b'"type":"api.internal_error"' in answer.body
    assert value_of(b"content-encoding", list(answer.fields)) is None


@given(st.text(max_size=200))
def test_no_text_of_upstream_can_end_a_header_line(request_id: str) -> None:
    value = value_of(b"x-request-id", fields_of((), {"request_id": request_id}))
    assert value
    assert all(0x21 <= byte <= 0x7E for byte in value)


def test_a_context_of_the_same_route_gives_the_same_fields() -> None:
    assert normalised(a_reply(), a_context()) == normalised(a_reply(), a_context())
