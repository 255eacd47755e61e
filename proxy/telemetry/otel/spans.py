"""Spans of a request, made when it is over from what is recorded about it: the request itself, and in it each hold, attempt and backoff.

Attributes follow https://opentelemetry.io/docs/specs/semconv/http/http-spans/ as far as they may: `url.path`, `url.query`, `url.full` and
the addresses of callers are left out, because a path names a mailbox. What is ours begins with `nylas_proxy.`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer

    from proxy.core.events import RequestEnded, Step

_Attributes = dict[str, str | int | float]

_NOT_UNDERSTOOD: Final = "-"
_FIRST_OF_4XX: Final = 400
_FIRST_OF_5XX: Final = 500
_NS_PER_S: Final = 1_000_000_000
_propagator: Final = TraceContextTextMapPropagator()


class Spans:
    """Makes them.

    Args:
        tracer: Of the SDK: it samples, and hands on what is to be exported.
        monotonic: The clock of the events, in seconds.
        wall_ns: The time of day.
    """

    def __init__(self, tracer: Tracer, monotonic: Callable[[], float] = time.monotonic, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._tracer = tracer
        self._monotonic = monotonic
        self._wall_ns = wall_ns

    def take(self, ended: RequestEnded) -> None:
        """Make the spans of one request."""
        ahead_ns = self._wall_ns() - _ns(self._monotonic())
        parent = _propagator.extract({"traceparent": ended.traceparent} if ended.traceparent else {})
        began_ns = ahead_ns + _ns(ended.ended_at - ended.duration_s)
        span = self._tracer.start_span(_name(ended), parent, SpanKind.SERVER, _of_request(ended), start_time=began_ns)
        if span.is_recording():
            inside = set_span_in_context(span, parent)
            sent, earliest = 0, ended.ended_at - ended.duration_s
            for timed in ended.steps:
                # Two clocks tell when a wait began, one of them in milliseconds: a step never begins within the one before.
                step = timed._replace(began_at=max(timed.began_at, earliest))
                earliest = step.ended_at
                if step.name == "attempt":
                    self._attempt(ended, step, sent, inside, ahead_ns)
                    sent += 1
                else:
                    self._wait(step, inside, ahead_ns)
            if _is_error(ended):
                span.set_status(Status(StatusCode.ERROR))
        span.end(ahead_ns + _ns(ended.ended_at))

    def _attempt(self, ended: RequestEnded, step: Step, resent: int, inside: Context, ahead_ns: int) -> None:
        attributes: _Attributes = {"http.request.method": _method(ended)}
        if resent:
            attributes["http.request.resend_count"] = resent
        status = int(step.says) if step.says.isdigit() else 0
        if status:
            attributes["http.response.status_code"] = status
        failed = status >= _FIRST_OF_4XX or not status
        if failed:
            attributes["error.type"] = str(step.says) or "_OTHER"
        span = self._tracer.start_span(step.name, inside, SpanKind.CLIENT, attributes, start_time=ahead_ns + _ns(step.began_at))
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end(ahead_ns + _ns(step.ended_at))

    def _wait(self, step: Step, inside: Context, ahead_ns: int) -> None:
        what = "nylas_proxy.held_by" if step.name == "hold" else "nylas_proxy.cause"
        span = self._tracer.start_span(step.name, inside, SpanKind.INTERNAL, {what: str(step.says)}, start_time=ahead_ns + _ns(step.began_at))
        span.end(ahead_ns + _ns(step.ended_at))


def _ns(seconds: float) -> int:
    return int(seconds * _NS_PER_S)


def _method(ended: RequestEnded) -> str:
    return "_OTHER" if ended.method == _NOT_UNDERSTOOD else ended.method


def _name(ended: RequestEnded) -> str:
    method = "HTTP" if ended.method == _NOT_UNDERSTOOD else ended.method
    return method if ended.route is None else f"{method} {ended.route.template or ended.route.name}"


def _is_error(ended: RequestEnded) -> bool:
    return ended.status >= _FIRST_OF_5XX or ended.ended == "cut"


def _of_request(ended: RequestEnded) -> _Attributes:
    attributes: _Attributes = {
        "http.request.method": _method(ended),
        "nylas_proxy.attempts": ended.attempts,
        "nylas_proxy.waited_s": ended.waited_s,
        "nylas_proxy.own_s": ended.own_s,
        "nylas_proxy.ended": ended.ended,
    }
    if ended.status:
        attributes["http.response.status_code"] = ended.status
    if ended.route is not None:
        attributes |= {"nylas_proxy.route": ended.route.name, "nylas_proxy.api": str(ended.route.api)}
        if ended.route.template:
            attributes["http.route"] = ended.route.template
    if _is_error(ended):
        attributes["error.type"] = str(ended.cause or (ended.status if ended.status >= _FIRST_OF_5XX else ended.ended))
    known = {"cause": ended.cause, "origin": ended.origin, "grant": ended.grant, "provider": ended.provider, "request_id": ended.request_id}
    return attributes | {f"nylas_proxy.{name}": str(value) for name, value in known.items() if value}
