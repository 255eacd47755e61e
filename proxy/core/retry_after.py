"""How long upstream asked to wait, from every place where it may say so.

Nylas itself sends whole seconds in Retry-After, or nothing; but providers' answers shine through, and the useful time is often inside a message:
a time for Gmail sends ("Retry after 2026-01-08T09:26:53.594Z"), milliseconds for Exchange (`BackOffMilliseconds` of an EWS ServerBusy fault).
Of several the longest counts: Microsoft Graph is known to send a constant `Retry-After: 1`.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from proxy.core.fields import first_value

if TYPE_CHECKING:
    from proxy.core.model import Reply

WAIT_MAX_S: Final = 24 * 3600.0
"""The longest wait that is believed: daily quotas. A larger value counts as this."""

_EPOCH_FROM_S: Final = 1_000_000_000
"""A larger X-RateLimit-Reset is a time since 1970, not a duration."""

_TOO_MANY_REQUESTS: Final = 429
_NUMBER: Final = re.compile(r"\+?\d{1,15}(\.\d{1,15})?")
_AFTER_TIME: Final = re.compile(r"retry after:?\s{1,4}(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))", re.IGNORECASE)
_BACK_OFF: Final = re.compile(r"BackOffMilliseconds\W{1,20}(\d{1,15})", re.IGNORECASE)


def retry_after_s(reply: Reply, text: str, *, now: float) -> float | None:
    """Return the wait in seconds, 0 to `WAIT_MAX_S`, or None where upstream named none that makes sense.

    Negative and unreadable values are ignored, as are times that have passed.

    Args:
        reply: Its fields and status: X-RateLimit-Reset speaks of a wait only under 429.
        text: The body, as far as it is searched.
        now: Seconds since 1970, for dates.
    """
    waits = [
        seconds_or_date(first_value(reply.fields, b"retry-after"), now),
        _until_reset(first_value(reply.fields, b"x-ratelimit-reset"), now) if reply.status == _TOO_MANY_REQUESTS else None,
        *(_until(found, now) for found in _AFTER_TIME.findall(text)),
        *(float(found) / 1000 for found in _BACK_OFF.findall(text)),
    ]
    known = [min(wait, WAIT_MAX_S) for wait in waits if wait is not None]
    return max(known, default=None)


def whole_seconds(wait_s: float) -> int:
    """Return a wait as Retry-After may say it: rounded up, at least 1, since a client may repeat at once after 0 (OkHttp does, for any method)."""
    return max(1, math.ceil(wait_s))


def seconds_or_date(value: str | None, now: float) -> float | None:
    """Return the seconds that a field value means: a number, or a date that is still to come; None for anything else."""
    if value is None:
        return None
    if _NUMBER.fullmatch(value):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    # A date without a zone is one of HTTP's older forms, which all mean UTC (RFC 9110 5.6.7).
    return _ahead(date.replace(tzinfo=date.tzinfo or UTC).timestamp(), now)


def _until_reset(value: str | None, now: float) -> float | None:
    wait_s = seconds_or_date(value, now)
    return _ahead(wait_s, now) if wait_s is not None and wait_s > _EPOCH_FROM_S else wait_s


def _until(stamp: str, now: float) -> float | None:
    try:
        return _ahead(datetime.fromisoformat(stamp).timestamp(), now)
    except ValueError:
        return None


def _ahead(moment: float, now: float) -> float | None:
    return moment - now if moment > now else None
