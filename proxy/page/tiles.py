"""The numbers at the top of the page, each with a word on what it is and, where it is out of bounds, that it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.page.figures import bytes_of, count, number, precise, share

if TYPE_CHECKING:
    from proxy.telemetry.status import Status, Traffic

_OWN_TARGET_S: Final = 0.001
_LAG_TARGET_S: Final = 0.01
_BUDGET_LOW: Final = 0.2


class Tile(NamedTuple):
    """A number.

    Attributes:
        name: Of what.
        value: The number.
        notes: What else belongs to it.
        warning: What is out of bounds, or empty.
        history: Of each of the last seconds, or None.
        filled: A share of 1 as a bar, or None.
    """

    name: str
    value: str
    notes: tuple[str, ...]
    warning: str = ""
    history: tuple[int, ...] | None = None
    filled: float | None = None


def tiles(status: Status) -> list[Tile]:
    """Return them in the order of reading: what passes, how fast, what is held, and how the process is."""
    return [*_passing(status.traffic), *_times(status.traffic), *_held(status), *_process(status)]


def _passing(traffic: Traffic) -> list[Tile]:
    attempts = (f"{number(traffic.attempts_per_s)}/s attempts upstream", f"{number(traffic.retries_per_s)}/s of them repeated")
    errors = (
        f"{share(traffic.errors_per_s / traffic.requests_per_s)} of requests" if traffic.requests_per_s else "no requests",
        f"{number(traffic.throttled_per_s)}/s throttled upstream",
        f"{number(traffic.refused_per_s)}/s refused here",
    )
    return [
        Tile("Requests", f"{number(traffic.requests_per_s)}/s", attempts, history=tuple(traffic.history)),
        Tile("Errors told", f"{number(traffic.errors_per_s)}/s", errors),
    ]


def _times(traffic: Traffic) -> list[Tile]:
    slow = f"p99 over {precise(_OWN_TARGET_S)}" if (traffic.own_p99_s or 0.0) > _OWN_TARGET_S else ""
    return [
        Tile("Own time, p50", _median(traffic.own_p50_s), (_p99(traffic.own_p99_s), "neither waiting nor upstream"), slow),
        Tile("Upstream, p50", _median(traffic.upstream_p50_s), (_p99(traffic.upstream_p99_s), "to the head of an answer")),
    ]


def _median(length_s: float | None) -> str:
    return "none" if length_s is None else precise(length_s)


def _p99(length_s: float | None) -> str:
    return "nothing passed yet" if length_s is None else f"p99 {precise(length_s)}"


def _held(status: Status) -> list[Tile]:
    traffic, budget = status.traffic, status.health.retry_budget
    low = "" if budget >= _BUDGET_LOW else "nearly used up" if budget > 0 else "used up"
    connections = (count(traffic.clients, "client connection"), f"{traffic.upstream_connections:,} to Nylas")
    return [
        Tile("In flight", f"{traffic.in_flight:,}", connections),
        Tile("Waiting", f"{sum(line.requests for line in status.waiting):,}", (f"{bytes_of(status.waiting_bytes)} of bodies kept",)),
        Tile("Retry budget", share(budget), ("left for repetitions",), low, filled=min(1.0, max(0.0, budget))),
    ]


def _process(status: Status) -> list[Tile]:
    health = status.health
    late = f"over {precise(_LAG_TARGET_S)}" if health.loop_lag_s > _LAG_TARGET_S else ""
    return [
        Tile("Event loop lag", precise(health.loop_lag_s), ("longest of 10 s",), late),
        Tile("Memory", bytes_of(health.memory_bytes), (count(health.open_files, "open file"),)),
    ]
