"""What is recorded about a request when it is over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from proxy.core.events import RequestEnded

if TYPE_CHECKING:
    from proxy.core.model import Cause, Origin, RequestContext
    from proxy.errand import Errand
    from proxy.wire.exchange import Exchange


def request_ended(
    exchange: Exchange,
    context: RequestContext | None,
    errand: Errand | None,
    status: int,
    verdict: tuple[Origin, Cause] | None,
    told_id: bytes,
    detail: str | None,
) -> RequestEnded:
    """Return the record; `told_id` is the request id that the caller was told, empty for our own."""
    ended = "caller_left" if exchange.gone else "cut" if exchange.cut else "complete"
    origin, cause = verdict or (None, None)
    return RequestEnded(
        told_id.decode("latin-1") or (context.request_id if context else ""),
        context.route.api if context else "-",
        context.route.name if context else "-",
        context.method if context else "-",
        status,
        cause,
        origin,
        detail,
        (errand.advice or None) if errand else None,
        ended,
        errand.attempts if errand else 0,
        time.monotonic() - exchange.started_at,
        errand.waited_s if errand else 0.0,
        errand.would_hold_s if errand else 0.0,
        errand.upstream_s if errand else 0.0,
        exchange.sent_bytes,
    )
