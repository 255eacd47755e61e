"""The lines that HTTP/1.1 messages are made of, read strictly (RFC 9112 sections 2.2 and 5)."""

from __future__ import annotations

import re

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
VALUE = rb"[\t\x20-\x7e\x80-\xff]*"
_FIELD_LINE = re.compile(rb"(" + TOKEN + rb"):(" + VALUE + rb")")

Fields = tuple[tuple[bytes, bytes], ...]


class Malformed(Exception):  # noqa: N818 - reads as what the bytes are
    """These bytes are no HTTP/1.1 that two parsers must read alike."""


def take_line(buffer: bytearray) -> bytes | None:
    """Remove one line from the buffer and return it without its CRLF; None when it is not complete. A bare LF is malformed."""
    end = buffer.find(b"\n")
    if end < 0:
        return None
    line = bytes(buffer[: end + 1])
    del buffer[: end + 1]
    if not line.endswith(b"\r\n"):
        raise Malformed(f"a line ends with a bare LF: {line[-60:]!r}")
    return line[:-2]


def parse_field(line: bytes) -> tuple[bytes, bytes]:
    """One field line (RFC 9112 section 5): its name as sent and its value without surrounding blanks."""
    match = _FIELD_LINE.fullmatch(line)
    if match is None:
        raise Malformed(f"field line {line[:80]!r}")
    return match[1], match[2].strip(b" \t")
