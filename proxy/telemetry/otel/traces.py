"""Spans on their way out: the SDK's sampler, batches and exporters."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter, SpanExportResult

from proxy.telemetry.otel.choice import OTLP
from proxy.telemetry.otel.spans import Spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan

    from proxy.telemetry.otel.problems import Problems


class Traces:
    """Makes spans of requests and exports them. May raise where a variable does not fit.

    Args:
        exporters: `otlp`, `console`.
        resource: Whose spans they are.
        version: Of the proxy.
        problems: Told of failures.
    """

    def __init__(self, exporters: tuple[str, ...], resource: Resource, version: str, problems: Problems) -> None:
        # Whoever closes this does so before the interpreter ends; the SDK's own way out may take half a minute.
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._exporters = [_Watched(_exporter(name), f"Spans to {name}", problems) for name in exporters]
        for exporter in self._exporters:
            self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self.take = Spans(self._provider.get_tracer("nylas-proxy", version)).take

    def finish(self) -> None:
        """Export what is left, and end. Takes as long as the exporters take."""
        with contextlib.suppress(Exception):
            self._provider.shutdown()

    def give_up(self) -> None:
        """Stop exporting, so that a `finish` soon ends that has not ended yet."""
        for exporter in self._exporters:
            exporter.shutdown()


def _exporter(name: str) -> SpanExporter:
    return OTLPSpanExporter() if name == OTLP else ConsoleSpanExporter(out=sys.stdout)


class _Watched(SpanExporter):
    """An exporter whose failures are told, and that minds no second end."""

    def __init__(self, exporter: SpanExporter, name: str, problems: Problems) -> None:
        self._exporter = exporter
        self._name = name
        self._problems = problems
        self._ended = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        arrived = self._problems.watch(self._name, lambda: self._exporter.export(spans) is SpanExportResult.SUCCESS)
        return SpanExportResult.SUCCESS if arrived else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        if not self._ended:
            self._ended = True
            with contextlib.suppress(Exception):
                self._exporter.shutdown()
