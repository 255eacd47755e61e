"""The page on a real server, and a real browser to look at it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from aiohttp import web

from page.builders import a_status
from proxy.page.routes import PageRoutes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

    from proxy.telemetry.status import Status

ALONE = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", *ALONE]
NEVER_S = 3600.0
SOON_S = 0.005
LIVE_S = 0.05
"""Often enough not to wait for it, seldom enough for a browser to have time for other things."""


class Served:
    """The page of a proxy that is as a test says."""

    def __init__(self, every_s: float) -> None:
        self.status = a_status()
        self.asked = 0
        self.routes = PageRoutes(self._now, every_s)
        application = web.Application()
        application.add_routes(self.routes)
        application.on_shutdown.append(self.routes.close)
        # A runner that waits for anybody would outlast the test.
        self.runner = web.AppRunner(application, access_log=None, shutdown_timeout=NEVER_S)
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self.runner.addresses[0][1]

    def _now(self) -> Status:
        self.asked += 1
        return self.status


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    """A page that looks again as soon as it has looked."""
    made = Served(SOON_S)
    await made.start()
    yield made
    await made.runner.cleanup()


@pytest_asyncio.fixture
async def still() -> AsyncIterator[Served]:
    """A page that looks once."""
    made = Served(NEVER_S)
    await made.start()
    yield made
    await made.runner.cleanup()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    found = shutil.which("chromium")
    if found is None:
        missing = "no chromium on the PATH: the status page is not looked at in a browser"
        if os.environ.get("NYLAS_PROXY_TEST_REQUIRE_TOOLS"):
            pytest.fail(missing)
        pytest.skip(missing)
    from playwright.async_api import async_playwright

    async with async_playwright() as driver:
        started = await driver.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield started
        await started.close()
