"""The bodies of HTTP/1.1 messages, read strictly (RFC 9112 sections 6 and 7): lengths, chunks, and until the connection ends."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol

from wire.lines import TOKEN, Fields, Malformed, parse_field, take_line

_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
_EXTENSION = rb"(?:[ \t]*;[ \t]*" + TOKEN + rb"(?:[ \t]*=[ \t]*(?:" + TOKEN + rb"|" + _QUOTED + rb"))?)*"
_CHUNK_LINE = re.compile(rb"(0*[0-9A-Fa-f]{1,16})" + _EXTENSION)
FORBIDDEN_TRAILERS = frozenset({b"content-length", b"transfer-encoding", b"host", b"trailer", b"content-encoding", b"content-type"})


class Decoder(Protocol):
    """Takes the payload of one message body from the front of a buffer."""

    @property
    def finished(self) -> bool:
        """Tell whether all of it has come."""
        ...

    @property
    def trailers(self) -> Fields:
        """The trailer fields, once it is finished."""
        ...

    def decode(self, buffer: bytearray) -> bytes:
        """Remove what belongs to this body and is there; return its payload."""
        ...

    def may_end_here(self) -> bool:
        """Tell whether the peer may close now without having broken anything off."""
        ...


@dataclass(slots=True)
class Sized:
    """A body of `left_bytes` (RFC 9112 section 6.2)."""

    left_bytes: int
    trailers: Fields = ()

    @property
    def finished(self) -> bool:
        return self.left_bytes == 0

    def decode(self, buffer: bytearray) -> bytes:
        payload = bytes(buffer[: self.left_bytes])
        del buffer[: len(payload)]
        self.left_bytes -= len(payload)
        return payload

    def may_end_here(self) -> bool:
        return self.finished


@dataclass(slots=True)
class UntilClose:
    """A body that ends with the connection (RFC 9112 section 6.3 rule 8)."""

    finished: bool = False
    trailers: Fields = ()

    def decode(self, buffer: bytearray) -> bytes:
        payload = bytes(buffer)
        buffer.clear()
        return payload

    def may_end_here(self) -> bool:
        return True


@dataclass(slots=True)
class Chunked:
    """A body in chunks (RFC 9112 section 7.1); remembers their sizes and the trailers, of which some names are `forbidden`."""

    forbidden: frozenset[bytes] = FORBIDDEN_TRAILERS
    finished: bool = False
    trailers: Fields = ()
    sizes: list[int] = field(default_factory=list)
    _left_bytes: int = 0
    _expects: str = "size"

    def decode(self, buffer: bytearray) -> bytes:
        payload = bytearray()
        while not self.finished and self._step(buffer, payload):
            pass
        return bytes(payload)

    def may_end_here(self) -> bool:
        return self.finished

    def _step(self, buffer: bytearray, payload: bytearray) -> bool:
        if self._expects == "data":
            return self._data(buffer, payload)
        line = take_line(buffer)
        if line is None:
            return False
        if self._expects == "end of data":
            if line:
                raise Malformed(f"a chunk is followed by {line[:20]!r}")
            self._expects = "size"
        elif self._expects == "size":
            self._size(line)
        else:
            self._trailer(line)
        return True

    def _data(self, buffer: bytearray, payload: bytearray) -> bool:
        piece = buffer[: self._left_bytes]
        del buffer[: len(piece)]
        payload += piece
        self._left_bytes -= len(piece)
        if self._left_bytes == 0:
            self._expects = "end of data"
        return bool(piece)

    def _size(self, line: bytes) -> None:
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise Malformed(f"chunk line {line[:60]!r}")
        self._left_bytes = int(match[1], 16)
        self.sizes.append(self._left_bytes)
        self._expects = "data" if self._left_bytes else "trailer"

    def _trailer(self, line: bytes) -> None:
        if not line:
            self.finished = True
            return
        name, value = parse_field(line)
        if name.lower() in self.forbidden:
            raise Malformed(f"{name!r} among the trailers (RFC 9110 section 6.5.1)")
        self.trailers = (*self.trailers, (name, value))
