"""Bodies of orders as they come over a socket, good and bad."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from aiohttp import web
from hypothesis import given, settings

from admin.rig import ADDRESS, TOKEN, Listener, bearer, listening
from admin.test_orders import ANY_BODY, ONE
from proxy.admin import endpoints

ORDERS = ["/windows", "/drain", "/log-level", "/reload"]


@pytest.mark.parametrize("path", ORDERS)
async def test_a_body_longer_than_allowed_is_not_read(guarded: Listener, path: str) -> None:
    fitting = b'{"x":"%s"}' % (b"x" * (4096 - 8))
    assert (await guarded.ask("POST", path, body=fitting, Content_Type="application/json")).status == 400
    answer = await guarded.ask("POST", path, body=fitting + b" ", Content_Type="application/json")
    assert (answer.status, answer.error) == (413, ("too_large", "the body is longer than the 4096 bytes that are allowed"))


async def test_a_long_body_without_a_length_is_not_read_either(guarded: Listener) -> None:
    head = f"POST /drain HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer(TOKEN)}\r\nTransfer-Encoding: chunked\r\n\r\n"
    said = await raw(guarded, head.encode() + b"1001\r\n" + b" " * 4097 + b"\r\n0\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 413 ")
    assert guarded.orders.given == []


@pytest.mark.parametrize("path", ORDERS)
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "text/json", "application/jsonp", "", "nonsense"])
async def test_a_body_of_another_type_is_not_looked_at(guarded: Listener, path: str, kind: str) -> None:
    answer = await guarded.ask("POST", path, body=b"{}", Content_Type=kind or "application/octet-stream")
    assert answer.status == 415
    assert answer.error == (
        "unsupported_media_type",
        "the body must be sent as application/json (curl: -H 'Content-Type: application/json')",
    )
    assert guarded.orders.given == []


async def test_a_compressed_body_is_not_unpacked(guarded: Listener) -> None:
    answer = await guarded.ask("POST", "/drain", body=b"\x1f\x8b", Content_Type="application/json", Content_Encoding="gzip")
    assert (answer.status, answer.error[0]) == (400, "bad_request")


async def test_mistakes_are_answered_without_the_grant(guarded: Listener) -> None:
    answer = await guarded.order("/windows", ONE | {"seconds": 0})
    assert answer.error == ("bad_request", "seconds: got a number; allowed a whole number of seconds from 1 to 86400")
    assert ADDRESS.encode() not in answer.body
    assert guarded.orders.given == []


async def test_a_body_that_does_not_come_is_waited_for_no_longer_than_allowed(guarded: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "BODY_TIMEOUT_S", 0.01)
    head = f"POST /drain HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer(TOKEN)}\r\nContent-Length: 2\r\n\r\n"
    said = await raw(guarded, head.encode())
    assert said.startswith(b"HTTP/1.1 408 ")
    assert guarded.orders.given == []


async def test_a_body_whose_framing_breaks_is_a_bad_request(guarded: Listener) -> None:
    head = f"POST /drain HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer(TOKEN)}\r\nTransfer-Encoding: chunked\r\n\r\n"
    said = await raw(guarded, head.encode() + b"zz\r\n")
    assert said.split()[1] == b"400"
    assert (guarded.orders.given, guarded.bugs) == ([], [])


async def test_a_body_that_aiohttp_cannot_read_is_a_bad_request(guarded: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(_request: web.BaseRequest) -> bytes:  # aiohttp's parser in C does not tell in the middle of a body, the one in Python does
        raise web.RequestPayloadError

    monkeypatch.setattr(web.BaseRequest, "read", read)
    answer = await guarded.order("/drain", {})
    assert (answer.status, answer.error) == (400, ("bad_request", "the body cannot be read: its framing is wrong"))
    assert (guarded.orders.given, guarded.bugs) == ([], [])


async def test_a_caller_who_leaves_in_the_middle_of_a_body_is_no_bug(guarded: Listener) -> None:
    head = f"POST /drain HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer(TOKEN)}\r\nContent-Length: 2\r\n\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", guarded.port)
    writer.write(head.encode())
    await writer.drain()
    writer.transport.abort()
    assert (await guarded.ask("GET", "/healthz")).status == 200
    assert (guarded.orders.given, guarded.bugs) == ([], [])


@settings(deadline=None, max_examples=100)
@given(body=ANY_BODY)
def test_no_body_whatever_makes_the_listener_fail(body: bytes) -> None:
    async def statuses() -> list[int]:
        async with listening(token=TOKEN) as listener:
            answers = [await listener.ask("POST", path, body=body, Content_Type="application/json") for path in ORDERS]
            assert all(msgspec.json.decode(answer.body) for answer in answers)
            assert listener.bugs == []
            return [answer.status for answer in answers]

    assert set(asyncio.run(statuses())) <= {200, 202, 400, 413}


async def raw(listener: Listener, sent: bytes) -> bytes:
    """Send bytes and return all that comes until the head of the answer is complete."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    try:
        writer.write(sent)
        return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.transport.abort()
