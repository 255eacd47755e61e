"""Counts for Prometheus what does not happen with every request; `proxy.telemetry.tallies` counts what does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from proxy.core import events
from proxy.telemetry.metric_table import EVENTS, PREFIX
from proxy.telemetry.tallies import TALLIED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NONE: Final = "none"
_NOT_UNDERSTOOD: Final = "-"


class Metrics:
    """Counts. The child of each set of label values is looked up once and kept: a lookup costs three times the count itself.

    Args:
        registry: Where it is exposed.

    Attributes:
        loop_lagged: Told how late the event loop was, in seconds.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a third of all lines, and Prometheus asks for none of them
        self._families: dict[str, Counter | Histogram] = {}
        for metric in EVENTS:
            name = PREFIX + metric.name
            if metric.name in TALLIED:
                continue
            if metric.kind == "counter":
                self._families[metric.name] = Counter(name, metric.help, metric.labels, registry=registry)
            else:
                self._families[metric.name] = Histogram(name, metric.help, metric.labels, buckets=metric.buckets, registry=registry)
        self._children: dict[tuple[str, ...], Any] = {}
        self._ledger_answered: Callable[[float], None] = self._child("ledger_seconds").observe
        self.loop_lagged: Callable[[float], None] = self._child("loop_lag_seconds").observe

    def takers(self) -> Mapping[type[Any], Callable[[Any], None]]:
        """Return what is done with each kind of event."""
        return {
            events.RequestEnded: self._request,
            events.Retried: lambda it: self._child("retries_total", it.route.api, it.cause).inc(),
            events.HoldEnded: self._hold,
            events.Refused: lambda it: self._child("refusals_total", it.cause, it.by, it.name, it.level).inc(),
            events.Throttled: self._throttled,
            events.LedgerAnswered: lambda it: self._ledger_answered(it.seconds),
            events.GmailSpent: lambda it: self._child("gmail_units_total").inc(it.units),
            events.Reloaded: lambda it: self._child("settings_reloads_total", "refused" if it.mistakes else "applied").inc(),
        }

    def _child(self, *name_and_labels: str) -> Any:  # noqa: ANN401 - a Counter or a Histogram, as the table says
        child = self._children.get(name_and_labels)
        if child is None:
            name, *labels = name_and_labels
            family = self._families[name]
            child = self._children[name_and_labels] = family.labels(*map(str, labels)) if labels else family
        return child

    def _request(self, ended: events.RequestEnded) -> None:
        if ended.ended == "complete" and not ended.normalised:
            return
        api = ended.route.api if ended.route is not None else _NOT_UNDERSTOOD
        if ended.ended != "complete":
            self._child("requests_unfinished_total", api, ended.ended).inc()
        if ended.normalised:
            self._child("errors_normalised_total", api, ended.cause or _NONE).inc()

    def _hold(self, hold: events.HoldEnded) -> None:
        count, seconds = ("holds_total", "hold_seconds") if hold.enforced else ("would_holds_total", "would_hold_seconds")
        self._child(count, hold.by, hold.name, hold.level).inc()
        self._child(seconds, hold.by).observe(hold.wait_s)

    def _throttled(self, throttled: events.Throttled) -> None:
        self._child("throttles_total", throttled.cause, throttled.origin, throttled.level, throttled.source).inc()
        if throttled.scope:
            self._child("window_seconds", throttled.cause, throttled.level).observe(throttled.closed_s)
