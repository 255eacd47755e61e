"""A server that speaks the protocol of Redis and answers every script with the same nonsense."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator


class Liar:
    """What it says to a script, and what it was told.

    Attributes:
        says: The answer to every script, in the bytes of the protocol.
        told: The first word of each command, in capitals.
    """

    def __init__(self, says: bytes) -> None:
        self.says = says
        self.told: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client until it leaves."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                words = [await _word(reader) for _ in range(await _number(reader))]
                self.told.append(words[0].upper())
                writer.write(self.says if words[0].upper() in {b"EVAL", b"EVALSHA"} else b"+OK\r\n")
        writer.close()


async def _number(reader: asyncio.StreamReader) -> int:
    return int((await reader.readuntil(b"\r\n"))[1:])


async def _word(reader: asyncio.StreamReader) -> bytes:
    return (await reader.readexactly(await _number(reader) + 2))[:-2]


@contextlib.asynccontextmanager
async def lying(says: bytes = b"+OK\r\n", tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Liar, str]]:
    """Run one; give it, and its URL."""
    liar = Liar(says)
    server = await asyncio.start_server(liar.serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield liar, f"{'redis' if tls is None else 'rediss'}://:a-s3cret@localhost:{server.sockets[0].getsockname()[1]}/0"
    finally:
        server.close()
