"""The running parts of a proxy, put together: what requests pass through, what observes them, what settings change."""

from __future__ import annotations

import asyncio
import math
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from prometheus_client import CollectorRegistry

from proxy import known, parts
from proxy.core.events import LedgerChanged
from proxy.core.model import Api, Cause
from proxy.core.retry_budget import RetryBudget
from proxy.core.window import Opening
from proxy.forecast import US_PER_S
from proxy.gate import make_gate
from proxy.ingress import Ingress
from proxy.ledger.local import now_us
from proxy.overview import Overview, Parts
from proxy.patience import Patience
from proxy.pipeline import Knowledge, Pipeline
from proxy.settings.report import effective
from proxy.telemetry.event_lines import EventLines
from proxy.telemetry.loop_lag import LoopLag
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.observers import Observers
from proxy.telemetry.readings import Exposition, Readings
from proxy.telemetry.recent import watch
from proxy.telemetry.tallies import Tallies
from proxy.telemetry.windows_known import holds_back
from proxy.wire.certificates import expires_at
from proxy.wire.server import Server

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from proxy.settings import Loaded
    from proxy.telemetry.logs import Log

_PAGE_BYTES: Final = resource.getpagesize()
_LEDGER_IS_WELL: Final = frozenset({"local", "shared"})


class Sidecar:
    """All of it; needs a running loop.

    Args:
        loaded: The settings.
        log: Where to write.

    Attributes:
        loaded: The settings in force, and where they come from.
        observers: Who is told of events.
        is_listening: It takes requests.
    """

    def __init__(self, loaded: Loaded, log: Log) -> None:
        settings = loaded.settings
        loop = asyncio.get_running_loop()
        self.loaded = loaded
        self.log = log
        self.is_listening = False
        self.registry = CollectorRegistry()
        self.observers = Observers(log)
        self.pools = parts.pools(settings.upstream)
        catalogue, handbook = known.catalogue(), known.handbook()
        self.gate = make_gate(settings, catalogue, self.observers)
        self.budget = RetryBudget(settings.retry.budget_ratio, loop.time())
        knowledge = Knowledge(known.classifier(), handbook, settings.bodies.error_max_bytes)
        patience, retrying = Patience(parts.patience_limits(settings)), parts.retrying(settings, self.budget)
        caller = parts.caller(settings.upstream, self.pools)
        self.pipeline = Pipeline(self.gate.admission, caller, knowledge, patience, retrying, self.observers.tell)
        self.gate.discover(self.pipeline)
        self._rules = parts.request_rules(settings)
        bases = {Api.V3: settings.upstream.v3_base, Api.V2: settings.upstream.v2_base}
        self.ingress = Ingress(self.pipeline, catalogue, handbook, self.observers, bases, self._rules)
        self.server = Server(parts.server_limits(settings), self.ingress.handle, parts.allow_list(settings.listen))
        self._observe(loop)
        self._ledger_changed = ("", time.monotonic())
        self._chain_ends_at = _chain_ends_at(settings.listen.tls_certificate)
        of_page = Parts(
            self.gate.ledger, now_us, loop.time, self.gate.turnstile, self.gate.admission, self.gate.mailboxes, self._recent,
            self.readings, handbook.causes, lambda: effective(self.loaded),
        )  # fmt: skip
        self.status = Overview(of_page).status

    def _observe(self, loop: asyncio.AbstractEventLoop) -> None:
        metrics, tallies = Metrics(self.registry), Tallies(self.registry)
        self.observers.add(tallies.takers())
        self._lines = EventLines(self.log, loop.time)
        self.observers.add(metrics.takers())
        self.observers.add(self._lines.takers())
        self._recent = watch(self.observers, tallies, self.gate.ledger.book, time.monotonic)
        self.observers.add({LedgerChanged: self._note_ledger})
        self.lag = LoopLag(metrics.loop_lagged)
        self.exposition = Exposition(self.registry, self.readings)

    def sweeps(self) -> tuple[Callable[[float], None], ...]:
        """Return what is to be called every second or so, in this order, with the loop's time."""
        of_wire = (self.server.sweep, *[pool.sweep for pool in self.pools.values()])
        return (*of_wire, self.gate.sweep, self._recent.sweep, self._lines.sweep, self.exposition.sweep)

    def finish(self) -> None:
        """Tell what is still to be told: the end has come."""
        self.lag.stop()
        self._lines.finish()

    def adopt(self, loaded: Loaded) -> None:
        """Go by other settings: those that take effect at once, do; the rest stays as it was, here and in what is shown."""
        settings = loaded.settings
        self.gate.adopt(settings)
        self.pipeline.patience.limits = parts.patience_limits(settings)
        self.budget.ratio = settings.retry.budget_ratio
        self.pipeline.retrying = parts.retrying(settings, self.budget)
        self.log.set_level(settings.log.level)
        self.log.successes = settings.log.successes
        self.loaded = loaded

    def renew_tls(self, tls: ssl.SSLContext) -> None:
        """Show clients from now on what the certificate's file holds now."""
        self.server.renew_tls(tls)
        self._chain_ends_at = _chain_ends_at(self.loaded.settings.listen.tls_certificate)

    async def close_window(self, scope: str, seconds: float, application: str) -> float:
        """Close a scope by hand, or for longer; returns for how many seconds it is closed now, once all who share the ledger can know."""
        closed_us = math.ceil(seconds * US_PER_S)
        opening = Opening(closed_us, closed_us, 100, Cause.CLOSED_BY_OPERATOR)
        self.gate.turnstile.closed(scope)
        closed_s = self.gate.ledger.open_window(scope, opening, application) / US_PER_S
        self._recent.windows.closed_by_hand(scope, Cause.CLOSED_BY_OPERATOR, closed_s)
        await self.gate.ledger.announced()
        return closed_s

    @property
    def state(self) -> Literal["starting", "ready", "degraded", "draining"]:
        """`starting`, `ready`, `degraded` (the shared ledger is away) or `draining`."""
        if not self.is_listening:
            return "starting"
        if self.server.draining:
            return "draining"
        return "ready" if self.gate.ledger_state() in _LEDGER_IS_WELL else "degraded"

    @property
    def ledger_why(self) -> str:
        """Why the shared ledger was lost; empty while it is there."""
        return "" if self.gate.ledger_state() in _LEDGER_IS_WELL else self._ledger_changed[0]

    def readings(self) -> Readings:
        """Look at everything that changes."""
        loop, waiting = asyncio.get_running_loop(), self.gate.turnstile.waiting
        windows: dict[tuple[str, str], int] = {}
        at_us = now_us()
        for scope, window in self.gate.ledger.book.windows.items():
            if holds_back(window, at_us):
                kind = (window.opening.cause, scope.partition(":")[0])
                windows[kind] = windows.get(kind, 0) + 1
        memory_bytes, open_files = _process()
        return Readings(
            self.state,
            type(loop).__module__,
            self.gate.ledger_state(),
            time.monotonic() - self._ledger_changed[1],
            self.ledger_why,
            len(self.ingress.running),
            waiting.requests,
            waiting.body_bytes,
            self._rules.kept.used_bytes,
            self._rules.kept.bodies_unkept,
            {"client": self.server.connections(), **{str(api): pool.connections() for api, pool in self.pools.items()}},
            windows,
            self.budget.share_left(loop.time()),
            self.lag.worst_s(loop.time()),
            self._certificates(),
            self.log.writer.dropped_lines,
            memory_bytes,
            open_files,
        )

    def _note_ledger(self, changed: LedgerChanged) -> None:
        self._ledger_changed = (changed.why or self._ledger_changed[0], time.monotonic())

    def _certificates(self) -> dict[str, float]:
        ends = {"listen": self._chain_ends_at} | {str(api): pool.dialer.certificate_ends_at for api, pool in self.pools.items()}
        return {name: ends_at for name, ends_at in ends.items() if ends_at is not None}


def _chain_ends_at(path: str) -> float | None:
    try:
        return expires_at(Path(path).read_bytes()) if path else None
    except OSError:
        return None


def _process() -> tuple[int, int]:
    """Return the memory that is resident, in bytes, and how many files are open; 0 where the system does not tell."""
    try:
        resident_pages = int(Path("/proc/self/statm").read_bytes().split()[1])
        return resident_pages * _PAGE_BYTES, sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:
        return 0, 0
