"""From the families of /metrics to the metrics of OpenTelemetry: the same names, labels and numbers. Reads no clock.

Rules: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/. A counter becomes a monotonic cumulative sum, a histogram
one with explicit bounds, whose buckets do not hold again what lower ones hold; everything else a gauge. Exemplars stay behind.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from prometheus_client.metrics_core import Metric as Family

_NS_PER_S: Final = 1_000_000_000
_UNSET: Final = cast("float", None)
"""The least and the greatest observation, which Prometheus does not keep: None leaves the field out on the wire."""


class Times(NamedTuple):
    """When the numbers were taken, in nanoseconds since 1970.

    Attributes:
        started_ns: Since when counts run that do not say so themselves.
        now_ns: When they were read.
    """

    started_ns: int
    now_ns: int


class Origin(NamedTuple):
    """Whose metrics they are."""

    resource: Resource
    scope: InstrumentationScope


class _Child:
    """The samples of one set of label values."""

    def __init__(self, labels: dict[str, str]) -> None:
        self.labels = labels
        self.values: dict[str, float] = {}
        self.buckets: list[tuple[float, float]] = []

    def began_ns(self, times: Times) -> int:
        created_s = self.values.get("_created")
        # Never after the reading, also where the time of day was set back in between.
        return times.started_ns if created_s is None else min(int(created_s * _NS_PER_S), times.now_ns)


def to_otlp(families: Iterable[Family], origin: Origin, times: Times) -> MetricsData:
    """Convert families as a registry collects them."""
    metrics = [metric for family in families for metric in _converted(family, times)]
    return MetricsData([ResourceMetrics(origin.resource, [ScopeMetrics(origin.scope, metrics, "")], origin.resource.schema_url)])


def _converted(family: Family, times: Times) -> Iterator[Metric]:
    if not family.samples:
        return
    if family.type == "counter":
        yield Metric(f"{family.name}_total", family.documentation, "", _sum(family, times))
    elif family.type == "histogram":
        yield Metric(family.name, family.documentation, "", _histogram(family, times))
    else:
        yield from _gauges(family, times)


def _children(family: Family) -> Iterable[_Child]:
    children: dict[tuple[tuple[str, str], ...], _Child] = {}
    for sample in family.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"} if family.type == "histogram" else sample.labels
        child = children.setdefault(tuple(sorted(labels.items())), _Child(labels))
        suffix = sample.name.removeprefix(family.name)
        if suffix == "_bucket":
            child.buckets.append((float(sample.labels["le"]), sample.value))
        else:
            child.values[suffix] = sample.value
    return children.values()


def _sum(family: Family, times: Times) -> Sum:
    points = [NumberDataPoint(child.labels, child.began_ns(times), times.now_ns, float(child.values["_total"])) for child in _children(family)]
    return Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)


def _histogram(family: Family, times: Times) -> Histogram:
    return Histogram([_histogram_point(child, times) for child in _children(family)], AggregationTemporality.CUMULATIVE)


def _histogram_point(child: _Child, times: Times) -> HistogramDataPoint:
    buckets = sorted(child.buckets)
    counts = [int(upper - lower) for (_, lower), (_, upper) in pairwise([(0.0, 0.0), *buckets])]
    return HistogramDataPoint(
        child.labels,
        child.began_ns(times),
        times.now_ns,
        count=int(child.values["_count"]),
        sum=child.values.get("_sum", 0.0),
        bucket_counts=counts,
        explicit_bounds=[bound for bound, _ in buckets if bound != math.inf],
        min=_UNSET,
        max=_UNSET,
    )


def _gauges(family: Family, times: Times) -> Iterator[Metric]:
    points: dict[str, list[NumberDataPoint]] = {}
    for sample in family.samples:
        # float: a series whose readings are whole numbers at times must not change its type.
        points.setdefault(sample.name, []).append(NumberDataPoint(sample.labels, 0, times.now_ns, float(sample.value)))
    for name, of_name in points.items():
        yield Metric(name, family.documentation, "", Gauge(of_name))
