"""The answers of those who limit: Nylas itself, and in Nylas' words the providers.

Times are real ones: what a client has to wait, rounded up, so that it is enough to obey.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from proxy.simulator.limit_rows import Answer
from proxy.simulator.replies import Headers, Json, Reply, json_reply, v2_error, v3_error

if TYPE_CHECKING:
    from proxy.simulator.tickets import Refused
    from proxy.simulator.visits import Visit
    from proxy.simulator.windows import Window

MICROSOFT_BACKOFF_S = 10.0
"""What Microsoft typically names when a mailbox has too many requests at once."""

_TOO_MANY = 429
_EXCHANGE = "The Exchange account has been throttled or sync has been temporarily paused."
_DAILY = "Daily sending quota exceeded"


def exchange_refusal(window: Window, visit: Visit, request_id: str, now_s: float) -> Reply:
    """The answer inside an Exchange window."""
    headers = _retry_after(window.closes_s - now_s) if window.names_wait else ()
    if visit.api == "v2":
        return v2_error(_TOO_MANY, "api_error", _EXCHANGE).with_headers(*headers)
    detail = {"code": "503", "message": "The server encountered an unknown error, the device SHOULD retry later."}
    return _v3(request_id, "rate_limit_error", _EXCHANGE, {"error": detail}, headers)


def refusal_for(refused: Refused, visit: Visit, request_id: str, *, backoff_s: float, wall_s: float) -> Reply:
    """The answer of the limit that refused.

    Args:
        refused: The limit, and the wait until it has room.
        visit: The request.
        request_id: Of the answer.
        backoff_s: What Microsoft names for too many requests at once, on the clock of this simulator.
        wall_s: Unix time.
    """
    answer = refused.limit.answer
    if visit.api == "v2":
        return _v2_refusal(refused)
    if answer is Answer.NYLAS:
        return v3_error(request_id, _TOO_MANY, "nylas_rate_limit_exceeded", "Too many requests: the rate limit of the API was exceeded.")
    if answer in {Answer.GMAIL_SECOND, Answer.GMAIL_MINUTE}:
        return _gmail(refused, visit, request_id, wall_s)
    if answer is Answer.DAILY:
        detail = {"error": {"code": _TOO_MANY, "message": "The user has exceeded the 24-hour sending limit."}}
        return _v3(request_id, "quota_exceeded_error", _DAILY, detail)
    if answer is Answer.QUEUE_FULL:
        queue = v3_error(request_id, _TOO_MANY, "rate_limit_error", "Too many requests, please try again shortly.")
        return queue.with_headers(*_retry_after(refused.wait_s))
    return _microsoft(refused, request_id, backoff_s)


def _v2_refusal(refused: Refused) -> Reply:
    if refused.limit.answer is not Answer.NYLAS:
        return v2_error(_TOO_MANY, "api_error", _DAILY)
    reset = ("X-RateLimit-Reset", str(_whole_seconds(refused.wait_s)))
    return v2_error(_TOO_MANY, "invalid_request_error", "Too many requests").with_headers(("X-RateLimit-Limit", str(refused.limit.count)), reset)


def _gmail(refused: Refused, visit: Visit, request_id: str, wall_s: float) -> Reply:
    """Google speaks of the user's rate to senders, of the resource to readers, and of the metric when a minute's quota is used up."""
    if visit.sends:
        message = f"User-rate limit exceeded. Retry after {_iso(wall_s + refused.wait_s)} (Mail sending)"
        return _v3(request_id, "quota_exceeded_error", "Activity limit reached", {"error": {"code": _TOO_MANY, "message": message}})
    if refused.limit.answer is Answer.GMAIL_MINUTE:
        message = "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute per user' of service 'gmail.googleapis.com'."
    else:
        message = "Resource has been exhausted (e.g. check quota)."
    detail: Json = {"code": _TOO_MANY, "message": message, "status": "RESOURCE_EXHAUSTED", "errors": [{"reason": "rateLimitExceeded"}]}
    return _v3(request_id, "rate_limit_error", "Too many requests sent to provider", {"error": detail})


def _microsoft(refused: Refused, request_id: str, backoff_s: float) -> Reply:
    at_once = refused.limit.answer is Answer.MICROSOFT_IN_FLIGHT
    said = "Application is over its MailboxConcurrency limit." if at_once else "Application is over its mailbox limit."
    detail = {"error": {"code": "ApplicationThrottled", "message": said}}
    headers = _retry_after(backoff_s if at_once else refused.wait_s)
    return _v3(request_id, "rate_limit_error", "Microsoft rate-limited on application level.", detail, headers)


def _v3(request_id: str, kind: str, message: str, provider_error: Json, headers: Headers = ()) -> Reply:
    error = {"type": kind, "message": message, "provider_error": provider_error}
    return json_reply({"request_id": request_id, "error": error}, _TOO_MANY, headers)


def _retry_after(seconds: float) -> Headers:
    return (("Retry-After", str(_whole_seconds(seconds))),)


def _whole_seconds(seconds: float) -> int:
    """Rounded up, but not for what the last bits of a clock add."""
    return max(1, math.ceil(round(seconds, 6)))


def _iso(unix_s: float) -> str:
    """Time in UTC as Google writes it, rounded up to the millisecond."""
    at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=math.ceil(unix_s * 1000))
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
