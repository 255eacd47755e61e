"""How a body is delimited (RFC 9112 section 6.3), and how a chunked one is written (section 7.1)."""

from __future__ import annotations

from typing import Final, NamedTuple


class Framing(NamedTuple):
    """What ends a body: its length in bytes, unless it is one of the three below, which are compared by identity."""

    length_bytes: int


NO_BODY: Final = Framing(0)
CHUNKED: Final = Framing(0)
UNTIL_CLOSE: Final = Framing(0)


class FramingError(ValueError):
    """A message whose end two parsers could see in different places."""


def content_length(value: bytes) -> int:
    """Read a Content-Length; raises FramingError where it is not one decimal number."""
    if not value.isdigit():
        raise FramingError("Content-Length is not one decimal number")
    return int(value)


def encode_chunk(data: bytes) -> bytes:
    """One chunk (RFC 9112 section 7.1); `data` must not be empty, an empty chunk is the last one."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailers: list[tuple[bytes, bytes]]) -> bytes:
    """The last chunk with its trailer section (RFC 9112 section 7.1.2)."""
    return b"0\r\n" + b"".join(b"%b: %b\r\n" % field for field in trailers) + b"\r\n"
