"""A collector of the tests' own: takes OTLP over HTTP and keeps what arrives."""

from __future__ import annotations

import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, TypeVar

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

_T = TypeVar("_T")
STALLED_MAX_S = 20.0


class Receiver:
    """Listens until it is closed. `answers` is the status to answer with; while `stalled`, it does not answer for a long time."""

    def __init__(self) -> None:
        self.answers = 200
        self.stalled = False
        self.traces: queue.Queue[ExportTraceServiceRequest] = queue.Queue()
        self.metrics: queue.Queue[ExportMetricsServiceRequest] = queue.Queue()
        self.asked = threading.Event()
        self.answered = threading.Event()
        self._release = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = False  # closing waits for each
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def resource_spans(self) -> list[ResourceSpans]:
        """Everything that has arrived so far."""
        return [of_resource for request in _drained(self.traces) for of_resource in request.resource_spans]

    def spans(self) -> dict[str, Span]:
        """The spans that have arrived so far, by name."""
        return {span.name: span for of in self.resource_spans() for scope in of.scope_spans for span in scope.spans}

    def last_metrics(self) -> dict[str, Metric]:
        """The newest metrics of those that have arrived, by name."""
        return by_name(_drained(self.metrics)[-1])

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = STALLED_MAX_S

            def do_POST(self) -> None:
                receiver._take(self)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _take(self, asked: BaseHTTPRequestHandler) -> None:
        body = asked.rfile.read(int(asked.headers["Content-Length"]))
        self.asked.set()
        if self.stalled:
            self._release.wait(STALLED_MAX_S)
        elif self.answers == 200 and asked.path == "/v1/traces":
            self.traces.put(ExportTraceServiceRequest.FromString(body))
        elif self.answers == 200 and asked.path == "/v1/metrics":
            self.metrics.put(ExportMetricsServiceRequest.FromString(body))
        self.answered.set()
        try:
            asked.send_response(self.answers)
            asked.send_header("Content-Length", "0")
            asked.send_header("Connection", "close")
            asked.end_headers()
        except OSError:  # whoever asked has left
            asked.close_connection = True


def _drained(arrived: queue.Queue[_T]) -> list[_T]:
    return [arrived.get_nowait() for _ in range(arrived.qsize())]


def by_name(request: ExportMetricsServiceRequest) -> dict[str, Metric]:
    return {metric.name: metric for of in request.resource_metrics for scope in of.scope_metrics for metric in scope.metrics}


def as_dict(attributes: Iterable[KeyValue]) -> dict[str, str | int | float | bool]:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in attributes}
