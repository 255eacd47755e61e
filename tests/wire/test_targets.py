"""Path and query reach upstream as raw bytes; the path alone chooses the upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wire.cases import HOST, by_name, rows_by_name
from wire.rig import cause
from wire.stream import chunks, lines

if TYPE_CHECKING:
    from wire.rig import Rig


AS_SENT = {
    "3986-2.1 encoded slash in capitals": b"/v3/a%2Fb",
    "3986-2.1 encoded slash in small letters": b"/v3/a%2fb",
    "3986-2.3 encoded unreserved": b"/v3/%7Euser%2E%2D%61",
    "3986-2.1 twice encoded": b"/v3/a%252Fb",
    "3986-2.1 encoded nothing": b"/v3/a%zzb%",
    "3986-2.1 encoded NUL and line end": b"/v3/%00%0d%0a",
    "3986-3.3 dot segments": b"/v3/a/../b/./c",
    "3986-3.3 dot segments that leave": b"/v3/../../a",
    "3986-3.3 encoded dot segments": b"/v3/%2e%2e/a",
    "3986-3.3 doubled slash inside": b"/v3/a//b///c",
    "3986-3.3 slash at the end": b"/v3/a/",
    "3986-3.3 parameters": b"/v3/a;b=c,d;e",
    "3986-3.3 sub-delimiters": b"/v3/!$&'()*+,;=:@",
    "3986-3.3 an address": b"/v3/grants/user@example.com/messages",
    "3986-2.4 plus": b"/v3/a+b?c+d=e+f",
    "3986-3.4 empty query": b"/v3/a?",
    "3986-3.4 empty value and name": b"/v3/a?b=&=c&&d",
    "3986-3.4 question marks": b"/v3/a??b=c?d",
    "3986-3.4 slashes in the query": b"/v3/a?b=/c//d/../e",
    "3986-3.4 URL in the query": b"/v3/a?next=https://example.com/%3Fa%3Db",
    "3986-3.4 encoded delimiters": b"/v3/a?b%3Dc=d%26e&f=%20%2B",
    "3986-3.4 order and duplicates": b"/v3/a?b=2&a=1&b=1&a=2",
    "3986-3.4 brackets": b"/v3/a?b[]=1&b[0]=2",
    "9112-3.2 marks that no URI may hold": b'/v3/a"<>^`{|}\\?b"<>^`{|}\\',
    "9112-3.1 4 KB of path": b"/v3/" + b"p" * 4096,
    "9112-3.1 16 KB of query": b"/v3/a?" + b"q" * 16384,
    "9112-3.2.1 only the prefix": b"/v3/",
}
COLLAPSED = {
    "product: // at the beginning": (b"//v3/a", b"/v3/a"),
    "product: //// at the beginning": (b"////v3/a//b", b"/v3/a//b"),
    "9112-3.2.2 absolute-form": (b"http://other.example/v3/a?b=c", b"/v3/a?b=c"),
    "9112-3.2.2 absolute-form with a port": (b"http://other.example:99/v3/a", b"/v3/a"),
    "9112-3.2.2 absolute-form of https": (b"https://other.example/v3/a%2Fb", b"/v3/a%2Fb"),
    "9112-3.2.2 absolute-form with capitals": (b"HTTP://Other.Example/v3/a", b"/v3/a"),
    "9112-3.2.2 absolute-form with //": (b"http://other.example//v3/a", b"/v3/a"),
}
ELSEWHERE = {
    "product: v2 path": (b"/messages?limit=1", b"/messages?limit=1"),
    "product: root": (b"/", b"/"),
    "product: root with a query": (b"/?a=b", b"/?a=b"),
    "product: // alone": (b"//", b"/"),
    "product: prefix without its slash": (b"/v3", b"/v3"),
    "product: prefix with more letters": (b"/v30/a", b"/v30/a"),
    "product: prefix in a capital": (b"/V3/a", b"/V3/a"),
    "product: prefix in the middle": (b"/a/v3/b", b"/a/v3/b"),
    "product: prefix in the query": (b"/a?/v3/", b"/a?/v3/"),
    "product: encoded prefix": (b"/%76%33/a", b"/%76%33/a"),
    "product: dot segments are no prefix": (b"/./v3/a", b"/./v3/a"),
    "9112-3.2.2 absolute-form without a path": (b"http://other.example", b"/"),
    "9112-3.2.2 absolute-form with a query alone": (b"http://other.example?a=b", b"/?a=b"),
}


@pytest.mark.parametrize("target", by_name(AS_SENT))
def test_path_and_query_reach_upstream_as_sent(plain: Rig, target: bytes) -> None:
    received, _ = plain.exchange(lines(b"GET " + target + b" HTTP/1.1", HOST))
    assert received.target == target
    assert plain.legacy.is_untouched()


@pytest.mark.parametrize(("sent", "expected"), rows_by_name(COLLAPSED))
def test_of_a_target_the_path_counts(plain: Rig, sent: bytes, expected: bytes) -> None:
    received, _ = plain.exchange(lines(b"GET " + sent + b" HTTP/1.1", HOST))
    assert received.target == expected
    assert received.head.values(b"host") == [plain.origin.authority]


@pytest.mark.parametrize(("sent", "expected"), rows_by_name(ELSEWHERE))
def test_paths_outside_v3_go_to_the_other_upstream(plain: Rig, sent: bytes, expected: bytes) -> None:
    client = plain.dial()
    client.send(lines(b"GET " + sent + b" HTTP/1.1", HOST))
    received = plain.legacy.next_request()
    received.answer()
    assert client.response().status == 200
    assert received.target == expected
    assert received.head.values(b"host") == [plain.legacy.authority]
    assert plain.origin.is_untouched()


def test_both_upstreams_serve_one_client_connection(plain: Rig) -> None:
    client = plain.dial()
    for origin, target in ((plain.origin, b"/v3/a"), (plain.legacy, b"/a"), (plain.origin, b"/v3/b")):
        client.send(lines(b"GET " + target + b" HTTP/1.1", HOST))
        received = origin.next_request()
        received.answer()
        assert received.target == target
        assert client.response().status == 200


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("target", [b"/v3/connect/auth", b"/v3/connect/auth?client_id=a&state=%2F+b", b"/oauth/authorize?x=%zz", b"/oauth/authorize"])
def test_hosted_authentication_is_redirected_to_the_public_host(plain: Rig, method: bytes, target: bytes) -> None:
    client = plain.dial()
    client.send(lines(method + b" " + target + b" HTTP/1.1", HOST))
    response = client.response(method=method)
    origin = plain.origin if target.startswith(b"/v3/") else plain.legacy
    assert response.status == 302
    assert response.value(b"location") == origin.url.encode() + target
    assert plain.origin.is_untouched()
    assert plain.legacy.is_untouched()


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        pytest.param([], b"", id="without framing"),
        pytest.param([b"Content-Length: 0"], b"", id="CL 0"),
        pytest.param([b"Transfer-Encoding: chunked"], chunks([]), id="chunked with nothing in it"),
    ],
)
def test_a_put_without_a_body_is_refused_on_v2(plain: Rig, fields: list[bytes], body: bytes) -> None:
    client = plain.dial()
    client.send(lines(b"PUT /messages/1 HTTP/1.1", HOST, *fields, body=body))
    response = client.response()
    assert cause(response) == (400, "empty_put_body")
    assert b"Empty request body" in response.body
    assert plain.legacy.is_untouched()
    client.send(lines(b"PUT /v3/x HTTP/1.1", HOST, *fields, body=body))  # the same connection goes on, and v3 takes such a PUT
    plain.origin.next_request().answer()
    assert client.response().status == 200


@pytest.mark.parametrize("raw", [lines(b"PUT /messages/1 HTTP/1.1", HOST, b"Content-Length: 2", body=b"{}"), lines(b"POST /messages HTTP/1.1", HOST)])
def test_other_requests_pass_on_v2(plain: Rig, raw: bytes) -> None:
    client = plain.dial()
    client.send(raw)
    plain.legacy.next_request().answer()
    assert client.response().status == 200


def test_the_refusal_of_an_empty_put_can_be_switched_off(tight: Rig) -> None:
    client = tight.dial()
    client.send(lines(b"PUT /messages/1 HTTP/1.1", HOST, b"Content-Length: 0"))
    tight.legacy.next_request().answer()
    assert client.response().status == 200
