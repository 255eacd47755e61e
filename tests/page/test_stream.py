from __future__ import annotations

import asyncio
import json
import logging
import socket
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio

from page.builders import MADE_AT, a_failing, a_status, a_traffic, a_window
from proxy.page.rendering import SECTIONS
from proxy.page.routes import MAX_WATCHERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from page.conftest import Served


class Watcher:
    """Somebody who has the page open."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def next(self) -> dict[str, str] | None:
        """Return the sections of the next event; None where the stream has ended."""
        line = await self.answer.content.readuntil(b"\n\n")
        return json.loads(line.removeprefix(b"data: ")) if line else None

    async def until(self, *names: str) -> dict[str, str]:
        """Return the first event that has one of these sections."""
        while True:
            event = await self.next()
            assert event is not None
            if set(names) & set(event):
                return event


@pytest_asyncio.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as made:
        yield made


async def watching(page: Served, session: aiohttp.ClientSession, stack: AsyncExitStack) -> Watcher:
    answer = await stack.enter_async_context(session.get(f"{page.url}/events"))
    assert (answer.status, answer.content_type) == (200, "text/event-stream")
    return Watcher(answer)


async def test_the_first_event_has_all_sections_and_the_next_what_has_changed(served: Served, session: aiohttp.ClientSession) -> None:
    async with AsyncExitStack() as stack:
        watcher = await watching(served, session, stack)
        assert set(await watcher.next() or ()) == set(SECTIONS)
        served.status = a_status(traffic=a_traffic(failing=[a_failing()]))
        assert set(await watcher.until("errors")) == {"errors"}
        served.status = a_status(made_at=MADE_AT + 5, traffic=served.status.traffic, windows=[a_window()], windows_open=1)
        changed = await watcher.until("windows")
        assert set(changed) == {"clock", "verdict", "windows"}
        assert "18 min 20 s" in changed["windows"]


async def test_the_page_itself_shows_what_an_event_brings(still: Served, session: aiohttp.ClientSession) -> None:
    async with AsyncExitStack() as stack:
        event = await (await watching(still, session, stack)).next() or {}
    async with session.get(still.url) as answer:
        page = await answer.text()
    assert [name for name in SECTIONS if event[name] not in page] == []


async def test_however_many_watch_the_proxy_is_asked_once(still: Served, session: aiohttp.ClientSession) -> None:
    async with AsyncExitStack() as stack:
        watchers = [await watching(still, session, stack) for _ in range(MAX_WATCHERS)]
        events = await asyncio.gather(*(watcher.next() for watcher in watchers), *(session.get(still.url) for _ in range(3)))
        assert all(events)
    assert still.asked == 1


async def test_nobody_looks_while_nobody_watches(served: Served, session: aiohttp.ClientSession) -> None:
    assert served.asked == 0
    async with AsyncExitStack() as stack:
        watcher = await watching(served, session, stack)
        await watcher.next()
    while served.routes._watchers:
        served.status = a_status(made_at=served.status.made_at + 1)  # what is written to who has left says that they have
        await asyncio.sleep(0)
    asked = served.asked
    async with session.get(f"{served.url}/page/page.css") as answer:
        await answer.read()
    assert served.asked == asked


async def test_when_the_one_who_looks_leaves_another_takes_over(served: Served, session: aiohttp.ClientSession) -> None:
    async with AsyncExitStack() as stack:
        async with AsyncExitStack() as gone:
            leaving = await watching(served, session, gone)
            await leaving.next()
            staying = await watching(served, session, stack)
            await staying.next()
        served.status = a_status(windows=[a_window()], windows_open=1)
        assert await staying.until("windows")


async def test_one_too_many_is_told_so_and_a_place_becomes_free_again(served: Served, session: aiohttp.ClientSession) -> None:
    async with AsyncExitStack() as stack:
        watchers = [await watching(served, session, stack) for _ in range(MAX_WATCHERS)]
        async with session.get(f"{served.url}/events") as refused:
            assert (refused.status, refused.content_type) == (503, "text/plain")
            assert await refused.text() == f"{MAX_WATCHERS} pages are open already: close one of them, or reload this one by hand.\n"
        watchers[0].answer.close()
        while served.routes._watchers == MAX_WATCHERS:
            served.status = a_status(made_at=served.status.made_at + 1)
            await asyncio.sleep(0)
        assert await (await watching(served, session, stack)).next()


async def test_who_goes_away_is_not_told_as_a_failure(served: Served, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with AsyncExitStack() as stack:
        await (await watching(served, session, stack)).next()
    while served.routes._watchers:
        served.status = a_status(made_at=served.status.made_at + 1)
        await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records if record.exc_info or record.levelno > logging.INFO] == []


async def test_streams_end_when_the_server_is_cleaned_up(still: Served, session: aiohttp.ClientSession) -> None:
    async with AsyncExitStack() as stack:
        watchers = [await watching(still, session, stack) for _ in range(3)]
        assert all([await watcher.next() for watcher in watchers])
        await still.runner.cleanup()
        assert [await watcher.next() for watcher in watchers] == [None] * 3


async def test_who_goes_away_in_the_middle_of_an_event_is_not_told_as_a_failure_either(still: Served, caplog: pytest.LogCaptureFixture) -> None:
    still.status = a_status(version="1" * 30_000_000)
    with socket.create_connection(("127.0.0.1", still.port)) as stalled:
        stalled.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        while not still.routes._sending:  # noqa: ASYNC110  it is the program's own state, which tells nobody
            await asyncio.sleep(0)
    while still.routes._watchers:  # noqa: ASYNC110  the same
        await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records if record.exc_info or record.levelno > logging.INFO] == []


async def test_who_takes_nothing_for_long_loses_the_place(still: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("proxy.page.routes._TAKES_WITHIN_S", 0.05)
    still.status = a_status(version="1" * 30_000_000)
    with socket.create_connection(("127.0.0.1", still.port)) as stalled:
        stalled.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        while not still.routes._sending:  # noqa: ASYNC110  it is the program's own state, which tells nobody
            await asyncio.sleep(0)
        while still.routes._watchers:  # noqa: ASYNC110  the same
            await asyncio.sleep(0)
    assert [record.getMessage() for record in caplog.records if record.exc_info or record.levelno > logging.INFO] == []


async def test_asking_for_the_head_of_the_stream_alone_is_not_watching(still: Served, session: aiohttp.ClientSession) -> None:
    async with session.head(f"{still.url}/events"):
        assert still.routes._watchers == 0


async def test_a_watcher_that_takes_nothing_does_not_hold_up_the_end(still: Served) -> None:
    still.status = a_status(version="1" * 30_000_000)
    with socket.create_connection(("127.0.0.1", still.port)) as stalled:
        stalled.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
        while not still.routes._sending:  # noqa: ASYNC110  it is the program's own state, which tells nobody
            await asyncio.sleep(0)
        await still.runner.cleanup()
    assert not still.routes._watchers


async def test_a_bug_in_what_is_shown_ends_the_stream_and_the_next_look_works(served: Served, session: aiohttp.ClientSession) -> None:
    async with AsyncExitStack() as stack:
        watcher = await watching(served, session, stack)
        await watcher.next()
        served.status = None  # type: ignore[assignment]
        with pytest.raises(aiohttp.ClientPayloadError):
            await watcher.until("a section that there is not")
        served.status = a_status()
        assert await (await watching(served, session, stack)).next()


PROTECTION: dict[str, Any] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/page/page.css", "text/css; charset=utf-8"),
        ("/page/page.js", "text/javascript; charset=utf-8"),
        ("/events", "text/event-stream"),
    ],
)
async def test_every_answer_says_what_it_is_and_what_a_browser_may_do(
    still: Served, session: aiohttp.ClientSession, method: str, path: str, kind: str
) -> None:
    async with session.request(method, f"{still.url}{path}") as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
        assert {name: answer.headers.get(name) for name in PROTECTION} == PROTECTION


@pytest.mark.parametrize("path", ["/page/", "/page/page.html", "/page/..%2Froutes.py", "/page/../routes.py", "/page/templates/page.html"])
async def test_there_are_no_other_files(still: Served, session: aiohttp.ClientSession, path: str) -> None:
    async with session.get(f"{still.url}{path}") as answer:
        assert answer.status == 404
