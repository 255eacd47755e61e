"""A way through which bytes pass until a fault befalls them: between the proxy and its upstream, its callers, or its Redis."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PIECE_BYTES = 65536
_RESET = struct.pack("ii", 1, 0)


class Fault(NamedTuple):
    """What befalls connections.

    Attributes:
        on_arrival: To a connection that has just been made: `reset`, `close`, or `mute` (open, and nothing ever comes of it).
        greeting: Bytes that answer it at once, whatever it says.
        answer_bytes: So many bytes of answers pass, then `ends` happens.
        question_bytes: The same for what goes to the server.
        ends: `reset` or `close` both ends, `half` (FIN to who would have got more; the other way stays open), `freeze` (nothing passes any more).
        delay_s: Each piece of an answer waits for so long.
        piece_bytes: Answers pass in pieces of so many bytes, each of them delayed.
    """

    on_arrival: str = ""
    greeting: bytes = b""
    answer_bytes: int | None = None
    question_bytes: int | None = None
    ends: str = "reset"
    delay_s: float = 0.0
    piece_bytes: int = _PIECE_BYTES


NO_FAULT = Fault()


@dataclass(eq=False, slots=True)
class _Pair:
    """Two ends, and what has passed between them."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter | None = None
    passed_bytes: dict[str, int] = field(default_factory=lambda: {"answer": 0, "question": 0})
    is_frozen: bool = False

    def end(self, how: str) -> None:
        for writer in filter(None, (self.near, self.far)):
            hang_up(writer, how)


def hang_up(writer: asyncio.StreamWriter, how: str) -> None:
    """End a connection: `close` with FIN, `reset` with RST."""
    if how == "reset":
        with contextlib.suppress(OSError, AttributeError):
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()
    else:
        writer.close()


class Relay:
    """Listens on a port of its own and passes everything on to another.

    Attributes:
        fault: What befalls connections and bytes from now on.
        target: The port that bytes are passed on to.
        port: Its own.
        swallowed: Everything that came to be passed on and was not.
        connections: So many came.
    """

    def __init__(self, target: int) -> None:
        self.fault = NO_FAULT
        self.target = target
        self.port = 0
        self.swallowed = bytearray()
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()
        self._serving: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """Let connections come, the second time under the port of the first."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """From now on connections are refused; those that are there are reset."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.hang_up("reset")

    def hang_up(self, how: str) -> None:
        """End all connections."""
        for pair in list(self._pairs):
            pair.end(how)

    async def close(self) -> None:
        """End everything."""
        await self.refuse()
        while self._serving:
            for task in list(self._serving):
                task.cancel()
            await asyncio.wait(self._serving)

    async def _serve(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        with self._registered(_Pair(near)) as pair, contextlib.suppress(OSError, asyncio.CancelledError):
            if self.fault.on_arrival in {"reset", "close"}:
                hang_up(near, self.fault.on_arrival)
                return
            near.write(self.fault.greeting)
            if self.fault.on_arrival == "mute" or self.fault.greeting:
                await self._swallow(reader)
                return
            far_reader, pair.far = await asyncio.open_connection("127.0.0.1", self.target)
            ways = (self._pass_on(pair, "question", reader, pair.far), self._pass_on(pair, "answer", far_reader, near))
            await asyncio.gather(*ways)

    @contextlib.contextmanager
    def _registered(self, pair: _Pair) -> Iterator[_Pair]:
        task = asyncio.current_task()
        assert task is not None
        self.connections += 1
        self._pairs.add(pair)
        self._serving.add(task)
        try:
            yield pair
        finally:
            self._pairs.discard(pair)
            self._serving.discard(task)
            pair.end("close")

    async def _pass_on(self, pair: _Pair, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(self._piece_bytes(way)):
                if way == "answer" and self.fault.delay_s:
                    await asyncio.sleep(self.fault.delay_s)
                self.swallowed += piece if pair.is_frozen else piece[await self._passed_bytes(pair, way, piece, writer) :]
        except ConnectionError:
            pair.end("reset")
        if not pair.is_frozen and not writer.is_closing():
            with contextlib.suppress(OSError):
                writer.write_eof()

    async def _passed_bytes(self, pair: _Pair, way: str, piece: bytes, writer: asyncio.StreamWriter) -> int:
        """Pass on what may; returns how many bytes of it that were."""
        fault = self.fault
        allowed = fault.answer_bytes if way == "answer" else fault.question_bytes
        left = len(piece) if allowed is None else max(0, allowed - pair.passed_bytes[way])
        pair.passed_bytes[way] += len(piece)
        writer.write(piece[:left])
        await writer.drain()
        if left < len(piece):
            _END[fault.ends](pair, writer)
        return left

    def _piece_bytes(self, way: str) -> int:
        return self.fault.piece_bytes if way == "answer" else _PIECE_BYTES

    async def _swallow(self, reader: asyncio.StreamReader) -> None:
        while piece := await reader.read(_PIECE_BYTES):
            self.swallowed += piece


def _freeze(pair: _Pair, _writer: asyncio.StreamWriter) -> None:
    pair.is_frozen = True


def _half(pair: _Pair, writer: asyncio.StreamWriter) -> None:
    pair.is_frozen = True
    writer.write_eof()


_END: dict[str, Callable[[_Pair, asyncio.StreamWriter], None]] = {
    "reset": lambda pair, _writer: pair.end("reset"),
    "close": lambda pair, _writer: pair.end("close"),
    "half": _half,
    "freeze": _freeze,
}
