"""What stands around the tables: whose picture it is, what passes, what that takes. Each item is short and stays whole."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from proxy.page.figures import bytes_of, duration, number, precise, share
from proxy.page.finding import Level
from proxy.page.verdict import findings
from proxy.terminal.sections import ALARM, CALM, LOUD, PALE, Cell

if TYPE_CHECKING:
    from proxy.telemetry.status import Status

_LEVELS: Final = {Level.WELL: "bold green", Level.NOTICE: "bold yellow", Level.TROUBLE: ALARM}


def identity(status: Status, url: str) -> list[Cell]:
    """Whom this tells of, and in which state it is."""
    health = status.health
    ledger = f"ledger {health.ledger}" if health.state == "ready" else f"ledger {health.ledger} for {duration(health.ledger_since_s)}"
    return [
        Cell(f"nylas-proxy {status.version}", "bold"),
        Cell(url),
        Cell(health.state, "green" if health.state == "ready" else LOUD),
        Cell(ledger),
        Cell(f"limits {health.mode}"),
        Cell(f"up {duration(status.uptime_s)}"),
    ]


def verdicts(status: Status) -> list[Cell]:
    """What is to be said in sentences, what matters most first; never nothing."""
    return [Cell(found.text if found.level == Level.WELL else f"{found.level}: {found.text}", _LEVELS[found.level]) for found in findings(status)]


def traffic(status: Status) -> list[Cell]:
    """What passes, beside the requests, which are drawn."""
    passing = status.traffic
    waiting = sum(group.requests for group in status.waiting)
    kept = f" ({bytes_of(status.waiting_bytes)})" if status.waiting_bytes else ""
    return [
        _if_any("errors", passing.errors_per_s, ALARM),
        _if_any("throttled", passing.throttled_per_s, LOUD),
        _if_any("refused", passing.refused_per_s, LOUD),
        Cell(f"waiting {waiting:,}{kept}", LOUD if waiting else CALM),
        Cell(f"in flight {passing.in_flight:,}"),
        Cell(f"own time p50 {_known(passing.own_p50_s)} p99 {_known(passing.own_p99_s)}"),
        Cell(f"Nylas p50 {_known(passing.upstream_p50_s)} p99 {_known(passing.upstream_p99_s)}"),
    ]


def machinery(status: Status) -> list[Cell]:
    """What it takes, and when this was."""
    passing, health = status.traffic, status.health
    return [
        Cell(f"attempts {number(passing.attempts_per_s)}/s"),
        Cell(f"retries {number(passing.retries_per_s)}/s"),
        Cell(f"retry budget {share(health.retry_budget)}"),
        Cell(f"clients {passing.clients:,}"),
        Cell(f"upstream connections {passing.upstream_connections:,}"),
        Cell(f"loop lag {precise(health.loop_lag_s)}"),
        Cell(f"memory {bytes_of(health.memory_bytes)}"),
        Cell(f"open files {health.open_files:,}"),
        *_made_at(status.made_at),
    ]


def _made_at(since_1970_s: float) -> list[Cell]:
    try:
        return [Cell(f"{datetime.fromtimestamp(since_1970_s, UTC):%Y-%m-%d %H:%M:%S} UTC", PALE)]
    except (ValueError, OverflowError, OSError):  # a time that no calendar has
        return []


def _if_any(what: str, per_s: float, style: str) -> Cell:
    return Cell(f"{what} {number(per_s)}/s", style if per_s > 0 else CALM)


def _known(length_s: float | None) -> str:
    return "-" if length_s is None else precise(length_s)
