"""Every text of the page can be read: measured on the colours that a real browser computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from page.builders import a_failing, a_full_status, a_health, a_traffic
from page.conftest import LIVE_S, Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

ENOUGH = 4.5

TEXTS = """() => {
  const found = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    let behind = element;
    while (behind && getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
    const pair = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
    found[pair.join(' on ')] = [...pair, walker.currentNode.data.trim().slice(0, 40)];
  }
  return Object.values(found);
}"""


@pytest_asyncio.fixture(loop_scope="module")
async def served() -> AsyncIterator[Served]:
    made = Served(LIVE_S)
    await made.start()
    yield made
    await made.runner.cleanup()


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2, of `rgb(1, 2, 3)`."""
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_black_on_white_is_known_to_be_21_to_1() -> None:
    assert contrast("rgb(0, 0, 0)", "rgb(255, 255, 255)") == pytest.approx(21.0)
    assert contrast("rgb(119, 119, 119)", "rgb(255, 255, 255)") == pytest.approx(4.48, abs=0.01)


LEVELS: dict[str, dict[str, Any]] = {
    "well": {"windows": [], "windows_open": 0, "waiting": [], "traffic": a_traffic()},
    "notice": {"health": a_health(loop_lag_s=0.08)},
    "trouble": {"traffic": a_traffic(failing=[a_failing("server_error", "nylas", 6.0)]), "health": a_health(loop_lag_s=0.4)},
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.asyncio(loop_scope="module")
async def test_every_text_stands_out_from_what_is_behind_it(browser: Browser, served: Served, scheme: Any, level: str) -> None:
    served.status = a_full_status(**LEVELS[level])
    page = await browser.new_page(color_scheme=scheme)
    await page.goto(served.url)
    await page.locator(f".said.{level}").wait_for()
    await page.locator("#lost").evaluate("lost => { lost.hidden = false; lost.textContent = 'No connection' }")
    await page.locator(".skip").focus()
    texts = await page.evaluate(TEXTS)
    await page.close()
    assert len(texts) >= 6
    assert {text: f"{front} on {back}" for front, back, text in texts if contrast(front, back) < ENOUGH} == {}
