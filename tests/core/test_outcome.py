from __future__ import annotations

import pytest
from builders import a_context, a_verdict

from proxy.core.model import Cause
from proxy.core.outcome import ErrorReply, TransportFailure, ending_of, is_not_ready, leaves_doubt
from proxy.core.repeat import Ending


def a_failure(cause: Cause = Cause.RESPONSE_TIMEOUT, *, sent: bool = True, stale: bool = False) -> TransportFailure:
    return TransportFailure(cause, "why", sent=sent, stale=stale)


def an_error(cause: Cause, status: int, *, retryable: bool = True, by_nylas: bool = True, replayed: bool = False) -> ErrorReply:
    return ErrorReply(status, a_verdict(cause), retryable, by_nylas, replayed)


@pytest.mark.parametrize(
    ("failure", "first_read", "ending"),
    [
        (a_failure(Cause.UPSTREAM_UNREACHABLE, sent=False), False, Ending.NEVER_LEFT),
        (a_failure(Cause.UPSTREAM_BROKE_OFF, sent=True, stale=True), True, Ending.STALE),
        (a_failure(Cause.UPSTREAM_BROKE_OFF, sent=True, stale=True), False, Ending.AMBIGUOUS),
        (a_failure(Cause.UPSTREAM_BROKE_OFF, sent=True, stale=False), True, Ending.AMBIGUOUS),
        (a_failure(Cause.RESPONSE_TIMEOUT), False, Ending.AMBIGUOUS),
        (a_failure(Cause.UPSTREAM_MALFORMED), False, Ending.AMBIGUOUS),
        (a_failure(Cause.OVERLOADED, sent=False), False, Ending.FINAL),
        (a_failure(Cause.REQUEST_MALFORMED, sent=False), False, Ending.FINAL),
        (a_failure(Cause.REQUEST_MALFORMED, sent=True), False, Ending.FINAL),
    ],
)
def test_a_failure_ends_as_far_as_it_got(failure: TransportFailure, *, first_read: bool, ending: Ending) -> None:
    assert ending_of(failure, first_read=first_read) is ending


@pytest.mark.parametrize(
    ("reply", "ending"),
    [
        (an_error(Cause.RATE_LIMIT_NYLAS, 429), Ending.REFUSED),
        (an_error(Cause.RATE_LIMIT_AMBIGUOUS, 429, by_nylas=False), Ending.REFUSED),
        (an_error(Cause.RATE_LIMIT_PROVIDER, 429), Ending.REFUSED),
        (an_error(Cause.RATE_LIMIT_PROVIDER_GOOGLE, 403), Ending.REFUSED),
        (an_error(Cause.RATE_LIMIT_PROVIDER_MICROSOFT, 429), Ending.REFUSED),
        (an_error(Cause.EXCHANGE_THROTTLE, 429), Ending.REFUSED),
        (an_error(Cause.EXCHANGE_THROTTLE, 503), Ending.THROTTLED_FAILURE),
        (an_error(Cause.EXCHANGE_THROTTLE, 504), Ending.THROTTLED_FAILURE),
        (an_error(Cause.SERVER_ERROR_SAFE_TO_RETRY, 503), Ending.NOTHING_DONE),
        (an_error(Cause.TIMEOUT_NOT_SENT, 504), Ending.NOTHING_DONE),
        (an_error(Cause.SERVER_ERROR, 500), Ending.FAILED),
        (an_error(Cause.SERVER_ERROR, 507), Ending.FAILED),
        (an_error(Cause.PROVIDER_ERROR, 500), Ending.FAILED),
        (an_error(Cause.PROVIDER_ERROR, 502), Ending.FAILED),
        (an_error(Cause.PROVIDER_ERROR, 503), Ending.FAILED),
        (an_error(Cause.UPSTREAM_UNAVAILABLE, 502), Ending.UNAVAILABLE),
        (an_error(Cause.SERVER_ERROR, 503), Ending.UNAVAILABLE),
        (an_error(Cause.UPSTREAM_UNAVAILABLE, 502, by_nylas=False), Ending.AMBIGUOUS),
        (an_error(Cause.SERVER_ERROR, 500, by_nylas=False), Ending.AMBIGUOUS),
        (an_error(Cause.PROVIDER_ERROR, 504), Ending.AMBIGUOUS),
        (an_error(Cause.PROVIDER_TIMEOUT, 504), Ending.AMBIGUOUS),
        (an_error(Cause.UPSTREAM_UNAVAILABLE, 408), Ending.AMBIGUOUS),
        (an_error(Cause.IDEMPOTENCY_IN_FLIGHT, 409), Ending.KEY_IN_FLIGHT),
        (an_error(Cause.NOT_READY, 202), Ending.NOT_READY),
        (an_error(Cause.NOT_READY, 404), Ending.FINAL),
        (an_error(Cause.UNKNOWN, 202, retryable=False), Ending.ACCEPTED),
        (an_error(Cause.SERVER_ERROR, 503, replayed=True), Ending.REPLAYED),
        (an_error(Cause.RATE_LIMIT_NYLAS, 429, replayed=True), Ending.REPLAYED),
        (an_error(Cause.RATE_LIMIT_PROVIDER_QUOTA, 429), Ending.FINAL),
        (an_error(Cause.BLOCKED, 423), Ending.FINAL),
        (an_error(Cause.RATE_LIMIT_PROVIDER_QUOTA, 503), Ending.FINAL),
        (an_error(Cause.RATE_LIMIT_PROVIDER, 429, retryable=False), Ending.FINAL),
        (an_error(Cause.PARTIAL_SUCCESS, 504, retryable=False), Ending.FINAL),
        (an_error(Cause.PROVIDER_TIMEOUT, 400), Ending.FINAL),
        (an_error(Cause.VALIDATION, 400, retryable=False), Ending.FINAL),
        (an_error(Cause.IDEMPOTENCY, 409, retryable=False), Ending.FINAL),
    ],
)
def test_an_answer_ends_as_status_and_class_say(reply: ErrorReply, ending: Ending) -> None:
    assert ending_of(reply, first_read=False) is ending


@pytest.mark.parametrize(
    ("outcome", "doubtful"),
    [
        (a_failure(sent=True), True),
        (a_failure(sent=False), False),
        (an_error(Cause.SERVER_ERROR, 500), True),
        (an_error(Cause.PROVIDER_TIMEOUT, 504), True),
        (an_error(Cause.PARTIAL_SUCCESS, 402), True),
        (an_error(Cause.UNKNOWN, 503), True),
        (an_error(Cause.UNKNOWN, 418), False),
        (an_error(Cause.EXCHANGE_THROTTLE, 503), True),
        (an_error(Cause.EXCHANGE_THROTTLE, 429), False),
        (an_error(Cause.SERVER_ERROR_SAFE_TO_RETRY, 503), False),
        (an_error(Cause.TIMEOUT_NOT_SENT, 504), False),
        (an_error(Cause.SEND_REJECTED, 503), False),
        (an_error(Cause.VALIDATION, 400), False),
    ],
)
def test_doubt_is_left_by_what_says_nothing_of_its_effect(outcome: TransportFailure | ErrorReply, *, doubtful: bool) -> None:
    assert leaves_doubt(outcome) is doubtful


@pytest.mark.parametrize(
    ("status", "target", "method", "accept", "not_ready"),
    [
        (202, b"/messages/m", "GET", b"message/rfc822", True),
        (202, b"/messages/m", "GET", b"text/plain, Message/RFC822;q=0.9", True),
        (200, b"/messages/m", "GET", b"message/rfc822", False),
        (202, b"/messages/m", "GET", b"application/json", False),
        (202, b"/messages/m", "PUT", b"message/rfc822", False),
        (202, b"/threads/m", "GET", b"message/rfc822", False),
        (202, b"/v3/grants/g/messages/m", "GET", b"message/rfc822", False),
    ],
)
def test_only_a_raw_message_of_v2_can_be_not_ready(status: int, target: bytes, method: str, accept: bytes, *, not_ready: bool) -> None:
    assert is_not_ready(status, a_context(target, method), accept) is not_ready
