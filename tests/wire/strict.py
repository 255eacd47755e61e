"""HTTP/1.1 read strictly: the judge of every byte that the proxy sends, to either side.

Shares no code with the proxy and uses no parser library, so that a mistake in one cannot hide in the other. Pure: bytes in a
buffer go in, values come out. What RFC 9112 forbids raises `Malformed`; what it merely tolerates in a recipient is malformed too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from wire.bodies import Chunked, Decoder, Sized, UntilClose
from wire.lines import TOKEN, VALUE, Fields, Malformed, parse_field

_REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") ([\x21\x22\x24-\x7e]+) HTTP/1\.([01])")  # any visible ASCII but `#`: raw targets pass as sent
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2}) (" + VALUE + rb")")
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~%!$&'()*+,;=]*)(?::[0-9]*)?")
_LENGTH = re.compile(rb"0*[0-9]{1,20}")
_LENGTH_MAX = 2**64 - 1  # what fits the widest integers in use
HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"te", b"upgrade"})


@dataclass(frozen=True, slots=True)
class Head:
    """A start line and its field lines, in order, names as sent, values without surrounding blanks."""

    start: bytes
    fields: Fields

    def values(self, name: bytes) -> list[bytes]:
        """The values of the field lines called `name` (any case), in order."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def value(self, name: bytes) -> bytes | None:
        """The value of the only field line called `name`; None when there is none; Malformed when there are several."""
        found = self.values(name)
        if len(found) > 1:
            raise Malformed(f"{name!r} is there {len(found)} times")
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class RequestLine:
    """A method, a raw target, and the minor version."""

    method: bytes
    target: bytes
    minor: int


@dataclass(frozen=True, slots=True)
class StatusLine:
    """A minor version, a status (100 to 599) and a raw reason."""

    minor: int
    status: int
    reason: bytes


def take_head(buffer: bytearray) -> Head | None:
    """Remove a complete head from the buffer; None while it is not complete."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    raw = bytes(buffer[:end])
    del buffer[: end + 4]
    start, *lines = raw.split(b"\r\n")
    return Head(start, tuple(parse_field(line) for line in lines))


def request_line(head: Head) -> RequestLine:
    """The start line of a request, or Malformed."""
    match = _REQUEST_LINE.fullmatch(head.start)
    if match is None:
        raise Malformed(f"request line {head.start[:80]!r}")
    return RequestLine(match[1], match[2], int(match[3]))


def status_line(head: Head) -> StatusLine:
    """The start line of a response, or Malformed."""
    match = _STATUS_LINE.fullmatch(head.start)
    if match is None:
        raise Malformed(f"status line {head.start[:80]!r}")
    return StatusLine(int(match[1]), int(match[2]), match[3])


def _declared(head: Head, minor: int) -> Decoder | None:
    """The framing that Transfer-Encoding or Content-Length declare; None when neither is there."""
    codings, length = head.value(b"transfer-encoding"), head.value(b"content-length")
    if codings is not None and length is not None:
        raise Malformed("both Content-Length and Transfer-Encoding")
    if codings is not None:
        if codings.lower() != b"chunked" or minor == 0:
            raise Malformed(f"Transfer-Encoding {codings!r} in HTTP/1.{minor}")
        return Chunked()
    if length is None:
        return None
    if not _LENGTH.fullmatch(length) or int(length) > _LENGTH_MAX:
        raise Malformed(f"Content-Length {length!r}")
    return Sized(int(length))


def request_body(head: Head) -> Decoder:
    """How the body of this request ends (RFC 9112 section 6.3), or Malformed; checks start line and Host as well."""
    line = request_line(head)
    host = head.value(b"host")
    if line.minor == 1 and host is None:
        raise Malformed("no Host (RFC 9112 section 3.2)")
    if host and not _HOST.fullmatch(host):
        raise Malformed(f"Host {host[:80]!r}")
    return _declared(head, line.minor) or Sized(0)


def forwarded_request_body(head: Head) -> Decoder:
    """The same for what a proxy sends on: HTTP/1.1, origin-form, and nothing that was meant for one hop only."""
    line = request_line(head)
    if line.minor != 1 or not line.target.startswith(b"/"):
        raise Malformed(f"forwarded as {head.start[:80]!r}")
    for name, _ in head.fields:
        if name.lower() in HOP_BY_HOP or name.lower().startswith(b"x-nylas-proxy-"):
            raise Malformed(f"{name!r} was sent on")
    return request_body(head)


def response_body(head: Head, method: bytes) -> Decoder:
    """How the body of this answer to `method` ends (RFC 9112 section 6.3), or Malformed."""
    line = status_line(head)
    declared = _declared(head, line.minor)
    if line.status < 200 or line.status == 204:
        if isinstance(declared, Chunked):
            raise Malformed(f"Transfer-Encoding in a {line.status} (RFC 9112 section 6.1)")
        return Sized(0)
    if method == b"HEAD" or line.status == 304:
        return Sized(0)
    return UntilClose() if declared is None else declared
