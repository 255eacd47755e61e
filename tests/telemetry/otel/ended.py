"""Requests that are over."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from proxy.core.events import RequestEnded, Step
from proxy.core.model import Api, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SEND = Route("messages_send", Api.V3, frozenset({"POST"}), "/v3/grants/{}/messages/send", "messages", {})
UNKNOWN = Route("other", Api.V3, frozenset(), "", "other", {})
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CALLERS_TRACE, CALLERS_SPAN = bytes.fromhex("0af7651916cd43dd8448eb211c80319c"), bytes.fromhex("b7ad6b7169203331")


def a_request(**others: Any) -> RequestEnded:
    """A POST that was answered 200 at once, a moment ago, unless told otherwise."""
    usual = RequestEnded(
        request_id="id-1", route=SEND, method="POST", status=200, cause=None, origin=None, detail=None, advice=None, ended="complete",
        normalised=False, grant="a1b2c3", provider=None, attempts=1, duration_s=4.0, waited_s=0.0, would_hold_s=0.0, upstream_s=0.25, own_s=0.0005,
        sent_bytes=12, trace_id=None, traceparent=None, ended_at=monotonic(),
    )  # fmt: skip
    return usual._replace(**others)


def steps(request: RequestEnded, *parts: tuple[str, float, float, str]) -> RequestEnded:
    """The request with these steps: name, beginning and end in seconds after the request's beginning, what they say."""
    began_at = request.ended_at - request.duration_s
    return request._replace(steps=tuple(Step(name, began_at + begin_s, began_at + end_s, says) for name, begin_s, end_s, says in parts))


def tell(takers: Mapping[type[Any], Callable[[Any], None]], *requests: RequestEnded) -> None:
    for request in requests:
        takers[RequestEnded](request)
