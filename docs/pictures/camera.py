"""Takes pictures of the status page with a real browser, small enough for a repository: PNG with a palette of 64 colours."""

from __future__ import annotations

import base64
import contextlib
import shutil
import struct
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from playwright.async_api import async_playwright

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from playwright.async_api import Browser

FOLDER: Final = Path(__file__).resolve().parent
_ALONE: Final = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]
_ARGUMENTS: Final = ["--no-sandbox", "--disable-gpu", "--no-first-run", *_ALONE]
_WIDTH, _HEIGHT = 1160, 900
_ABOVE: Final = "document.getElementById('settings').getBoundingClientRect().top + scrollY"
_AS_PALETTE: Final = """async picture => {
  const MOST = 64;
  const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(picture), byte => byte.charCodeAt(0))]));
  const {width, height} = bitmap, pen = new OffscreenCanvas(width, height).getContext("2d");
  pen.drawImage(bitmap, 0, 0);
  const pixels = new Uint32Array(pen.getImageData(0, 0, width, height).data.buffer), often = new Map();
  for (const pixel of pixels) often.set(pixel, (often.get(pixel) ?? 0) + 1);
  const colours = [...often.keys()].sort((one, other) => often.get(other) - often.get(one));
  const parts = colour => [colour & 255, colour >> 8 & 255, colour >> 16 & 255], palette = colours.slice(0, MOST).map(parts);
  const far = (one, other) => one.reduce((sum, part, place) => sum + (part - other[place]) ** 2, 0);
  const nearest = colour => palette.reduce((best, other, place) => far(colour, other) < far(colour, palette[best]) ? place : best, 0);
  const places = new Map(colours.map((colour, place) => [colour, place < MOST ? place : nearest(parts(colour))]));
  let text = "";
  for (const pixel of pixels) text += String.fromCharCode(places.get(pixel));
  return {width, height, palette: palette.flat(), pixels: btoa(text)};
}"""
"""The most frequent colours; all others become the nearest of these."""


class Camera:
    """Takes them. They are made small at the end, when nobody needs the processor any more.

    Args:
        browser: A real one.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._taken: dict[str, bytes] = {}

    async def take(self, url: str, name: str, moment: Awaitable[object] | None = None) -> None:
        """Take a picture of the page at `url`, but for the settings below all else; `moment` is awaited before."""
        page = await self._browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT}, color_scheme="light")
        if moment is not None:
            await moment
        await page.goto(url)
        clip: Any = {"x": 0, "y": 0, "width": _WIDTH, "height": await page.evaluate(_ABOVE)}
        self._taken[name] = await page.screenshot(full_page=True, clip=clip)
        await page.close()

    async def develop(self) -> None:
        """Write all that were taken."""
        page = await self._browser.new_page()
        for name, taken in self._taken.items():
            drawn = await page.evaluate(_AS_PALETTE, base64.b64encode(taken).decode())
            (FOLDER / f"{name}.png").write_bytes(_png(**drawn))


@contextlib.asynccontextmanager
async def camera(folder: Path) -> AsyncIterator[Camera]:
    """Have a browser run, and the pictures written at the end; `folder` is for files. Ends the process where there is no browser."""
    found = shutil.which("chromium")
    if found is None:
        sys.exit("no chromium on the PATH: there is nothing to take pictures with")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=_in_the_background(found, folder), args=_ARGUMENTS)
        made = Camera(browser)
        yield made
        await made.develop()
        await browser.close()


def _in_the_background(program: str, folder: Path) -> Path:
    """Return a program that runs `program` behind everything else: who takes a picture must not disturb what it shows."""
    script = folder / "browser"
    script.write_text(f'#!/bin/sh\nexec nice -n 15 {program} "$@"\n')
    script.chmod(0o700)
    return script


def _png(width: int, height: int, palette: list[int], pixels: str) -> bytes:
    """Return a PNG file of one byte a pixel (PNG 3rd edition, sections 5 and 11)."""
    places = base64.b64decode(pixels)
    rows = b"".join(b"\0" + places[row * width : (row + 1) * width] for row in range(height))  # no row is filtered: that helps photographs alone
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = {b"IHDR": head, b"PLTE": bytes(palette), b"IDAT": zlib.compress(rows, 9), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks.items())


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
