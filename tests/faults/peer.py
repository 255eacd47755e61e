"""An upstream that does to each call what its case says, and counts what came: for every call apart, over the whole programme."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from wire import strict
from wire.lines import Malformed
from wire.stream import lines

from faults.relay import hang_up

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from wire.bodies import Decoder

    Act = Callable[["Visit"], Awaitable[None]]

CALL = b"x-fault-call"
_PIECE_BYTES = 65536
SAFE = frozenset({b"GET", b"HEAD"})


class Arrival(NamedTuple):
    """A request whose head has come.

    Attributes:
        method: Its method.
        key: Its idempotency key, or empty.
        is_first: No request came on its connection before.
    """

    method: bytes
    key: bytes
    is_first: bool


@dataclass(eq=False, slots=True)
class Play:
    """One call of a client, and what upstream saw and said of it.

    Attributes:
        acts: What upstream does to its first attempt, its second, and so on; the last of them to all further ones.
        arrivals: The attempts, as they came.
        refused: So many of them were refused for good by a 429, and so not carried out.
        whole: Bodies that upstream sent to their end.
        began: Set when an attempt has come.
        left: Set by its caller when it has left.
    """

    acts: tuple[Act, ...]
    arrivals: list[Arrival] = field(default_factory=list)
    refused: int = 0
    whole: set[bytes] = field(default_factory=set)
    began: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def doubles(self) -> int:
        """How often it took effect too often, where that would be noticed: attempts under one idempotency key are one."""
        noticed = [arrival for arrival in self.arrivals if arrival.method == b"POST"]
        effects = sum(not arrival.key for arrival in noticed) + len({arrival.key for arrival in noticed if arrival.key})
        return max(0, effects - self.refused - 1)


class Visit:
    """One attempt, whose head has been read.

    Attributes:
        play: The call that it belongs to.
        keeps: The connection takes a further request when the act is over.
    """

    def __init__(self, play: Play, head: strict.Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, buffer: bytearray) -> None:
        self.play = play
        self.keeps = False
        self._decoder: Decoder = strict.forwarded_request_body(head)
        self._reader = reader
        self._writer = writer
        self._buffer = buffer

    async def body(self) -> bytes:
        """Its whole body; ConnectionError where it breaks off."""
        payload = bytearray(self._decoder.decode(self._buffer))
        while not self._decoder.finished:
            piece = await self._reader.read(_PIECE_BYTES)
            if not piece:
                raise ConnectionResetError("the request broke off")
            self._buffer += piece
            payload += self._decoder.decode(self._buffer)
        return bytes(payload)

    async def say(self, *pieces: bytes) -> None:
        """Send these bytes, each piece by itself."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()

    async def answer(self, *fields: bytes, status: bytes = b"200 OK", body: bytes = b"") -> None:
        """Read the request, answer it with a body of its own and keep the connection."""
        await self.body()
        body = body or b"answer %d" % id(self)
        self.play.whole.add(body)
        if status.startswith(b"429"):
            self.play.refused += 1
        await self.say(lines(b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *fields, body=body))
        self.keeps = True

    async def end(self, how: str) -> None:
        """`reset`, `close`, or `hang`: do nothing until the proxy ends the connection."""
        if how == "reset":
            hang_up(self._writer, "reset")
        elif how == "close":
            await self.close()
        else:
            await self.until_left()

    def vanish(self) -> None:
        """Close with FIN, and without the goodbye that TLS asks for."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Send FIN, and read on until the proxy does the same."""
        with contextlib.suppress(OSError):
            self._writer.write_eof()
        await self.until_left()

    async def until_left(self) -> None:
        """Do nothing until the proxy ends the connection."""
        while await self._reader.read(_PIECE_BYTES):
            pass


class Peer:
    """A listener whose requests say in a header field which call they belong to.

    Attributes:
        port: Where it listens.
        plays: Calls by their id.
        complaints: What must not be, whatever the case: requests that are malformed, or that nobody made.
    """

    def __init__(self, plays: dict[bytes, Play], tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self.plays = plays
        self.complaints: list[str] = []
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        while self._serving:
            for task in list(self._serving):
                task.cancel()
            await asyncio.wait(self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._take_requests(reader, writer)
        finally:
            self._serving.discard(task)
            writer.close()

    async def _take_requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        buffer, is_first, keeps = bytearray(), True, True
        while keeps:
            while (head := _head(buffer, self.complaints)) is None:
                piece = await reader.read(_PIECE_BYTES)
                if not piece:
                    return
                buffer += piece
            keeps, is_first = await self._act(head, is_first, reader, writer, buffer), False

    async def _act(self, head: strict.Head, is_first: bool, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, buffer: bytearray) -> bool:
        play = self.plays.get(head.value(CALL) or b"")
        if play is None:
            self.complaints.append(f"a request that nobody made: {head.start!r}")
            return False
        play.arrivals.append(Arrival(strict.request_line(head).method, head.value(b"idempotency-key") or b"", is_first))
        play.began.set()
        try:
            visit = Visit(play, head, reader, writer, buffer)
            await play.acts[min(len(play.arrivals), len(play.acts)) - 1](visit)
        except Malformed as malformed:
            self.complaints.append(str(malformed))
            return False
        return visit.keeps


def _head(buffer: bytearray, complaints: list[str]) -> strict.Head | None:
    try:
        return strict.take_head(buffer)
    except Malformed as malformed:
        complaints.append(str(malformed))
        raise ConnectionResetError from malformed


def doubles(plays: dict[bytes, Play]) -> dict[bytes, int]:
    """The calls that took effect more than once, with how often too many."""
    found: defaultdict[bytes, int] = defaultdict(int)
    for call, play in plays.items():
        if play.doubles:
            found[call] = play.doubles
    return dict(found)
