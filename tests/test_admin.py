from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from proxy.admin import start_admin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Listener:
    """An admin listener and a way to ask it."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self.ready = True
        self._session = session
        self.port = port

    async def status(self, path: str, token: str = "") -> int:
        fields = {"Authorization": f"Bearer {token}"} if token else {}
        async with self._session.get(f"http://127.0.0.1:{self.port}{path}", headers=fields) as answer:
            return answer.status


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    async with aiohttp.ClientSession() as session:
        made = Listener(session, 0)
        runner, made.port = await start_admin("127.0.0.1", 0, "s3cret", lambda: made.ready)
        yield made
        await runner.cleanup()


async def test_health_and_readiness_are_open_to_probes(listener: Listener) -> None:
    assert [await listener.status(path) for path in ("/healthz", "/readyz")] == [200, 200]


async def test_a_draining_proxy_is_alive_and_not_ready(listener: Listener) -> None:
    listener.ready = False
    assert [await listener.status(path) for path in ("/healthz", "/readyz")] == [200, 503]


async def test_everything_else_wants_the_token(listener: Listener) -> None:
    assert await listener.status("/") == 401
    assert await listener.status("/", token="guess") == 401
    assert await listener.status("/", token="s3cret") == 404
