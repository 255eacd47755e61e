"""What a scenario brings back, and how its figures are written."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from promises.callers import Answer


class Check(NamedTuple):
    """One row of the table.

    Attributes:
        target: What was promised.
        measured: What came out.
        kept: Whether that is enough.
    """

    target: str
    measured: str
    kept: bool


def statuses(answers: Iterable[Answer]) -> str:
    """Count answers by their status."""
    return ", ".join(f"{count} x {status}" for status, count in sorted(Counter(answer.status for answer in answers).items()))


def all_good(answers: Iterable[Answer]) -> bool:
    """Tell whether nobody got an error."""
    return all(answer.status in {200, 202} for answer in answers)


def span_s(answers: list[Answer]) -> float:
    """Return how long it took from the first question to the last answer."""
    return max(answer.ended_at for answer in answers) - min(answer.began_at for answer in answers)


def arrivals_s(report: dict[str, Any], part: str) -> list[float]:
    """Return when the requests came to the simulator that have `part` in their target, from the first of them on."""
    came = [arrival["arrived_s"] for arrival in report["arrivals"] if part in arrival["target"]]
    return [at - came[0] for at in came]


def p99_ms(latencies_s: list[float]) -> float:
    """Return the latency that one request in a hundred exceeds."""
    return statistics.quantiles(latencies_s, n=100)[98] * 1e3
