"""How the listener behaves when something is wrong, and at its end."""

from __future__ import annotations

import asyncio
import logging
import socket

import msgspec
import pytest
from aiohttp import web

from admin.rig import ADDRESS, TOKEN, Listener, listening
from proxy.admin import start_admin
from proxy.admin.access import Access, Asked
from proxy.settings import Admin

NOT_FOUND = ("not_found", "nothing is served here; there are /, /status.json, /metrics, /healthz and /readyz, and orders by POST")
BUG = ("bug", "this is a bug of the proxy: its log says where")


def failing(raised: BaseException) -> web.RouteDef:
    async def page(_request: web.Request) -> web.Response:
        raise raised

    return web.get("/", page)


@pytest.mark.parametrize("bug", [ValueError(ADDRESS), TimeoutError(ADDRESS), ConnectionResetError(ADDRESS), KeyError(ADDRESS)])
async def test_a_bug_is_told_and_answered_without_its_words(bug: Exception) -> None:
    async with listening(failing(bug), token=TOKEN) as listener:
        listener.status = listener.orders.outcome = bug
        for answer in (
            await listener.ask("GET", "/", Accept="text/html"),
            await listener.ask("GET", "/status.json"),
            await listener.order("/windows", {"scope": "grant", "grant": ADDRESS, "seconds": 1}),
        ):
            assert (answer.status, answer.error) == (500, BUG)
        assert listener.bugs == [bug] * 3
        assert (await listener.ask("GET", "/healthz")).status == 200


async def test_a_bug_at_the_door_keeps_it_shut(guarded: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    bug = ValueError(ADDRESS)

    def refusal(_access: Access, _asked: Asked) -> None:
        raise bug

    monkeypatch.setattr(Access, "refusal", refusal)
    answer = await guarded.ask("POST", "/drain")
    assert (answer.status, answer.error, answer.headers["Server"]) == (500, BUG, "nylas-proxy")
    assert (guarded.bugs, guarded.orders.given) == ([bug], [])


@pytest.mark.parametrize(
    ("raised", "status", "error"),
    [
        (web.HTTPServiceUnavailable(reason="too many watch"), 503, ("unavailable", "too many watch")),
        (web.HTTPNotFound(), 404, NOT_FOUND),
        (web.HTTPGone(), 410, ("error", "Gone")),
    ],
)
async def test_what_a_page_raises_is_answered_in_the_one_form(raised: web.HTTPException, status: int, error: tuple[str, str]) -> None:
    async with listening(failing(raised)) as listener:
        answer = await listener.ask("GET", "/")
        assert (answer.status, answer.error, listener.bugs) == (status, error, [])


@pytest.mark.parametrize("path", ["/drain", "/nothing"])
async def test_an_expectation_that_cannot_be_met_is_answered_in_the_one_form(path: str) -> None:
    async with listening(token=TOKEN) as listener:
        answer = await listener.ask("POST", path, Expect=ADDRESS)
        assert (answer.status, answer.error) == (417, ("expectation_failed", "the only Expect that is understood is 100-continue"))
        assert listener.orders.given == []


async def test_a_stranger_is_not_told_to_continue() -> None:
    async with listening(token=TOKEN) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"POST /drain HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 401 ")
        writer.transport.abort()


async def test_a_page_may_lead_elsewhere() -> None:
    async with listening(failing(web.HTTPFound("/healthz"))) as listener:
        assert (await listener.ask("GET", "/")).json == {"status": "alive"}


@pytest.mark.parametrize("bug", [ValueError(ADDRESS), ConnectionResetError(ADDRESS)])
async def test_a_bug_in_the_middle_of_a_stream_cuts_it_off(bug: Exception) -> None:
    async def page(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"so far")
        raise bug

    async with listening(web.get("/", page)) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        said = await reader.read()
        writer.transport.abort()
        assert said.endswith(b"6\r\nso far\r\n")
        assert b"\r\nServer: nylas-proxy\r\n" in said
        assert listener.bugs == [bug]


async def test_a_page_that_answers_nothing_is_a_bug(caplog: pytest.LogCaptureFixture) -> None:
    async def page(_request: web.Request) -> web.Response:
        return None  # type: ignore[return-value]  # that is the bug

    caplog.set_level(logging.DEBUG)
    async with listening(web.get("/", page)) as listener:
        assert (await listener.ask("GET", "/")).status == 500
        assert len(listener.bugs) == 1
    assert [record for record in caplog.records if record.name.startswith("aiohttp")] == []


async def test_a_watcher_who_leaves_is_no_bug() -> None:
    ended = asyncio.Event()

    async def page(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 1000)
                await asyncio.sleep(0)
        finally:
            ended.set()

    async with listening(web.get("/", page)) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"xxx")
        writer.transport.abort()
        await ended.wait()
        assert (await listener.ask("GET", "/healthz")).status == 200
        assert listener.bugs == []


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"ann@example.com\r\n\r\n",
        b"GET / HTTP/1.1\r\nann@example.com\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: %s\r\n\r\n" % (b"x" * 10_000),
        b"POST /drain HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_answered_in_the_one_form_and_logged_nowhere(
    unlocked: Listener, sent: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    reader, writer = await asyncio.open_connection("127.0.0.1", unlocked.port)
    writer.write(sent)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.transport.abort()
    assert head.split()[1] == b"400"
    assert msgspec.json.decode(body) == {"error": {"type": "bad_request", "message": "this is no HTTP that can be read"}}
    assert b"\r\nServer: nylas-proxy" in head
    assert b"aiohttp" not in head
    assert [record for record in caplog.records if record.name.startswith("aiohttp")] == []
    assert capfd.readouterr() == ("", "")
    assert unlocked.bugs == []


async def test_what_streams_is_told_to_end_before_the_connections_are_closed() -> None:
    leave = asyncio.Event()

    async def page(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await leave.wait()
        await response.write(b"goodbye")
        return response

    async def close() -> None:
        leave.set()

    async with listening() as other:
        runner, port = await start_admin(Admin(port=0), other.desk(web.get("/", page))._replace(close_page=close))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await runner.cleanup()
        assert b"goodbye" in await reader.read()
        writer.transport.abort()


async def test_nobody_is_let_in_after_the_end(unlocked: Listener) -> None:
    runner, port = await start_admin(Admin(port=0), unlocked.desk())
    await runner.cleanup()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_an_address_that_is_taken_is_an_os_error_and_leaves_nothing_running(unlocked: Listener) -> None:
    closed = asyncio.Event()

    async def close() -> None:
        closed.set()

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="address already in use"):
        await start_admin(Admin(port=taken.getsockname()[1]), unlocked.desk()._replace(close_page=close))
    assert closed.is_set()
