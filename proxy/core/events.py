"""What happened, for whoever observes: metrics, logs, the status page."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from proxy.core.model import Cause, Origin


class RequestEnded(NamedTuple):
    """One request is over. Holds nothing that the caller or upstream wrote but the request id.

    Attributes:
        request_id: As answered to the caller.
        api: `v3`, `v2`, or `-` for a request that was not understood.
        route: The catalogue's name.
        method: From the parser's list of methods, or `-`.
        status: As answered; 0 where the caller left before an answer.
        cause: Why it failed, or None.
        origin: Whose fault that is, or None.
        detail: What the proxy itself told the caller, or None: never a word of upstream's.
        advice: What the proxy advised the caller about its mailbox, or None.
        ended: `complete`, `cut` (the answer broke off), `caller_left`.
        attempts: How often upstream was asked.
        duration_s: From the complete head to the end of the answer.
        waited_s: Of that, waiting for admission and between attempts.
        would_hold_s: How long it would have been held, where limits are only observed; else 0.
        upstream_s: Of that, waiting for upstream.
        sent_bytes: Body bytes given to the caller.
    """

    request_id: str
    api: str
    route: str
    method: str
    status: int
    cause: Cause | None
    origin: Origin | None
    detail: str | None
    advice: str | None
    ended: str
    attempts: int
    duration_s: float
    waited_s: float
    would_hold_s: float
    upstream_s: float
    sent_bytes: int
