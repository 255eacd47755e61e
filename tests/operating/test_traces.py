"""What a collector gets of a running proxy."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from otel.receiver import Receiver, as_dict

from operating.rig import Sidecar, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
    from opentelemetry.proto.trace.v1.trace_pb2 import Span
    from wire.process import Settings

    from operating.rig import Nylas

TRACE_ID, CALLERS_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SETTINGS: Settings = {
    "windows.default_s": {"exchange_throttle": 2},
    "limits.overrides.v3_contacts": {"count": 1, "per_s": 1},
    "retry": {"max_attempts": 2, "initial_s": 0.05, "budget_ratio": 1},
}
PATIENT = {"X-Nylas-Proxy-Patience": "30"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def sidecar(nylas: Nylas, collector: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        patch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "200")
        running = Sidecar(nylas.url, tmp_path_factory.mktemp("traces"), SETTINGS)
    with running:
        yield running


def spans_of_trace(collector: Receiver) -> list[Span]:
    """Wait for the spans of the caller's trace, in the order in which they ended."""
    found: list[Span] = []

    def is_there() -> bool:
        arrived = (span for of in collector.resource_spans() for scope in of.scope_spans for span in scope.spans)
        found.extend(span for span in arrived if span.trace_id.hex() == TRACE_ID)
        return any(span.kind == span.SPAN_KIND_SERVER for span in found)

    until(is_there)
    return sorted(found, key=lambda span: span.end_time_unix_nano)


def test_a_request_that_was_held_repeated_and_answered_is_one_trace(sidecar: Sidecar, collector: Receiver, nylas: Nylas) -> None:
    path = "/v3/grants/nylas-traced/contacts"
    assert sidecar.ask(path).status == 200
    fields = {**PATIENT, "traceparent": f"00-{TRACE_ID}-{CALLERS_SPAN}-01"}
    answer = sidecar.ask(path, cue="status=503; html=1", fields=fields)
    assert (answer.status, answer.fields["X-Nylas-Proxy-Attempts"]) == (503, "2")
    *parts, request = spans_of_trace(collector)
    assert (request.name, request.parent_span_id.hex()) == ("GET /v3/grants/{}/contacts", CALLERS_SPAN)
    assert [span.name for span in parts] == ["hold", "attempt", "backoff", "hold", "attempt"]
    assert {(span.trace_id.hex(), span.parent_span_id) for span in parts} == {(TRACE_ID, request.span_id)}
    assert all(span.start_time_unix_nano < span.end_time_unix_nano for span in (*parts, request))
    told = as_dict(request.attributes)
    expected = {
        "http.response.status_code": 503, "nylas_proxy.attempts": 2, "nylas_proxy.cause": "upstream_unavailable", "nylas_proxy.origin": "nylas",
        "nylas_proxy.request_id": answer.fields["X-Request-Id"],
    }  # fmt: skip
    assert {key: told[key] for key in expected} == expected
    assert as_dict(parts[0].attributes) == {"nylas_proxy.held_by": "v3_contacts"}
    everything = "".join(str(span) for span in (request, *parts))
    assert [secret for secret in ("nylas-traced", "nyk_", "127.0.0.1") if secret in everything] == []
    assert {dict(arrival["fields"])["traceparent"] for arrival in nylas.arrivals("/nylas-traced/")[1:]} == {fields["traceparent"]}


def latest(collector: Receiver) -> dict[str, Metric]:
    """The newest metrics; waits for some."""
    until(collector.metrics.qsize)
    return collector.last_metrics()


def value(metrics: dict[str, Metric], name: str) -> float:
    """The one number of a gauge."""
    (point,) = metrics[name].gauge.data_points
    return float(point.as_double or point.as_int)


def test_gauges_are_current_although_nobody_scrapes(sidecar: Sidecar, collector: Receiver) -> None:
    path = "/v3/grants/ews-waiting/messages"
    assert sidecar.ask(path, cue="throttle_s=1; retry_after=0", fields={"X-Nylas-Proxy-Patience": "0"}).status == 429
    until(lambda: value(latest(collector), "nylas_proxy_queue_depth") == 0)
    answers: list[int] = []
    asking = sidecar.caller()
    held = threading.Thread(target=lambda: answers.append(asking.ask(path, cue="delay_s=0.5", fields=PATIENT).status))
    held.start()
    until(lambda: value(latest(collector), "nylas_proxy_queue_depth") == 1)
    assert value(latest(collector), "nylas_proxy_in_flight") == 1
    held.join()
    until(lambda: (now := latest(collector)) and value(now, "nylas_proxy_queue_depth") == value(now, "nylas_proxy_in_flight") == 0)
    assert answers == [200]
    points = latest(collector)["nylas_proxy_windows_open"].gauge.data_points
    assert [as_dict(point.attributes) for point in points] == [{"cause": "exchange_throttle", "level": "grant"}]
