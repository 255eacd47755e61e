from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AGGREGATION_TEMPORALITY_CUMULATIVE, HistogramDataPoint, Metric, NumberDataPoint
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from otel.ended import a_request, tell
from otel.receiver import Receiver, as_dict, by_name
from proxy.telemetry.metric_table import EVENTS, PREFIX
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.tallies import Tallies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proxy.telemetry.otel.export import Otel

Key = tuple[str, tuple[tuple[str, str | int | float | bool], ...]]


@pytest.fixture
def pushed(receiver: Receiver, started: Callable[[], Otel]) -> Callable[[], dict[str, Metric]]:
    """What arrives of what the registry holds."""

    def push() -> dict[str, Metric]:
        started().close()
        return receiver.last_metrics()

    return push


def labelled(point: NumberDataPoint | HistogramDataPoint, **more: str) -> tuple[tuple[str, str | int | float | bool], ...]:
    return tuple(sorted((as_dict(point.attributes) | more).items()))


def lines_of(metrics: dict[str, Metric]) -> dict[Key, float]:
    """The numbers as /metrics would show them: buckets summed up again."""
    shown: dict[Key, float] = {}
    for name, metric in metrics.items():
        for number in (*metric.sum.data_points, *metric.gauge.data_points):
            shown[name, labelled(number)] = number.as_double
        for point in metric.histogram.data_points:
            shown[f"{name}_count", labelled(point)] = point.count
            shown[f"{name}_sum", labelled(point)] = point.sum
            for at, bound in enumerate([*point.explicit_bounds, float("inf")]):
                le = "+Inf" if bound == float("inf") else repr(bound)
                shown[f"{name}_bucket", labelled(point, le=le)] = sum(point.bucket_counts[: at + 1])
    return shown


def lines_of_exposition(registry: CollectorRegistry) -> dict[Key, float]:
    families = text_string_to_metric_families(generate_latest(registry).decode())
    samples = [sample for family in families for sample in family.samples]
    return {(it.name, tuple(sorted(it.labels.items()))): it.value for it in samples if not it.name.endswith("_created")}


def test_every_number_is_the_one_that_the_exposition_shows(registry: CollectorRegistry, pushed: Callable[[], dict[str, Metric]]) -> None:
    requests = (a_request(duration_s=0.3), a_request(duration_s=70.0), a_request(duration_s=700.0), a_request(status=500, ended="cut"))
    for counts in (Metrics(registry), Tallies(registry)):
        tell(counts.takers(), *requests)
    Gauge("in_flight", "Now.", ("side",), registry=registry).labels("a").set(2.5)
    expected = lines_of_exposition(registry)
    assert lines_of(pushed()) == expected
    assert ("nylas_proxy_request_seconds_bucket", (("api", "v3"), ("le", "1.0"), ("route", "messages_send"))) in expected


def test_a_counter_is_a_monotonic_sum_since_it_was_made(
    registry: CollectorRegistry, pushed: Callable[[], dict[str, Metric]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prometheus_client.metrics._use_created", True)
    before = time.time_ns()
    counter = Counter("sent", "Mails.", ("api",), registry=registry)
    counter.labels("v3").inc(3)
    made = time.time_ns()
    metric = pushed()["sent_total"]
    (point,) = metric.sum.data_points
    assert metric.sum.is_monotonic
    assert metric.sum.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE
    assert metric.description == "Mails."
    assert (labelled(point), point.as_double) == ((("api", "v3"),), 3.0)
    a_microsecond = 1000  # the client keeps the time as a float
    assert before - a_microsecond <= point.start_time_unix_nano <= made
    assert made <= point.time_unix_nano <= time.time_ns()


def test_where_counters_do_not_say_since_when_it_is_since_the_export_began(
    registry: CollectorRegistry, receiver: Receiver, started: Callable[[], Otel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prometheus_client.metrics._use_created", False)
    Counter("sent", "Mails.", registry=registry)
    Histogram("took_seconds", "Time.", registry=registry)
    before = time.time_ns()
    otel = started()
    begun = time.time_ns()
    otel.close()
    metrics = receiver.last_metrics()
    points = (*metrics["sent_total"].sum.data_points, *metrics["took_seconds"].histogram.data_points)
    assert [before <= point.start_time_unix_nano <= begun <= point.time_unix_nano for point in points] == [True, True]


def test_a_clock_that_was_set_back_makes_no_count_begin_after_it_was_read(
    registry: CollectorRegistry, pushed: Callable[[], dict[str, Metric]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prometheus_client.metrics._use_created", True)
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: 9e9)
        Counter("sent", "Mails.", registry=registry)
    (point,) = pushed()["sent_total"].sum.data_points
    assert point.start_time_unix_nano == point.time_unix_nano


def test_buckets_of_a_histogram_hold_what_lower_ones_do_not(registry: CollectorRegistry, pushed: Callable[[], dict[str, Metric]]) -> None:
    histogram = Histogram("took_seconds", "Time.", buckets=(1, 2.5, 5), registry=registry)
    for seconds in (0.5, 1, 2, 4, 4, 100):
        histogram.observe(seconds)
    metric = pushed()["took_seconds"]
    (point,) = metric.histogram.data_points
    assert list(point.explicit_bounds) == [1, 2.5, 5]
    assert list(point.bucket_counts) == [2, 1, 2, 1]
    assert (point.count, point.sum) == (6, 111.5)
    assert not point.HasField("min")
    assert not point.HasField("max")
    assert metric.histogram.aggregation_temporality == AGGREGATION_TEMPORALITY_CUMULATIVE


class ReadWhenAsked:
    """As the proxy's readings are: families made when somebody looks; one is a gauge whose name ends as a counter's."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield GaugeMetricFamily("log_lines_dropped_total", "Lost.", 4)
        yield GaugeMetricFamily("windows_open", "None now.", labels=("cause",))


def test_what_is_read_when_asked_arrives_as_well_and_what_has_no_sample_does_not(
    registry: CollectorRegistry, pushed: Callable[[], dict[str, Metric]]
) -> None:
    registry.register(ReadWhenAsked())
    Counter("sent", "Mails.", ("api",), registry=registry)
    metrics = pushed()
    assert [point.as_double for point in metrics["log_lines_dropped_total"].gauge.data_points] == [4.0]
    assert set(metrics) == {"log_lines_dropped_total"}


def test_names_are_those_of_the_table_of_metrics(registry: CollectorRegistry, pushed: Callable[[], dict[str, Metric]]) -> None:
    metrics = Metrics(registry)
    tell(metrics.takers(), a_request())
    assert set(pushed()) <= {PREFIX + metric.name for metric in EVENTS}


def test_metrics_are_exported_again_and_again(
    registry: CollectorRegistry, receiver: Receiver, started: Callable[[], Otel], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "10")
    counter = Counter("sent", "Mails.", registry=registry)
    started()
    receiver.metrics.get(timeout=60)
    counter.inc()
    value = 0.0
    while not value:
        (point,) = by_name(receiver.metrics.get(timeout=60))["sent_total"].sum.data_points
        value = point.as_double
    assert value == 1.0


def test_only_what_is_wanted_is_exported(
    receiver: Receiver, started: Callable[[], Otel], registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    Counter("sent", "Mails.", registry=registry)
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    otel = started()
    tell(otel.takers(), a_request())
    otel.close()
    assert receiver.metrics.empty()
    assert not receiver.traces.empty()
