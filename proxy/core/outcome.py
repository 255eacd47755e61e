"""How an attempt can end without success, and which row of the table (`proxy.core.repeat`) that is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.core.model import Api, Cause
from proxy.core.normalise import OUTCOME_UNKNOWN
from proxy.core.repeat import Ending

if TYPE_CHECKING:
    from proxy.core.model import RequestContext, Verdict

THROTTLES: Final = frozenset(
    {
        Cause.RATE_LIMIT_NYLAS,
        Cause.RATE_LIMIT_AMBIGUOUS,
        Cause.RATE_LIMIT_PROVIDER,
        Cause.RATE_LIMIT_PROVIDER_GOOGLE,
        Cause.RATE_LIMIT_PROVIDER_MICROSOFT,
        Cause.EXCHANGE_THROTTLE,
    }
)
"""Causes that pass by themselves, soon enough for a repetition. Not among them: a day's quota."""

_NEVER_REPEATED: Final = frozenset({Cause.RATE_LIMIT_PROVIDER_QUOTA, Cause.BLOCKED})
_NOTHING_DONE: Final = frozenset({Cause.SERVER_ERROR_SAFE_TO_RETRY, Cause.TIMEOUT_NOT_SENT})
_FAULTS_HERE: Final = frozenset({Cause.OVERLOADED, Cause.REQUEST_MALFORMED})
"""Failures that lie with ourselves or the caller: it waited in vain for one of our connections, or its body was broken."""

_ACCEPTED, _REQUEST_TIMEOUT, _SERVER_ERRORS_FROM, _GATEWAY_TIMEOUT = 202, 408, 500, 504
_BAD_GATEWAY_OR_UNAVAILABLE: Final = frozenset({502, 503})


@dataclass(frozen=True, slots=True)
class TransportFailure:
    """An attempt without an answer.

    Attributes:
        cause: `UPSTREAM_*`, `RESPONSE_TIMEOUT`, `OVERLOADED` or `REQUEST_MALFORMED`.
        detail: One sentence, nothing of the request in it.
        sent: Bytes of the request have left, so upstream may have acted on it.
        stale: A kept connection ended before it gave a byte: upstream had most likely closed it before the request came.
    """

    cause: Cause
    detail: str
    sent: bool
    stale: bool


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """An attempt that was answered with an error, or with "not ready".

    Attributes:
        status: The HTTP status.
        verdict: What it means.
        retryable: What describes it says that the same request can succeed later.
        by_nylas: The body is JSON that Nylas wrote, no page of a gateway.
        replayed: Nylas says that this answers an earlier request with the same key (`Idempotent-Response: true`).
    """

    status: int
    verdict: Verdict
    retryable: bool
    by_nylas: bool
    replayed: bool = False


Outcome = TransportFailure | ErrorReply


def ending_of(outcome: Outcome, *, first_read: bool) -> Ending:
    """Return the row of the table. `first_read`: the attempt was the first one of a GET or HEAD without a body."""
    if isinstance(outcome, ErrorReply):
        return _ending_of_reply(outcome)
    if outcome.cause in _FAULTS_HERE:
        return Ending.FINAL
    if not outcome.sent:
        return Ending.NEVER_LEFT
    return Ending.STALE if outcome.stale and first_read else Ending.AMBIGUOUS


def leaves_doubt(outcome: Outcome) -> bool:
    """Tell whether the request may have taken effect, if it has one."""
    if isinstance(outcome, TransportFailure):
        return outcome.sent
    cause = outcome.verdict.cause
    return cause in OUTCOME_UNKNOWN or (outcome.status >= _SERVER_ERRORS_FROM and (cause in THROTTLES or cause is Cause.UNKNOWN))


def is_not_ready(status: int, context: RequestContext, accept: bytes) -> bool:
    """Tell whether a success means "not fetched yet": a 202 to v2's GET of a raw message. Every other 202 is a success."""
    route = context.route
    of_message = route.api is Api.V2 and route.name == "message" and context.method == "GET"
    return status == _ACCEPTED and of_message and b"message/rfc822" in accept.lower()


def _ending_of_reply(reply: ErrorReply) -> Ending:
    cause, status = reply.verdict.cause, reply.status
    if reply.replayed:
        return Ending.REPLAYED
    if status == _ACCEPTED:
        return Ending.NOT_READY if cause is Cause.NOT_READY else Ending.ACCEPTED
    if not reply.retryable or cause in _NEVER_REPEATED:
        return Ending.FINAL
    if cause in _NOTHING_DONE:
        return Ending.NOTHING_DONE
    if cause in THROTTLES:
        return Ending.REFUSED if status < _SERVER_ERRORS_FROM else Ending.THROTTLED_FAILURE
    return _ending_of_refusal(cause, status) if status < _SERVER_ERRORS_FROM else _ending_of_failure(reply)


def _ending_of_refusal(cause: Cause, status: int) -> Ending:
    if cause is Cause.IDEMPOTENCY_IN_FLIGHT:
        return Ending.KEY_IN_FLIGHT
    # A gateway gave up on the request half-way, or believes so.
    return Ending.AMBIGUOUS if status == _REQUEST_TIMEOUT else Ending.FINAL


def _ending_of_failure(reply: ErrorReply) -> Ending:
    if reply.status == _GATEWAY_TIMEOUT or not reply.by_nylas:
        return Ending.AMBIGUOUS
    of_provider = reply.verdict.cause is Cause.PROVIDER_ERROR
    return Ending.UNAVAILABLE if reply.status in _BAD_GATEWAY_OR_UNAVAILABLE and not of_provider else Ending.FAILED
