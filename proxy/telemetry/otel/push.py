"""Metrics on their way out: what /metrics shows, read from the same registry in a thread of its own, and handed to the SDK's exporters."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricExporter, MetricExportResult

from proxy.telemetry.otel.choice import OTLP
from proxy.telemetry.otel.conversion import Origin, Times, to_otlp

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from proxy.telemetry.otel.problems import Problems


class Push:
    """Exports metrics, again and again. May raise where a variable does not fit.

    Args:
        exporters: `otlp`, `console`.
        registry: Where they are kept.
        origin: Whose metrics they are.
        interval_s: From one export to the next.
        problems: Told of failures.
    """

    def __init__(self, exporters: tuple[str, ...], registry: CollectorRegistry, origin: Origin, interval_s: float, problems: Problems) -> None:
        self._registry = registry
        self._origin = origin
        self._interval_s = interval_s
        self._problems = problems
        self._started_ns = time.time_ns()
        self._exporters: dict[str, MetricExporter] = {
            f"Metrics to {name}": OTLPMetricExporter() if name == OTLP else ConsoleMetricExporter(out=sys.stdout) for name in exporters
        }
        self._ending = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="otel-metrics", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Export once more, and end. Takes as long as the exporters take."""
        self._ending.set()
        self._thread.join()
        self.give_up()

    def give_up(self) -> None:
        """Stop exporting, so that a `finish` soon ends that has not ended yet."""
        if self._ended:
            return
        self._ended = True
        for exporter in self._exporters.values():
            with contextlib.suppress(Exception):
                exporter.shutdown()

    def _run(self) -> None:
        while not self._ending.wait(self._interval_s):
            self._push()
        self._push()

    def _push(self) -> None:
        for name, exporter in self._exporters.items():
            self._problems.watch(name, partial(self._export, exporter))

    def _export(self, exporter: MetricExporter) -> bool:
        metrics = to_otlp(self._registry.collect(), self._origin, Times(self._started_ns, time.time_ns()))
        return exporter.export(metrics) is MetricExportResult.SUCCESS
