"""A caller of the proxy: sends what its case says, and judges what comes back as strictly as RFC 9112 allows."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from wire import strict

from faults.relay import hang_up

if TYPE_CHECKING:
    from wire.bodies import Decoder

PATIENT_S = 8.0  # of any single wait: far longer than the proxy ever needs
_PIECE_BYTES = 65536
_BUFFERED_BYTES = 4096


class End(StrEnum):
    """How an answer ended."""

    WHOLE = "whole"
    """A client that goes by the RFC takes it for complete."""
    CUT = "cut"
    """It began, and such a client knows that it is not complete."""
    NONE = "none"
    """Nothing came."""


class Answer(NamedTuple):
    """What a caller got; status 0 where it was nothing."""

    end: End
    status: int = 0
    cause: str = ""
    body: bytes = b""
    head: strict.Head | None = None
    is_last: bool = False

    def value(self, name: bytes) -> bytes:
        """The value of the only field called `name`, or empty."""
        return (self.head.value(name) if self.head is not None else None) or b""


class Caller:
    """One connection to the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()

    @classmethod
    async def dial(cls, port: int, *, takes_little: bool = False) -> Caller:
        """Connect; `takes_little` leaves hardly any room for what is not read."""
        sock = socket.socket()
        if takes_little:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFERED_BYTES)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        limit = _BUFFERED_BYTES if takes_little else 2**20
        return cls(*await asyncio.open_connection(sock=sock, limit=limit))

    async def send(self, *pieces: bytes) -> None:
        """Send each piece by itself, as far as they are taken."""
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                self._writer.write(piece)
                await self._writer.drain()

    async def answer(self, method: bytes = b"GET") -> Answer:
        """The next final answer, to its end, whatever that is."""
        async with asyncio.timeout(PATIENT_S):
            head = await self._final_head()
            if head is None:
                return Answer(End.NONE)
            decoder = strict.response_body(head, method)
            body, end = await self._body(decoder)
        return Answer(end, strict.status_line(head).status, _cause(head, body), body, head, head.value(b"connection") == b"close")

    async def head(self) -> strict.Head | None:
        """The head of the next answer; None where the connection ends before it."""
        while (head := strict.take_head(self._buffer)) is None:
            if not await self._fill():
                return None
        return head

    async def some(self, count: int) -> int:
        """Read at least `count` bytes of whatever comes and forget them; returns how many they were."""
        taken = 0
        async with asyncio.timeout(PATIENT_S):
            while taken < count and await self._fill():
                taken += len(self._buffer)
                self._buffer.clear()
        return taken

    async def until_closed(self) -> bytes:
        """Everything until the proxy ends the connection."""
        async with asyncio.timeout(PATIENT_S):
            while await self._fill():
                pass
        return bytes(self._buffer)

    def leave(self, how: str) -> None:
        """End the connection: `close` or `reset`; `half` sends FIN and stays."""
        if how == "half":
            with contextlib.suppress(OSError):
                self._writer.write_eof()
        else:
            hang_up(self._writer, how)

    async def _final_head(self) -> strict.Head | None:
        head = await self.head()
        while head is not None and strict.status_line(head).status < 200:
            head = await self.head()
        return head

    async def _body(self, decoder: Decoder) -> tuple[bytes, End]:
        body = bytearray(decoder.decode(self._buffer))
        while not decoder.finished:
            try:
                piece = await self._reader.read(_PIECE_BYTES)
            except ConnectionError:
                return bytes(body), End.CUT
            if not piece:
                return bytes(body), End.WHOLE if decoder.may_end_here() else End.CUT
            self._buffer += piece
            body += decoder.decode(self._buffer)
        return bytes(body), End.WHOLE

    async def _fill(self) -> bool:
        try:
            piece = await self._reader.read(_PIECE_BYTES)
        except ConnectionError:
            return False
        self._buffer += piece
        return bool(piece)


def _cause(head: strict.Head, body: bytes) -> str:
    """The cause of an error, the same in its field and in its body where that is ours."""
    told = (head.value(b"x-nylas-proxy-cause") or b"").decode()
    with contextlib.suppress(ValueError):
        inside = json.loads(body)
        if isinstance(inside, dict) and "proxy" in inside:
            assert inside["proxy"]["cause"] == told
    return told
