"""Counts events for Prometheus. The child of each set of label values is looked up once and kept: a lookup costs three times the count itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from proxy.core import events
from proxy.telemetry.metric_table import EVENTS, PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.core.model import Cause, Origin, Route

_METHODS: Final = {method: method for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}
_NONE: Final = "none"
_NOT_UNDERSTOOD: Final = ("-", "-")


class _OfRoute:
    """What is counted of one route."""

    __slots__ = ("api", "attempts", "name", "overhead", "requests", "seconds", "upstream")

    def __init__(self, metrics: Metrics, api: str, name: str) -> None:
        self.api = api
        self.name = name
        self.seconds = metrics.child("request_seconds", api, name).observe
        self.overhead = metrics.child("overhead_seconds", api).observe
        self.upstream = metrics.child("upstream_seconds", api, name).observe
        self.requests: dict[tuple[str, int, Cause | None, Origin | None], Callable[[], None]] = {}
        self.attempts: dict[tuple[int, str | None], Callable[[], None]] = {}


class Metrics:
    """Counts.

    Args:
        registry: Where it is exposed.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a third of all lines, and Prometheus asks for none of them
        self._families: dict[str, Counter | Histogram] = {}
        for metric in EVENTS:
            name = PREFIX + metric.name
            if metric.kind == "counter":
                self._families[metric.name] = Counter(name, metric.help, metric.labels, registry=registry)
            else:
                self._families[metric.name] = Histogram(name, metric.help, metric.labels, buckets=metric.buckets, registry=registry)
        self._children: dict[tuple[str, ...], Any] = {}
        self._routes: dict[int, _OfRoute] = {}
        self._ledger_answered: Callable[[float], None] = self.child("ledger_seconds").observe
        self.loop_lagged: Callable[[float], None] = self.child("loop_lag_seconds").observe

    def takers(self) -> Mapping[type[Any], Callable[[Any], None]]:
        """Return what is done with each kind of event."""
        return {
            events.RequestEnded: self._request,
            events.AttemptEnded: self._attempt,
            events.Retried: lambda it: self.child("retries_total", it.route.api, it.cause).inc(),
            events.HoldEnded: self._hold,
            events.Refused: lambda it: self.child("refusals_total", it.cause, it.by, it.name, it.level).inc(),
            events.Throttled: self._throttled,
            events.LedgerAnswered: lambda it: self._ledger_answered(it.seconds),
            events.GmailSpent: lambda it: self.child("gmail_units_total").inc(it.units),
            events.Reloaded: lambda it: self.child("settings_reloads_total", "refused" if it.mistakes else "applied").inc(),
        }

    def child(self, *name_and_labels: str) -> Any:  # noqa: ANN401 - a Counter or a Histogram, as the table says
        """Return what counts under these label values."""
        child = self._children.get(name_and_labels)
        if child is None:
            name, *labels = name_and_labels
            family = self._families[name]
            child = self._children[name_and_labels] = family.labels(*map(str, labels)) if labels else family
        return child

    def _of_route(self, route: Route | None) -> _OfRoute:
        # By identity: the rows of the catalogue live as long as the process, and to hash one would take in all its fields.
        found = self._routes.get(id(route))
        if found is None:
            api, name = (str(route.api), route.name) if route is not None else _NOT_UNDERSTOOD
            found = self._routes[id(route)] = _OfRoute(self, api, name)
        return found

    def _request(self, ended: events.RequestEnded) -> None:
        of = self._of_route(ended.route)
        kind = (_METHODS.get(ended.method, "other"), ended.status, ended.cause, ended.origin)
        count = of.requests.get(kind)
        if count is None:
            method, status, cause, origin = kind
            count = self.child("requests_total", of.api, of.name, method, str(status), cause or _NONE, origin or _NONE).inc
            of.requests[kind] = count
        count()
        of.seconds(ended.duration_s)
        if ended.own_s:
            of.overhead(ended.own_s)
        if ended.ended != "complete":
            self.child("requests_unfinished_total", of.api, ended.ended).inc()
        if ended.normalised:
            self.child("errors_normalised_total", of.api, ended.cause or _NONE).inc()

    def _attempt(self, attempt: events.AttemptEnded) -> None:
        of = self._of_route(attempt.route)
        kind = (attempt.status, attempt.failure)
        count = of.attempts.get(kind)
        if count is None:
            status = str(attempt.failure or attempt.status)
            count = of.attempts[kind] = self.child("upstream_attempts_total", of.api, of.name, status).inc
        count()
        if attempt.status:
            of.upstream(attempt.upstream_s)

    def _hold(self, hold: events.HoldEnded) -> None:
        count, seconds = ("holds_total", "hold_seconds") if hold.enforced else ("would_holds_total", "would_hold_seconds")
        self.child(count, hold.by, hold.name, hold.level).inc()
        self.child(seconds, hold.by).observe(hold.wait_s)

    def _throttled(self, throttled: events.Throttled) -> None:
        self.child("throttles_total", throttled.cause, throttled.origin, throttled.level, throttled.source).inc()
        if throttled.scope:
            self.child("window_seconds", throttled.cause, throttled.level).observe(throttled.closed_s)
