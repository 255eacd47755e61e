"""The header fields of error answers.

Upstream's end-to-end fields stay in order, except those that described its body: that one is replaced, so its length, coding, ranges, validators and
digests (RFC 9110 8, 13, 14; RFC 9530; RFC 1864) would be wrong. What our SDKs read as a number is made a whole number or left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from proxy.core.fields import first_value
from proxy.core.retry_after import seconds_or_date, whole_seconds

if TYPE_CHECKING:
    from proxy.core.model import Cause, Fields, Origin

REQUEST_ID_MAX_CHARS: Final = 128
OURS: Final = b"x-nylas-proxy-"
"""What a field name of ours begins with; a proxy further up may have sent some, too."""

_OF_THE_BODY: Final = frozenset(
    (
        b"content-length content-type content-encoding content-range content-md5 transfer-encoding trailer"
        b" accept-ranges etag last-modified digest content-digest repr-digest"
    ).split()
)
_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding", b"trailer"))
_LIMITS: Final = (b"x-ratelimit-limit", b"x-ratelimit-reset")


def request_id_of(fields: Fields, otherwise: str) -> str:
    """Return upstream's X-Request-Id, else `otherwise`, fit for a header: visible ASCII, at most `REQUEST_ID_MAX_CHARS`; may be empty."""
    return _visible(first_value(fields, b"x-request-id") or "") or _visible(otherwise)


def error_fields(fields: Fields, *, request_id: str, wait_s: float | None, now: float) -> Fields:
    """Return the fields of an answer whose body is ours, all but Content-Length and the proxy's own.

    Args:
        fields: Upstream's, empty where there was no upstream.
        request_id: For X-Request-Id where upstream sent none.
        wait_s: For Retry-After; None leaves the field out.
        now: Seconds since 1970, for limits that upstream gave as a date.
    """
    kept = [(name, value) for name, value in _without_ours(fields) if name.lower() not in _OF_THE_BODY | {b"retry-after"}]
    limited = [_whole(name, value, now) for name, value in kept]
    after = [] if wait_s is None else [(b"Retry-After", b"%d" % whole_seconds(wait_s))]
    return (*(field for field in limited if field is not None), (b"Content-Type", b"application/json"), *after, *_request_id(fields, request_id))


def untouched_fields(fields: Fields, body_bytes: int, *, request_id: str) -> Fields:
    """Return upstream's fields for its own body of `body_bytes`, framed by Content-Length."""
    kept = [(name, value) for name, value in _without_ours(fields) if name.lower() not in _FRAMING]
    return (*kept, (b"Content-Length", b"%d" % body_bytes), *_request_id(fields, request_id))


def proxy_fields(origin: Origin, cause: Cause, attempts: int) -> Fields:
    """Return the fields that every error carries."""
    return (
        (b"X-Nylas-Proxy-Origin", origin.encode("ascii")),
        (b"X-Nylas-Proxy-Cause", cause.encode("ascii")),
        (b"X-Nylas-Proxy-Attempts", b"%d" % attempts),
    )


def _without_ours(fields: Fields) -> list[tuple[bytes, bytes]]:
    empty_id = first_value(fields, b"x-request-id") == ""
    return [(name, value) for name, value in fields if not name.lower().startswith(OURS) and not (empty_id and name.lower() == b"x-request-id")]


def _request_id(fields: Fields, request_id: str) -> Fields:
    return () if first_value(fields, b"x-request-id") else ((b"X-Request-Id", request_id.encode("ascii")),)


def _whole(name: bytes, value: bytes, now: float) -> tuple[bytes, bytes] | None:
    """Return the field with a whole number where an SDK parses one (v2 Ruby, Java, Python); None where there is no number to be had."""
    if name.lower() not in _LIMITS or value.strip().isdigit():
        return name, value
    number = seconds_or_date(value.decode("ascii", "replace").strip(), now)
    return None if number is None else (name, b"%d" % whole_seconds(number))


def _visible(text: str) -> str:
    return re.sub(r"[^\x21-\x7e]", "", text)[:REQUEST_ID_MAX_CHARS]
