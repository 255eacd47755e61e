"""What the proxy itself writes at the top of an answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from proxy.core.model import Cause, Origin
    from proxy.wire.head import Field

# http.HTTPStatus has older names for a few; RFC 9110 section 15 has these.
REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus} | {
    413: b"Content Too Large",
    418: b"I'm a teapot",
    422: b"Unprocessable Content",
}

_AT_ONCE: Final = ((b"X-Nylas-Proxy-Attempts", b"1"), (b"X-Nylas-Proxy-Waited", b"0"))


def own_fields(request_id: str | None, attempts: int, verdict: tuple[Origin, Cause] | None) -> list[Field]:
    """The fields that every answer carries, and those of an error whose body is upstream's own; `request_id` is None where upstream named one."""
    fields = list(_AT_ONCE) if attempts == 1 else [(b"X-Nylas-Proxy-Attempts", b"%d" % attempts), (b"X-Nylas-Proxy-Waited", b"0")]
    if request_id is not None:
        fields.append((b"X-Request-Id", request_id.encode("ascii")))
    if verdict is not None:
        fields += ((b"X-Nylas-Proxy-Origin", verdict[0].encode()), (b"X-Nylas-Proxy-Cause", verdict[1].encode()))
    return fields
