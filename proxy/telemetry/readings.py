"""What is looked at when somebody asks: gauges for Prometheus, and the health of the process for the status page.

They are read on the event loop, where they change, and written out in a thread: the text of two hundred series takes 20 ms.
"""

from __future__ import annotations

import asyncio
import platform
from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder

from proxy import __version__
from proxy.telemetry.metric_table import PREFIX, READINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prometheus_client.metrics_core import Metric

_LEDGER_STATES: Final = ("local", "shared", "local-safe", "rejoining")


class Readings(NamedTuple):
    """How things are now.

    Attributes:
        state: `ready`, `degraded`, `draining`, `starting`.
        loop: The event loop's module.
        ledger_state: Who counts.
        ledger_since_s: For how long.
        ledger_why: Why the server was lost, or empty.
        in_flight: Requests at hand.
        queue_depth: Of these, waiting to be admitted.
        queue_bytes: What their bodies take.
        buffered_bytes: Kept request bodies.
        bodies_unkept: How many found no room among them.
        connections: Open ones, by side (`client`, `v3`, `v2`) and state (`busy`, `idle`).
        windows_open: By cause and level.
        retry_budget: How full it is, 0 to 1.
        loop_lag_s: The longest that the loop was late lately.
        certificates: When they end, in seconds since 1970, by name.
        dropped_lines: Log lines that nobody took.
        memory_bytes: Resident.
        open_files: File descriptors.
    """

    state: str
    loop: str
    ledger_state: str
    ledger_since_s: float
    ledger_why: str
    in_flight: int
    queue_depth: int
    queue_bytes: int
    buffered_bytes: int
    bodies_unkept: int
    connections: Mapping[str, Mapping[str, int]]
    windows_open: Mapping[tuple[str, str], int]
    retry_budget: float
    loop_lag_s: float
    certificates: Mapping[str, float]
    dropped_lines: int
    memory_bytes: int
    open_files: int


class Exposition:
    """Writes metrics for whoever scrapes.

    Args:
        registry: What was counted.
        read: Looks at the rest.

    Attributes:
        is_pushed: Threads of others take the metrics as they are, so that what is looked at is to be kept current.
    """

    def __init__(self, registry: CollectorRegistry, read: Callable[[], Readings]) -> None:
        self._registry = registry
        self._read = read
        self._now: Readings | None = None
        self.is_pushed = False
        self._windows_seen: dict[tuple[str, str], int] = {}
        registry.register(self)
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)

    async def text(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics as the `Accept` field wants them, and their content type."""
        self._now = self._read()
        encode, content_type = choose_encoder(accept)
        return await asyncio.to_thread(encode, self._registry), content_type

    def sweep(self, _now: float) -> None:
        """Keep current what is looked at, where threads take it; to be called every second or so."""
        if self.is_pushed:
            self._now = self._read()

    def collect(self) -> Iterator[Metric]:
        """Yield what was read last; nothing while the registry is being made."""
        now = self._now
        if now is None:
            return
        # A window that closes leaves a 0 behind: a series that ends would keep its last value for minutes.
        self._windows_seen = dict.fromkeys(self._windows_seen, 0) | dict(now.windows_open)
        values: dict[str, Mapping[tuple[str, ...], float]] = {
            "build_info": {(__version__, platform.python_version(), now.loop): 1},
            "in_flight": {(): now.in_flight},
            "queue_depth": {(): now.queue_depth},
            "queue_bytes": {(): now.queue_bytes},
            "buffered_bytes": {(): now.buffered_bytes},
            "bodies_unkept_total": {(): now.bodies_unkept},
            "connections": {(side, state): count for side, states in now.connections.items() for state, count in states.items()},
            "windows_open": dict(self._windows_seen.items()),
            "retry_budget_ratio": {(): now.retry_budget},
            "ledger_state": {(state,): int(state == now.ledger_state) for state in _LEDGER_STATES},
            "certificate_expiry_timestamp_seconds": {(name,): expires_at for name, expires_at in now.certificates.items()},
            "log_lines_dropped_total": {(): now.dropped_lines},
        }
        for metric in READINGS:
            kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            family = kind(PREFIX + metric.name, metric.help, labels=metric.labels)
            for labels, value in values[metric.name].items():
                family.add_metric(labels, value)
            yield family
