"""How a body is delimited (RFC 9112 section 6.3), decided once for a message; what could be read in two ways is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from proxy.wire.head import RequestHead, ResponseHead


class Framing(NamedTuple):
    """What ends a body: its length in bytes, unless it is one of the three below, which are compared by identity."""

    length_bytes: int


NO_BODY: Final = Framing(0)
CHUNKED: Final = Framing(0)
UNTIL_CLOSE: Final = Framing(0)

_NO_CONTENT = 204
_NOT_MODIFIED = 304
_FIRST_FINAL_STATUS = 200


class FramingError(ValueError):
    """A message whose end two parsers could see in different places."""


def request_framing(head: RequestHead) -> Framing:
    """Decide how a request's body is delimited; raises FramingError where that is not beyond doubt.

    The parser has already refused Content-Length beside Transfer-Encoding, repeated and malformed lengths (llhttp); what it
    lets pass is refused here: other codings before chunked, and chunked from an HTTP/1.0 client.
    """
    coding = head.index.get(b"transfer-encoding")
    if coding is not None:
        if head.is_http_10:
            raise FramingError("Transfer-Encoding in an HTTP/1.0 request")
        if coding.lower() != b"chunked":
            raise FramingError("a transfer coding other than chunked")
        return CHUNKED
    length = head.index.get(b"content-length")
    if length is None:
        return NO_BODY
    return Framing(_length_bytes(length))


def response_framing(head: ResponseHead, method: bytes) -> Framing:
    """Decide how a response's body is delimited, given the request's method; raises FramingError where that is not beyond doubt."""
    coding = head.index.get(b"transfer-encoding")
    if coding is not None and (coding.lower() != b"chunked" or head.is_http_10):
        raise FramingError("a transfer coding other than chunked, or one in HTTP/1.0")
    length = head.index.get(b"content-length")
    length_bytes = None if length is None else _length_bytes(length)
    if method == b"HEAD" or head.status < _FIRST_FINAL_STATUS or head.status in {_NO_CONTENT, _NOT_MODIFIED}:
        return NO_BODY
    if coding is not None:
        return CHUNKED
    if length_bytes is None:
        return UNTIL_CLOSE
    return Framing(length_bytes)


def _length_bytes(value: bytes) -> int:
    if not value.isdigit():
        raise FramingError("Content-Length is not one decimal number")
    return int(value)


def encode_chunk(data: bytes) -> bytes:
    """One chunk (RFC 9112 section 7.1); `data` must not be empty, an empty chunk is the last one."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def last_chunk(trailers: list[tuple[bytes, bytes]]) -> bytes:
    """The last chunk with its trailer section (RFC 9112 section 7.1.2)."""
    return b"0\r\n" + b"".join(b"%b: %b\r\n" % field for field in trailers) + b"\r\n"
