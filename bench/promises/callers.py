"""Callers of one server, each on a kept connection of its own, as an SDK's pool has them.

A thousand connections cost a Python client half a second, which would count as the proxy's. Here they are made beforehand (`gather`), and
"at once" means within some ten milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

PATIENT_S = 20.0
_HEAD_MAX_BYTES = 2**16


class Answer(NamedTuple):
    """What a caller got.

    Attributes:
        status: 0 where the connection ended without an answer.
        fields: The header's, names in lower case.
        body: Whole.
        began_at: When the request was written, in Unix time.
        took_s: Until its answer was read.
    """

    status: int
    fields: dict[str, str]
    body: bytes
    began_at: float
    took_s: float

    @property
    def ended_at(self) -> float:
        """Return when the answer was read, in Unix time."""
        return self.began_at + self.took_s

    @property
    def told(self) -> dict[str, Any]:
        """Return an error's `proxy` object."""
        told: dict[str, Any] = json.loads(self.body)["proxy"]
        return told


class Callers:
    """Callers of one server.

    Args:
        url: Its base.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = url
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def gather(self, count: int) -> None:
        """Have so many connections ready."""
        while len(self._idle) < count:
            self._idle.append(await self._connect())

    async def ask(self, method: str, path: str, *, patience_s: float = PATIENT_S, content: object = None) -> Answer:
        """Send a request; `content` goes as JSON."""
        body = b"" if content is None else json.dumps(content).encode()
        request = "\r\n".join(
            (
                f"{method} {path} HTTP/1.1",
                f"Host: {self._host}:{self._port}",
                "Authorization: Bearer nyk_bench",
                f"X-Nylas-Proxy-Patience: {patience_s:g}",
                "Accept: application/json",
                *(("Content-Type: application/json", f"Content-Length: {len(body)}") if body else ()),
                "\r\n",
            )
        )
        reader, writer = self._idle.pop() if self._idle else await self._connect()
        began_at, started_s = time.time(), time.monotonic()
        try:
            writer.write(request.encode() + body)
            status, fields, answer = await _read(reader)
        except (OSError, EOFError):
            writer.close()
            return Answer(0, {}, b"", began_at, time.monotonic() - started_s)
        self._idle.append((reader, writer))
        return Answer(status, fields, answer, began_at, time.monotonic() - started_s)

    async def report(self, name: str) -> dict[str, Any]:
        """Return what a simulator has noted."""
        noted: dict[str, Any] = json.loads((await self.ask("GET", f"/__simulator/{name}")).body)
        return noted

    def close(self) -> None:
        """Hang up."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, self._port, limit=_HEAD_MAX_BYTES)


async def _read(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    status_line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    return int(status_line.split()[1]), fields, await reader.readexactly(int(fields["content-length"]))


async def at_once(questions: Iterable[Coroutine[Any, Any, Answer]]) -> list[Answer]:
    """Ask all at the same moment."""
    return list(await asyncio.gather(*questions))


async def steadily(callers: Callers, path: str, per_s: float, for_s: float, patience_s: float = PATIENT_S) -> list[Answer]:
    """Get something over and over at a steady pace, whether or not earlier requests are answered."""
    loop = asyncio.get_running_loop()
    started_s, asked = loop.time(), []
    for number in range(int(for_s * per_s)):
        await asyncio.sleep(max(0.0, started_s + number / per_s - loop.time()))
        asked.append(loop.create_task(callers.ask("GET", path, patience_s=patience_s)))
    return list(await asyncio.gather(*asked))
