"""What llhttp lets pass and this proxy does not, as values: requests that two parsers could read differently, or that are too large."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from proxy.wire.framing import CHUNKED, NO_BODY, Framing, FramingError, content_length
from proxy.wire.head import Refusal, RefusalReason, origin_form

if TYPE_CHECKING:
    from proxy.wire.head import RequestHead
    from proxy.wire.limits import ServerLimits

VERSION: Final = Refusal(RefusalReason.VERSION, "this proxy speaks HTTP/1.1 and HTTP/1.0")
NO_VERSION: Final = Refusal(RefusalReason.MALFORMED, "the request line names no HTTP version")
HOST: Final = Refusal(RefusalReason.MALFORMED, "HTTP/1.1 asks for exactly one valid Host field")
HEAD_TOO_LARGE: Final = Refusal(RefusalReason.HEAD_TOO_LARGE, "the request's head is larger than this proxy accepts")
TOO_MANY_FIELDS: Final = Refusal(RefusalReason.HEAD_TOO_LARGE, "more header or trailer fields than this proxy accepts")
OVERHEAD: Final = Refusal(RefusalReason.HEAD_TOO_LARGE, "chunk extensions or trailers are larger than this proxy accepts")
BODY_TOO_LARGE: Final = Refusal(RefusalReason.BODY_TOO_LARGE, "the body is larger than this proxy accepts")
_TUNNEL: Final = Refusal(RefusalReason.METHOD, "this proxy is no tunnel: CONNECT is not supported")
_METHOD: Final = Refusal(RefusalReason.METHOD, "this method is not supported")
_NO_REQUEST: Final = Refusal(RefusalReason.MALFORMED, "what came does not begin with a request line")
_TLS: Final = Refusal(RefusalReason.MALFORMED, "the client speaks TLS, this listener does not: use http:// or give it a certificate")
_TARGET: Final = Refusal(RefusalReason.MALFORMED, "the request target has no path, or holds a fragment")

_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^ ]+ HTTP/1\.[01]\r?")


def refusal_of_line(head: RequestHead, version: str) -> Refusal | None:
    """Judge version, method and target (RFC 9112 sections 2.3 and 3); reduces the target to its origin form."""
    if version not in {"1.1", "1.0"}:
        # A line without a version counts as 0.9 for llhttp; nothing can follow it. With fields, the line named it.
        return NO_VERSION if version == "0.9" and not head.fields else VERSION
    if head.method == b"CONNECT":
        return _TUNNEL
    target = origin_form(head.target)
    if target is None:
        return _TARGET
    head.target = target
    return None


def refusal_of_size(head: RequestHead, limits: ServerLimits, fed_bytes: int) -> Refusal | None:
    """Bound a head; `fed_bytes`, what was read for it, is an upper bound that mostly spares the counting."""
    if len(head.fields) > limits.header_max_count:
        return TOO_MANY_FIELDS
    if fed_bytes <= limits.head_max_bytes:
        return None
    size_bytes = len(head.target) + sum(len(name) + len(value) + 4 for _, name, value in head.fields)
    return HEAD_TOO_LARGE if size_bytes > limits.head_max_bytes else None


def read_framing(head: RequestHead) -> Refusal | None:
    """Decide how the body is delimited, and keep it in the head, or refuse what leaves a doubt."""
    try:
        head.framing = _request_framing(head)
    except FramingError as error:
        return Refusal(RefusalReason.MALFORMED, f"the end of the body is not beyond doubt: {error}")
    return None


def _request_framing(head: RequestHead) -> Framing:
    """Apply RFC 9112 section 6.3.

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
    return NO_BODY if length is None else Framing(content_length(length))


def is_tls(data: bytes) -> bool:
    """Tell whether a client speaks TLS to us: a handshake record of version 3.x (RFC 8446 section 5.1)."""
    return data.startswith(b"\x16\x03")


def refusal_of_foreign_line(line: bytes) -> Refusal:
    """Tell a request with a method of no list (legal, and not supported) from what is no request."""
    if is_tls(line):
        return _TLS
    return _METHOD if _REQUEST_LINE.fullmatch(line) else _NO_REQUEST
