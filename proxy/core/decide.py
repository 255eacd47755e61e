"""What follows from an attempt that brought no answer: another one, or an error of the network.

Later rules (which refusals and errors of upstream may be repeated) join this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.core.model import Cause, Origin, Problem

if TYPE_CHECKING:
    from proxy.core.model import RequestContext

_REPEATED_ON_STALE: Final = frozenset({"GET", "HEAD"})
_MAX_ATTEMPTS_ON_STALE: Final = 2

_CHANGES_STATE: Final = frozenset({"PUT", "PATCH", "DELETE"})  # repeatable on most routes, and carried out all the same

_STATUS_AND_ORIGIN: Final = {
    Cause.UPSTREAM_UNREACHABLE: (502, Origin.NETWORK),
    Cause.UPSTREAM_BROKE_OFF: (502, Origin.NETWORK),
    Cause.UPSTREAM_MALFORMED: (502, Origin.NETWORK),
    Cause.RESPONSE_TIMEOUT: (504, Origin.NETWORK),
    Cause.OVERLOADED: (503, Origin.PROXY),
    Cause.REQUEST_MALFORMED: (400, Origin.PROXY),
}
_OVERLOADED_RETRY_AFTER_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class TransportFailure:
    """An attempt without an answer.

    Attributes:
        cause: One of those in the table above.
        detail: One sentence, nothing of the request in it.
        sent: Bytes of the request have left, so upstream may have acted on it.
        stale: A kept connection ended before it gave a byte: upstream had most likely closed it before the request came.
    """

    cause: Cause
    detail: str
    sent: bool
    stale: bool


@dataclass(frozen=True, slots=True)
class Again:
    """Ask upstream once more, on a new connection."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Tell the caller."""

    problem: Problem


def finishes_without_caller(context: RequestContext) -> bool:
    """Tell whether a request that has left is brought to its end when its caller leaves.

    Nylas carries it out anyway, so what remains is to know how it ended. Read-only POSTs are not worth it.
    """
    return context.method in context.route.unsafe or context.method in _CHANGES_STATE


def decide(failure: TransportFailure, *, method: str, has_body: bool, unsafe: bool, attempts: int) -> Again | Answer:
    """Repeat only what cannot have had an effect: a bodiless GET or HEAD on a stale connection, once (RFC 9112 section 9.3.1).

    Not where the route says that even a GET is unsafe: v2's `GET /oauth/token` spends a one-time code.
    """
    if failure.stale and method in _REPEATED_ON_STALE and not has_body and not unsafe and attempts < _MAX_ATTEMPTS_ON_STALE:
        return Again()
    status, origin = _STATUS_AND_ORIGIN[failure.cause]
    message = failure.detail
    if failure.sent and unsafe:
        message += "; it may have been carried out all the same: look before you repeat it"
    retry_after_s = _OVERLOADED_RETRY_AFTER_S if failure.cause is Cause.OVERLOADED else None
    return Answer(Problem(status, failure.cause, message, origin, retry_after_s))
