"""What llhttp lets pass and this proxy does not, as values: responses that cannot be passed on unchanged and unambiguous, or that are too large."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from proxy.wire.framing import CHUNKED, NO_BODY, UNTIL_CLOSE, Framing, FramingError, content_length

if TYPE_CHECKING:
    from proxy.wire.head import ReadField, ResponseHead
    from proxy.wire.limits import UpstreamLimits

FIRST_FINAL_STATUS: Final = 200
_SWITCHING_PROTOCOLS: Final = 101
_FIRST_STATUS: Final = 100
_LAST_STATUS: Final = 599
_NO_CONTENT: Final = 204
_NOT_MODIFIED: Final = 304

# RFC 9112 section 4: a reason phrase holds blanks, visible characters and obs-text.
_REASON = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")


def objection_to_line(version: str, status: int, reason: bytes) -> str | None:
    """Say what is wrong with a status line, or None."""
    if version not in {"1.1", "1.0"}:
        return "it is not HTTP/1.1"
    if status == _SWITCHING_PROTOCOLS or not _FIRST_STATUS <= status <= _LAST_STATUS:
        return "its status is none that can be passed on"
    if reason != b"OK" and not _REASON.fullmatch(reason):
        return "its reason phrase holds control characters"
    return None


def objection_to_size(fields: list[ReadField], limits: UpstreamLimits, fed_bytes: int) -> str | None:
    """Bound a head; `fed_bytes`, what was read for it, is an upper bound that mostly spares the counting."""
    if len(fields) > limits.header_max_count:
        return "it has more header fields than this proxy accepts"
    if fed_bytes > limits.head_max_bytes and sum(len(name) + len(value) + 4 for _, name, value in fields) > limits.head_max_bytes:
        return "its head is larger than this proxy accepts"
    return None


def response_framing(head: ResponseHead, method: bytes) -> Framing:
    """Decide how a response's body is delimited, given the request's method (RFC 9112 section 6.3); raises FramingError where a doubt is left."""
    coding = head.index.get(b"transfer-encoding")
    if coding is not None and (coding.lower() != b"chunked" or head.is_http_10):
        raise FramingError("a transfer coding other than chunked, or one in HTTP/1.0")
    length = head.index.get(b"content-length")
    length_bytes = None if length is None else content_length(length)
    if method == b"HEAD" or head.status < FIRST_FINAL_STATUS or head.status in {_NO_CONTENT, _NOT_MODIFIED}:
        return NO_BODY
    if coding is not None:
        return CHUNKED
    return UNTIL_CLOSE if length_bytes is None else Framing(length_bytes)
