"""One end of a TCP connection that a test drives by hand: every wait has a deadline, everything read is judged by `strict`."""

from __future__ import annotations

import contextlib
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wire import strict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wire.bodies import Decoder
    from wire.lines import Fields

DEADLINE_S = 8.0  # of any single wait: far longer than the proxy ever needs, short enough to name the waiting test
_PIECE_BYTES = 65536


class BrokenOff(Exception):  # noqa: N818 - reads as what happened to the message
    """The connection ended inside a message; `payload` is what had come of its body."""

    def __init__(self, payload: bytes = b"") -> None:
        super().__init__(f"after {len(payload)} bytes of body")
        self.payload = payload


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer; `interim` holds the 1xx heads that came before it, `framing` the class name of its decoder."""

    head: strict.Head
    line: strict.StatusLine
    body: bytes
    trailers: Fields
    framing: str
    interim: tuple[strict.Head, ...]

    @property
    def status(self) -> int:
        return self.line.status

    def value(self, name: bytes) -> bytes | None:
        """The value of the only field called `name`, or None."""
        return self.head.value(name)


class Stream:
    """A socket and the bytes read from it that nobody has asked for yet."""

    def __init__(self, sock: socket.socket, *, deadline_s: float = DEADLINE_S) -> None:
        sock.settimeout(deadline_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = sock
        self.buffer = bytearray()

    def send(self, *pieces: bytes) -> None:
        """Send each piece in a packet of its own."""
        for piece in pieces:
            self.socket.sendall(piece)

    def send_bytewise(self, data: bytes) -> None:
        """Send every byte in a packet of its own."""
        self.send(*(bytes([byte]) for byte in data))

    def fill(self) -> bool:
        """Read once; False at the end of the stream."""
        piece = self.socket.recv(_PIECE_BYTES)
        self.buffer += piece
        return bool(piece)

    def head(self) -> strict.Head:
        """The next head; BrokenOff when the connection ends first."""
        while (head := strict.take_head(self.buffer)) is None:
            self._fill_or_break_off(b"")
        return head

    def piece(self, decoder: Decoder) -> bytes:
        """The next payload of a body, as soon as any is there; empty at its end."""
        while not (payload := decoder.decode(self.buffer)) and not decoder.finished:
            if not self._fill_within(decoder, b""):
                break
        return payload

    def body(self, decoder: Decoder) -> bytes:
        """All of a body; BrokenOff when the connection ends before it does."""
        payload = bytearray(decoder.decode(self.buffer))
        while not decoder.finished and self._fill_within(decoder, payload):
            payload += decoder.decode(self.buffer)
        return bytes(payload)

    def response(self, *, method: bytes = b"GET") -> Response:
        """The next final answer, complete, with the interim ones before it."""
        interim: list[strict.Head] = []
        while strict.status_line(head := self.head()).status < 200:
            interim.append(head)
        decoder = strict.response_body(head, method)
        body = self.body(decoder)
        return Response(head, strict.status_line(head), body, decoder.trailers, type(decoder).__name__, tuple(interim))

    def rest(self) -> bytes:
        """Everything until the peer closes in an orderly way."""
        while self.fill():
            pass
        rest = bytes(self.buffer)
        self.buffer.clear()
        return rest

    def is_closed(self) -> bool:
        """Wait until the peer closes or resets, and tell whether it sent nothing before."""
        try:
            return self.rest() == b""
        except ConnectionError:
            return True

    def is_silent(self) -> bool:
        """Tell whether nothing has come and the peer has not left, as of now."""
        self.socket.setblocking(False)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return not self.buffer
        except ConnectionError:
            return False
        finally:
            self.socket.settimeout(DEADLINE_S)
        return False

    def finish_sending(self) -> None:
        """Send FIN and stay ready to read."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        """Close with FIN (RST where unread bytes are left)."""
        self.socket.close()

    def _fill_or_break_off(self, payload: bytes | bytearray) -> None:
        try:
            more = self.fill()
        except ConnectionError as reset:
            raise BrokenOff(bytes(payload)) from reset
        if not more:
            raise BrokenOff(bytes(payload))

    def _fill_within(self, decoder: Decoder, payload: bytes | bytearray) -> bool:
        """Read once inside a body; False at an end that completes it."""
        if not decoder.may_end_here():
            self._fill_or_break_off(payload)
            return True
        try:
            return self.fill()
        except ConnectionError as reset:
            raise BrokenOff(bytes(payload)) from reset


def lines(*parts: bytes, body: bytes = b"") -> bytes:
    """A head of these lines, its empty line, and a body."""
    return b"".join(part + b"\r\n" for part in parts) + b"\r\n" + body


def chunks(payloads: Iterable[bytes], *trailers: bytes) -> bytes:
    """A chunked body: one chunk for each payload, the last chunk, the trailer lines."""
    data = b"".join(b"%x\r\n%s\r\n" % (len(payload), payload) for payload in payloads)
    return data + b"0\r\n" + lines(*trailers)


def send_what_is_taken(stream: Stream, data: bytes) -> None:
    """Send to a peer that may close before it has all."""
    with contextlib.suppress(ConnectionError):
        stream.send(data)
