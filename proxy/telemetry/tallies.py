"""What is counted of every request: plain numbers, made into metrics when somebody scrapes.

A request meets five counts. As objects of the client library they cost 3.5 microseconds, most of it for locks that nobody else wants; like this 0.8
(`bench/telemetry.py` measures it in place). The library writes them out all the same, and counts everything that is rarer.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

from proxy.core import events
from proxy.telemetry.metric_table import EVENTS, PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

    from proxy.core.model import Cause, Origin, Route

Kind = tuple[str, int, "Cause | None", "Origin | None"]
"""Method, status, cause and origin of a request that is over."""

_RATIO: Final = 1.15
_BEYOND: Final = 16
_METHODS: Final = {method: method for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}
_NONE: Final = "none"
_NOT_UNDERSTOOD: Final = ("-", "-")
TALLIED: Final = ("requests_total", "upstream_attempts_total", "request_seconds", "overhead_seconds", "upstream_seconds")
"""The metrics that are made from here."""

_TABLE: Final = {metric.name: metric for metric in EVENTS}


class Scale(NamedTuple):
    """Where counts stand.

    Attributes:
        bounds_s: Upper bounds in seconds, each at most 15 % above the one before: percentiles want them closer than metrics can afford.
        ends: The places of those that are the metric's.
    """

    bounds_s: tuple[float, ...]
    ends: tuple[int, ...]


def finer(metrics_s: Sequence[float]) -> Scale:
    """Return the metric's bounds with others between, below and above them."""
    bounds_s: list[float] = []
    ends = []
    for below, above in pairwise((metrics_s[0] / _BEYOND, *metrics_s, metrics_s[-1] * _BEYOND)):
        steps = math.ceil(math.log(above / below) / math.log(_RATIO))
        bounds_s += [below * (above / below) ** (step / steps) for step in range(1, steps)]
        ends.append(len(bounds_s))
        bounds_s.append(above)  # exactly: it is a label
    return Scale(tuple(bounds_s), tuple(ends[:-1]))


class Durations:
    """How long things took.

    Attributes:
        counts: One more than the bounds of its scale.
        sum_s: All together.
    """

    __slots__ = ("_bounds_s", "_ends", "counts", "sum_s")

    def __init__(self, scale: Scale) -> None:
        self._bounds_s, self._ends = scale
        self.counts = [0] * (len(scale.bounds_s) + 1)
        self.sum_s = 0.0

    def note(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self._bounds_s, seconds)] += 1
        self.sum_s += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Return the metric's bounds, each with what lies below it."""
        sums = list(accumulate(self.counts))
        return [*((_le(self._bounds_s[end]), sums[end]) for end in self._ends), ("+Inf", sums[-1])]


def _le(bound_s: float) -> str:
    return str(floatToGoString(bound_s))  # type: ignore[no-untyped-call]  # as the library itself writes bounds


REQUEST: Final = finer(_TABLE["request_seconds"].buckets)
OWN: Final = finer(_TABLE["overhead_seconds"].buckets)


class OfRoute:
    """What is counted of one route."""

    __slots__ = ("api", "attempts", "name", "own", "requests", "seconds", "upstream")

    def __init__(self, api: str, name: str, own: Durations) -> None:
        self.api = api
        self.name = name
        self.requests: dict[Kind, int] = {}
        self.attempts: dict[tuple[int, str | None], int] = {}
        self.seconds = Durations(REQUEST)
        self.upstream = Durations(REQUEST)
        self.own = own


class Tallies:
    """Counts.

    Args:
        registry: Where it is exposed.

    Attributes:
        own: The proxy's own time, by API.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.own: dict[str, Durations] = {}
        self._by_id: dict[int, OfRoute] = {}
        registry.register(self)

    @property
    def routes(self) -> list[OfRoute]:
        """What was counted of each."""
        return list(self._by_id.values())

    def takers(self) -> Mapping[type[Any], Callable[[Any], None]]:
        """Return what is done with each kind of event."""
        return {events.RequestEnded: self._request, events.AttemptEnded: self._attempt}

    def _of_route(self, route: Route | None) -> OfRoute:
        # By identity: the rows of the catalogue live as long as the process, and to hash one would take in all its fields.
        found = self._by_id.get(id(route))
        if found is None:
            api, name = (str(route.api), route.name) if route is not None else _NOT_UNDERSTOOD
            own = self.own.setdefault(api, Durations(OWN))
            found = self._by_id[id(route)] = OfRoute(api, name, own)
        return found

    def _request(self, ended: events.RequestEnded) -> None:
        of = self._of_route(ended.route)
        kind = (_METHODS.get(ended.method, "other"), ended.status, ended.cause, ended.origin)
        of.requests[kind] = of.requests.get(kind, 0) + 1
        of.seconds.note(ended.duration_s)
        if ended.own_s:
            of.own.note(ended.own_s)

    def _attempt(self, attempt: events.AttemptEnded) -> None:
        of = self._of_route(attempt.route)
        kind = (attempt.status, attempt.failure)
        of.attempts[kind] = of.attempts.get(kind, 0) + 1
        if attempt.status:
            of.upstream.note(attempt.upstream_s)

    def collect(self) -> Iterator[Metric]:
        """Yield what was counted so far; may be called from another thread, since every copy is made at once."""
        requests, attempts = (CounterMetricFamily(PREFIX + name, _TABLE[name].help, labels=_TABLE[name].labels) for name in TALLIED[:2])
        seconds, overhead, upstream = (
            HistogramMetricFamily(PREFIX + name, _TABLE[name].help, labels=_TABLE[name].labels) for name in TALLIED[2:]
        )
        for of in self.routes:
            for (method, status, cause, origin), times in list(of.requests.items()):
                requests.add_metric((of.api, of.name, method, str(status), cause or _NONE, origin or _NONE), times)
            for (status, failure), times in list(of.attempts.items()):
                attempts.add_metric((of.api, of.name, failure or str(status)), times)
            seconds.add_metric((of.api, of.name), of.seconds.buckets(), of.seconds.sum_s)
            if of.attempts:
                upstream.add_metric((of.api, of.name), of.upstream.buckets(), of.upstream.sum_s)
        for api, own in list(self.own.items()):
            overhead.add_metric((api,), own.buckets(), own.sum_s)
        yield from (requests, attempts, seconds, overhead, upstream)


def added(spreads: Sequence[Durations]) -> Counter[int]:
    """Return the counts of several together, by the place of their bounds."""
    total: Counter[int] = Counter()
    for spread in spreads:
        for place, count in enumerate(spread.counts):
            if count:
                total[place] += count
    return total
