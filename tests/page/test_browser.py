"""The page in a real browser: what it shows, what it does by itself, and what it leaves alone."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from playwright.async_api import expect

from page.builders import MADE_AT, a_full_status, a_health, a_status, a_traffic, a_window, with_every_text
from page.conftest import LIVE_S, Served
from proxy.page.figures import duration
from proxy.page.routes import MAX_WATCHERS
from proxy.telemetry.status import Setting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

pytestmark = pytest.mark.asyncio(loop_scope="module")

RUNNING = re.compile(r"(\d+ (d|h|min|s)\b ?)+")
PHONE: Any = {"width": 360, "height": 740}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
TOLD_BY_THE_BROWSER = ("net::ERR_CONNECTION_REFUSED", "503 (Service Unavailable)")
"""What it says by itself when a stream cannot be had."""



@pytest_asyncio.fixture(loop_scope="module")
async def served() -> AsyncIterator[Served]:
    made = Served(LIVE_S)
    await made.start()
    yield made
    await made.runner.cleanup()


@asynccontextmanager
async def opened(browser: Browser, served: Served, **named: Any) -> AsyncIterator[Page]:
    """Open the page; at the end nothing may have been complained of."""
    context = await browser.new_context(**named)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    await page.goto(served.url)
    yield page
    await context.close()
    assert [complaint for complaint in complaints if not any(told in complaint for told in TOLD_BY_THE_BROWSER)] == []


async def test_what_changes_arrives_by_itself(browser: Browser, served: Served) -> None:
    async with opened(browser, served) as page:
        await page.get_by_text("All is well: 12.3 requests/s").wait_for()
        served.status = a_status(traffic=a_traffic(requests_per_s=15.6))
        await page.get_by_text("All is well: 15.6 requests/s").wait_for()
        served.status = a_status(health=a_health(state="draining"))
        await page.get_by_text("The proxy is shutting down").wait_for()
        await expect(page).to_have_title(re.compile("^Trouble"))


async def test_a_window_appears_with_its_cause_and_a_countdown_that_runs_by_itself(browser: Browser, served: Served) -> None:
    async with opened(browser, served) as page:
        await page.get_by_text("No window is open").wait_for()
        served.status = a_status(windows=[a_window()], windows_open=1)
        countdown = page.locator("#windows time[data-until]")
        first = await countdown.text_content() or ""
        assert first.startswith("18 min")
        assert await page.locator("#windows .cause").text_content() == "exchange_throttle"
        for shown in (countdown, page.locator("#sentence time")):
            await expect(shown).not_to_have_text(first)
            assert (await shown.text_content() or "") < first


async def test_a_countdown_does_not_depend_on_the_clock_of_who_looks(browser: Browser, served: Served) -> None:
    served.status = a_full_status()  # long ago by this machine's clock
    async with opened(browser, served) as page:
        await page.locator("#windows time", has_text=re.compile(r"18 min 1\d s")).first.wait_for()


async def test_a_countdown_follows_the_clock_of_the_server(browser: Browser, served: Served) -> None:
    served.status = a_status(windows=[a_window()], windows_open=1)
    async with opened(browser, served) as page:
        await expect(page.locator("#windows time").first).to_have_text(re.compile("^18 min"))
        served.status = a_status(made_at=MADE_AT + 600, windows=[a_window(closes_in_s=500.0)], windows_open=1)
        await expect(page.locator("#windows time").first).to_have_text(re.compile("^8 min"))


async def test_a_page_too_many_still_shows_what_was_when_it_was_loaded(browser: Browser, served: Served) -> None:
    served.status = a_status(windows=[a_window()], windows_open=1)
    served.routes._watchers = MAX_WATCHERS
    async with opened(browser, served) as page:
        await page.get_by_text(re.compile(r"No connection to the proxy for [1-9]")).wait_for()
        await expect(page.locator("#windows time").first).to_have_text(re.compile("^18 min"))


async def test_it_says_since_when_there_is_no_connection_and_finds_back_by_itself(browser: Browser, served: Served) -> None:
    async with opened(browser, served) as page:
        await expect(page).to_have_title(re.compile("^OK"))
        await served.runner.cleanup()
        await page.get_by_text(re.compile(r"No connection to the proxy for [1-9]\d* s")).wait_for()
        again = Served(LIVE_S)
        again.port = served.port
        again.status = a_status(traffic=a_traffic(requests_per_s=15.6))
        await again.start()
        await page.get_by_text("All is well: 15.6 requests/s").wait_for()
        await page.locator("#lost").wait_for(state="hidden")
        await again.runner.cleanup()


async def test_without_javascript_it_shows_the_same_and_loads_itself_again(browser: Browser, served: Served) -> None:
    served.status = a_full_status()
    async with opened(browser, served) as page:
        await expect(page).to_have_title(re.compile("^Notice"))
        with_it = await page.locator("main").inner_text()
    async with opened(browser, served, java_script_enabled=False) as page:
        without = await page.locator("main").inner_text()
        assert await page.locator("noscript meta[http-equiv=refresh]").get_attribute("content") == "5"
    assert "microsoft_in_flight" in without
    assert RUNNING.sub("", without) == RUNNING.sub("", with_it)


async def test_hostile_texts_are_shown_and_not_run(browser: Browser, served: Served) -> None:
    served.status = with_every_text(a_full_status(), HOSTILE)
    async with opened(browser, served) as page:
        await expect(page).to_have_title(re.compile("^(Notice|Trouble)"))
        assert HOSTILE in await page.locator("#errors").inner_text()
        assert await page.locator("img").count() == 0
        assert await page.locator("script").count() == 1


async def test_what_has_not_changed_is_left_alone(browser: Browser, served: Served) -> None:
    served.status = a_full_status()
    async with opened(browser, served, viewport=PHONE) as page:
        await expect(page).to_have_title(re.compile("^Notice"))
        await page.locator("#defaults summary").click()
        await page.evaluate("document.querySelector('#windows .scroll').scrollLeft = 50")
        await page.locator("#windows .scroll").focus()
        await page.evaluate("getSelection().selectAllChildren(document.querySelector('#errors .cause'))")
        settings = [*served.status.settings, Setting("log", "level", "debug", "default")]
        traffic = a_traffic(requests_per_s=99.9, failing=served.status.traffic.failing)
        served.status = a_full_status(traffic=traffic, windows=[a_window()], settings=settings)
        await page.get_by_text("99.9/s").wait_for()
        await page.get_by_text("log.level").wait_for()
        assert await page.evaluate("document.querySelector('#windows .scroll').scrollLeft") == 50
        assert await page.evaluate("document.activeElement === document.querySelector('#windows .scroll')")
        assert await page.evaluate("getSelection().toString()") == "exchange_throttle"
        assert await page.locator("#defaults").get_attribute("open") is not None


async def test_a_script_counts_as_the_server_does(browser: Browser, served: Served) -> None:
    lengths_s = [*range(130), 3599, 3600, 3660, 7325, 86_399, 86_400, 90_000, 1_000_000, 0.4, 0.5, 59.4, 59.5, 3599.7, -3]
    async with opened(browser, served) as page:
        assert await page.evaluate("lengths => lengths.map(duration)", lengths_s) == [duration(length_s) for length_s in lengths_s]


async def test_the_keyboard_reaches_what_matters_first(browser: Browser, served: Served) -> None:
    async with opened(browser, served) as page:
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.className") == "skip"
        await expect(page.locator(".skip")).to_be_in_viewport(ratio=1)
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "main"
        await page.locator("#defaults summary").focus()
        await page.keyboard.press("Enter")
        await page.get_by_text("patience.default_s").wait_for(state="visible")


@pytest.mark.parametrize("width", [320, 360, 700, 1100, 1360])
async def test_the_page_itself_never_scrolls_sideways(browser: Browser, served: Served, width: int) -> None:
    long_words = with_every_text(a_full_status(), "w" * 200)
    for status in (a_full_status(), long_words):
        served.status = status
        async with opened(browser, served, viewport={"width": width, "height": 740}) as page:
            await page.locator("#defaults summary, #chosen summary").last.click()
            assert await page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
            boxes = await page.evaluate("[...document.querySelectorAll('section')].map(section => section.getBoundingClientRect().right)")
            assert max(boxes) <= width


async def test_wide_tables_scroll_in_their_own_box_at_phone_width(browser: Browser, served: Served) -> None:
    served.status = a_full_status()
    async with opened(browser, served, viewport=PHONE) as page:
        box = "document.querySelector('#windows .scroll')"
        assert await page.evaluate(f"{box}.scrollWidth > {box}.clientWidth")


async def test_light_and_dark_differ(browser: Browser, served: Served) -> None:
    pictures = []
    for scheme in ("light", "dark"):
        async with opened(browser, served, color_scheme=scheme) as page:
            pictures.append(await page.screenshot())
    assert pictures[0] != pictures[1]
