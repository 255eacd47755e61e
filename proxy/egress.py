"""What the proxy itself writes at the top of an answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from proxy.core.model import Cause, Origin
    from proxy.errand import Errand
    from proxy.wire.head import Field, ResponseHead

# http.HTTPStatus has older names for a few; RFC 9110 section 15 has these.
REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus} | {
    413: b"Content Too Large",
    418: b"I'm a teapot",
    422: b"Unprocessable Content",
}

_ONLY_OURS: Final = frozenset(
    b"x-nylas-proxy-" + name for name in (b"attempts", b"waited", b"would-hold", b"idempotency", b"advice", b"origin", b"cause")
)
_AT_ONCE: Final = ((b"X-Nylas-Proxy-Attempts", b"1"), (b"X-Nylas-Proxy-Waited", b"0"))


def without_ours(head: ResponseHead) -> list[Field]:
    """Return upstream's end-to-end fields but for those that only this proxy writes: an upstream that writes them would speak in its name."""
    fields = head.end_to_end()
    if head.index.keys().isdisjoint(_ONLY_OURS):
        return fields
    return [field for field in fields if field[0].lower() not in _ONLY_OURS]


def waiting_fields(errand: Errand | None) -> list[Field]:
    """How long a request waited, what was done about its repetition, what its caller is advised."""
    if errand is None or not errand.waited_s:
        fields = [(b"X-Nylas-Proxy-Waited", b"0")]
    else:
        fields = [(b"X-Nylas-Proxy-Waited", f"{errand.waited_s:.3f}".encode())]
    if errand is not None and errand.would_hold_s:
        fields.append((b"X-Nylas-Proxy-Would-Hold", f"{errand.would_hold_s:.3f}".encode()))
    if errand is not None and errand.key:
        fields.append((b"X-Nylas-Proxy-Idempotency", b"renewed" if errand.key_renewed else b"injected"))
    if errand is not None and errand.advice:
        fields.append((b"X-Nylas-Proxy-Advice", errand.advice.encode("ascii")))
    return fields


def own_fields(request_id: str | None, errand: Errand | None, verdict: tuple[Origin, Cause] | None) -> list[Field]:
    """The fields that every answer carries, and those of an error whose body is upstream's own; `request_id` is None where upstream named one."""
    if errand is not None and errand.attempts == 1 and not (errand.waited_s or errand.would_hold_s or errand.key or errand.advice):
        fields = list(_AT_ONCE)
    else:
        fields = [(b"X-Nylas-Proxy-Attempts", b"%d" % (errand.attempts if errand else 0)), *waiting_fields(errand)]
    if request_id is not None:
        fields.append((b"X-Request-Id", request_id.encode("ascii")))
    if verdict is not None:
        fields += ((b"X-Nylas-Proxy-Origin", verdict[0].encode()), (b"X-Nylas-Proxy-Cause", verdict[1].encode()))
    return fields
