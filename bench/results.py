"""What was measured, and the one table that shows it: medians with their range, ratios and differences taken within a round."""

from __future__ import annotations

import operator
import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from peers import AIOHTTP, DIRECT, ENVOY, Missing

if TYPE_CHECKING:
    from collections.abc import Callable

CPU_US, PER_S, BUSY, P50_MS, P99_MS = "cpu_us", "requests_per_s", "busy", "p50_ms", "p99_ms"
RSS_IDLE, RSS_LOADED, START_MS, ERRORS = "rss_idle_mb", "rss_loaded_mb", "start_up_ms", "errors"


@dataclass(frozen=True, slots=True)
class Measure:
    """What a number is: its quantity (with the unit), and under which load and upstream it was taken.

    Attributes:
        quantity: One of the constants above.
        work: A work's name, `100/s` and the like, or empty.
        upstream: `plain` or `TLS`.
    """

    quantity: str
    work: str = ""
    upstream: str = "plain"


@dataclass(slots=True)
class Results:
    """Every number of a run.

    Attributes:
        rounds: One mapping of (measure, peer) to value for each round.
        mistakes: One line for every load in which anything but a 200 came back.
    """

    rounds: list[dict[tuple[Measure, str], float]] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    def add(self, measure: Measure, peer: str, value: float) -> None:
        """Note a number of the present round; a second one of the same measure is added to the first."""
        present = self.rounds[-1]
        present[measure, peer] = present.get((measure, peer), 0) + value

    def series(self, measure: Measure, peer: str) -> list[float]:
        """Return a peer's numbers, one a round."""
        return [values[measure, peer] for values in self.rounds if (measure, peer) in values]

    def compared(self, measure: Measure, peer: str, other: tuple[Measure, str], how: Callable[[float, float], float]) -> list[float]:
        """Return one number a round that compares a peer's with another's of the same round, where both were taken."""
        return [how(values[measure, peer], values[other]) for values in self.rounds if (measure, peer) in values and other in values]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        label: Its first cell.
        measure: Which numbers.
        decimals: How many of them make sense.
        over: The peer to divide by, or None.
        above: What to subtract: the same latency without a proxy, or None.
    """

    label: str
    measure: Measure
    decimals: int = 1
    over: str | None = None
    above: Measure | None = None

    def cell(self, results: Results, peer: str) -> str:
        """Return a peer's cell: median and range, or a dash where nothing was measured."""
        if self.over:
            numbers = results.compared(self.measure, peer, (self.measure, self.over), operator.truediv)
        elif self.above and peer != DIRECT:
            numbers = results.compared(self.measure, peer, (self.above, DIRECT), operator.sub)
        else:
            numbers = results.series(self.measure, peer)
        if not numbers:
            return "-"
        middle, low, high = (f"{number:,.{self.decimals}f}" for number in (statistics.median(numbers), min(numbers), max(numbers)))
        return middle if low == high else f"{middle} ({low}-{high})"


def _cpu_rows(work: str, upstream: str) -> list[Row]:
    measure = Measure(CPU_US, work, upstream)
    label = f"CPU µs/request, {work}{', TLS upstream' if upstream == 'TLS' else ''}"
    return [Row(f"**{label}**", measure), Row("... over Envoy", measure, 2, over=ENVOY), Row("... over plain aiohttp", measure, 2, over=AIOHTTP)]


def _latency_rows(rate: str, upstream: str) -> list[Row]:
    where = f"{rate}{', TLS upstream' if upstream == 'TLS' else ''}"
    return [
        Row(f"{name} at {where}, added ms (direct: in all)", Measure(quantity, rate, upstream), 2, above=Measure(quantity, rate))
        for name, quantity in (("p50", P50_MS), ("p99", P99_MS))
    ]


ROWS = [
    *_cpu_rows("2 KB GET", "plain"),
    *_cpu_rows("2 KB GET", "TLS"),
    *_cpu_rows("100 KB GET", "plain"),
    *_cpu_rows("100 KB GET", "TLS"),
    *_cpu_rows("4 MB upload", "plain"),
    Row("requests/s, 2 KB GET", Measure(PER_S, "2 KB GET"), 0),
    Row("... core busy, %", Measure(BUSY, "2 KB GET"), 0),
    Row("requests/s, 2 KB GET, TLS upstream", Measure(PER_S, "2 KB GET", "TLS"), 0),
    Row("... core busy, %", Measure(BUSY, "2 KB GET", "TLS"), 0),
    *_latency_rows("100/s", "plain"),
    *_latency_rows("500/s", "plain"),
    *_latency_rows("1000/s", "plain"),
    *_latency_rows("500/s", "TLS"),
    Row("memory idle, MB", Measure(RSS_IDLE)),
    Row("memory after the loads, MB", Measure(RSS_LOADED)),
    Row("start to first answer, ms", Measure(START_MS), 0),
    Row("errors in a round", Measure(ERRORS), 0),
]


def table(results: Results, peers: list[str], missing: list[Missing]) -> str:
    """Return the whole table in Markdown; a peer that is missing keeps its column, and the first row says why."""
    why = {absent.name: absent.why for absent in missing}
    lines = [["", *peers], ["---", *("--:" for _ in peers)]]
    if why:
        lines.append(["", *(f"not here: {why[peer]}" if peer in why else "" for peer in peers)])
    lines += [[row.label, *(row.cell(results, peer) for peer in peers)] for row in ROWS]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines if any(cell != "-" for cell in cells[1:]))
