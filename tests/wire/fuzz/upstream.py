"""The fuzzer's upstream: reads strictly, reports anything malformed, answers as the input at hand says."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, cast

from wire import strict
from wire.bodies import Sized
from wire.fuzz.inputs import Kind
from wire.fuzz.reading import Request
from wire.lines import Malformed
from wire.stream import chunks, lines

if TYPE_CHECKING:
    from wire.bodies import Decoder
    from wire.fuzz.inputs import Input

_MARKER = re.compile(rb"fz(\d{8})-[0-9a-f]{8}")
_PART = re.compile(rb"\r\nX-Part: (\d+)\r\n")
_KEPT_BYTES = 400


class Upstream:
    """The inputs that are being played, and what came of them that should not have."""

    def __init__(self) -> None:
        self.playing: dict[int, Input] = {}
        self.complaints: list[str] = []
        self.request_count = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen; returns the port."""
        self._server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=1024)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    def input_of(self, head: bytes) -> Input | None:
        """The input that a request belongs to, by the first marker in its head."""
        match = _MARKER.search(head)
        played = self.playing.get(int(match[1])) if match else None
        return played if match and played and played.marker == match[0] else None


class _Connection(asyncio.Protocol):
    """One connection of the proxy: a request, its answer, the next request."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._buffer = bytearray()
        self._recent = b""
        self._head: strict.Head | None = None
        self._raw_head = b""
        self._decoder: Decoder = Sized(0)
        self._body = bytearray()
        self._played: Input | None = None
        self._answering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._recent = (self._recent + data)[-_KEPT_BYTES:]
        self._buffer += data
        if self._answering is not None:
            return  # looked at when the answer is out
        self._read()

    def _read(self) -> None:
        try:
            while self._answering is None and self._read_one():
                pass
        except Malformed as malformed:
            self._upstream.complaints.append(f"malformed request upstream: {malformed}; the latest bytes: {self._recent!r}")
            self._transport.abort()

    def _read_one(self) -> bool:
        if self._head is None and not self._begin():
            return False
        self._body += self._decoder.decode(self._buffer)
        if self._decoder.finished:
            self._end()
        return self._head is None

    def _begin(self) -> bool:
        """Read a head, if there is one; some inputs are answered at once."""
        end = self._buffer.find(b"\r\n\r\n")
        self._raw_head = bytes(self._buffer[: end + 4])
        self._head = strict.take_head(self._buffer)
        if self._head is None:
            return False
        self._decoder = strict.forwarded_request_body(self._head)
        self._body = bytearray()
        self._played = self._upstream.input_of(self._raw_head)
        self._upstream.request_count += 1
        if self._played is not None and self._played.is_early:
            self._answering = asyncio.get_running_loop().create_task(self._play(self._played))
        return True

    def _end(self) -> None:
        """The request is complete: answer it, unless that has been done."""
        played, head, self._head = self._played, self._head, None
        assert head is not None
        line = strict.request_line(head)
        if played is not None and not played.is_early:
            played.arrived.append(Request(line.method, line.target, bytes(self._body)))
        if played is None or played.kind is not Kind.RESPONSE:
            part = _PART.search(self._raw_head)
            self._transport.write(good_answer(line.method, played.marker if played else b"", part[1] if part else b""))
        elif not played.is_early:
            self._answering = asyncio.get_running_loop().create_task(self._play(played))

    async def _play(self, played: Input) -> None:
        for piece in played.response:
            if self._transport.is_closing():
                return
            self._transport.write(piece)
            await asyncio.sleep(0)
        expected = played.expected
        assert expected is not None
        self._answering = None
        if not expected.ends_connection and not expected.is_malformed:
            self._read()
        elif not played.upstream_stays:
            self._transport.close()


def good_answer(method: bytes, marker: bytes, part: bytes) -> bytes:
    """An answer that says what was asked: in chunks for parts 1 and 3, else with a length."""
    fields = (b"HTTP/1.1 200 OK", b"X-Fuzz: " + marker, b"X-Part: " + part, b"X-Method: " + method)
    payload = b"answer to " + marker
    if method == b"HEAD":
        return lines(*fields, b"Content-Length: %d" % len(payload))
    if part in {b"1", b"3"}:
        return lines(*fields, b"Transfer-Encoding: chunked", body=chunks([payload[:4], payload[4:]]))
    return lines(*fields, b"Content-Length: %d" % len(payload), body=payload)
