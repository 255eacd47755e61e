"""What is recorded about a request when it is over."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.core.events import RequestEnded

if TYPE_CHECKING:
    from proxy.core.model import Cause, Origin, RequestContext
    from proxy.errand import Errand
    from proxy.wire.exchange import Exchange

_TRACEPARENT: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context, section 3.2: version, trace id, parent id, flags."""


class Ending(NamedTuple):
    """What the caller was told.

    Attributes:
        status: Of the answer; 0 where there was nobody to tell.
        verdict: What went wrong and whose fault it is, or None.
        request_id: The one that stands in the answer; empty for our own.
        detail: What the proxy itself says, or None.
        normalised: An error of upstream was told in the one shape.
    """

    status: int
    verdict: tuple[Origin, Cause] | None = None
    request_id: bytes = b""
    detail: str | None = None
    normalised: bool = False


LEFT: Final = Ending(0)
"""The caller has left before an answer."""


def request_ended(exchange: Exchange, context: RequestContext | None, errand: Errand | None, ending: Ending) -> RequestEnded:
    """Return the record of a request; `context` and `errand` are None as far as it did not come to them."""
    status, verdict, request_id, detail, normalised = ending
    now = time.monotonic()
    origin, cause = verdict or (None, None)
    ended = "caller_left" if exchange.gone else "cut" if exchange.cut else "complete"
    told_id = request_id.decode("latin-1") or (context.request_id if context else "")
    route, method = (context.route, context.method) if context else (None, "-")
    started_at = exchange.started_at
    until_answer_s = exchange.answered_at - started_at if exchange.answered_at else 0.0
    traceparent = exchange.head.index.get(b"traceparent") if exchange.head is not None else None
    trace = _TRACEPARENT.fullmatch(traceparent) if traceparent is not None else None
    trace_id, parent = (trace[1].decode(), trace[0].decode()) if trace is not None else (None, None)
    if errand is None:
        return RequestEnded(
            told_id, route, method, status, cause, origin, detail, None, ended, normalised, "", None, 0, now - started_at,
            0.0, 0.0, 0.0, until_answer_s, exchange.sent_bytes, trace_id, parent, now,
        )  # fmt: skip
    return RequestEnded(
        told_id, route, method, status, cause, origin, detail, errand.advice or None, ended, normalised,
        errand.ask.subject if errand.ask is not None else "", errand.provider, errand.attempts, now - started_at,
        errand.waited_s, errand.would_hold_s, errand.upstream_s,
        max(0.0, until_answer_s - errand.waited_s - errand.upstream_s - errand.client_s), exchange.sent_bytes,
        trace_id, parent, now, tuple(errand.steps or ()),
    )  # fmt: skip
