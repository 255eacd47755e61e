"""What clients are told that are not served: those whom the wire refuses, and those that do not show the secret that all must show."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from proxy.core.headers import OURS
from proxy.core.model import Cause, Problem
from proxy.wire.head import RefusalReason

if TYPE_CHECKING:
    from proxy.wire.head import Refusal, RequestHead

_SECRET_FIELD: Final = OURS + b"secret"
_WITHOUT_SECRET: Final = Problem(403, Cause.CLIENT_NOT_ALLOWED, "requests to this proxy must carry its secret, in X-Nylas-Proxy-Secret")
_CAUSES: Final = {
    RefusalReason.MALFORMED: Cause.REQUEST_MALFORMED,
    RefusalReason.CLIENT_NOT_ALLOWED: Cause.CLIENT_NOT_ALLOWED,
    RefusalReason.TIMEOUT: Cause.REQUEST_TIMEOUT,
    RefusalReason.BODY_TOO_LARGE: Cause.REQUEST_BODY_TOO_LARGE,
    RefusalReason.HEAD_TOO_LARGE: Cause.REQUEST_HEAD_TOO_LARGE,
    RefusalReason.METHOD: Cause.METHOD_UNSUPPORTED,
    RefusalReason.OVERLOADED: Cause.OVERLOADED,
    RefusalReason.VERSION: Cause.VERSION_UNSUPPORTED,
}


class ClientSecret:
    """The secret that every request must carry.

    Args:
        secret: Its bytes; none asks for nothing.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes = b"") -> None:
        self._secret = secret

    def problem_of(self, head: RequestHead) -> Problem | None:
        """Return why a request is not served, or None."""
        # Of a field that stands there twice the values are joined, and match no secret.
        shown = head.index.get(_SECRET_FIELD, b"")
        return None if not self._secret or hmac.compare_digest(shown, self._secret) else _WITHOUT_SECRET


def problem_of(refusal: Refusal) -> Problem:
    """Return what to tell about a request, or a client, that the wire refuses."""
    retry_after_s = 1.0 if refusal.reason is RefusalReason.OVERLOADED else None
    return Problem(refusal.reason.value, _CAUSES[refusal.reason], refusal.detail, retry_after_s=retry_after_s)
