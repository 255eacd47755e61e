"""Open-loop load: requests leave on a fixed schedule, whether or not earlier ones have been answered.

The latency of a request runs from the moment it was due, not from when it could be sent, so that a stall counts against every
request that it delayed (no coordinated omission). Arrivals are random (exponential gaps), and the same for every peer of a round.

`python open_loop.py PORT PATH RATE_PER_S DURATION_S SEED` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import math
import random
import selectors
import sys
import time
from collections import deque
from pathlib import Path
from typing import cast

from workload import REQUEST_FIELDS

CONNECTIONS = 32
WARM_UP_S = 0.2
LAST_ANSWERS_S = 2.0


class Connection(asyncio.Protocol):
    """A keep-alive connection with at most one request on its way; reads answers with a Content-Length and nothing else."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.due: float | None = None
        self.received = b""
        self.missing_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Join the idle connections."""
        self.transport = cast("asyncio.Transport", transport)
        self.load.idle.append(self)

    def ask(self, due: float) -> None:
        """Send the request that was due at that time."""
        self.due = due
        self.transport.write(self.load.request)

    def data_received(self, piece: bytes) -> None:
        """Count what comes, and report the answer when it is complete."""
        if self.missing_bytes:
            self.missing_bytes -= len(piece)
        else:
            self.received += piece
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return
            length = self.received[:end].lower().partition(b"\r\ncontent-length:")[2]
            self.missing_bytes = int(length.split(b"\r\n")[0]) - (len(self.received) - end - 4)
        if not self.missing_bytes:
            is_good, due = self.received.startswith(b"HTTP/1.1 200 "), self.due
            self.due, self.received = None, b""
            self.load.answered(self, due, is_good=is_good)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the idle connections; a request on its way stays unanswered."""
        del exc
        if self in self.load.idle:
            self.load.idle.remove(self)


class Load:
    """The schedule, the idle connections, and what came back."""

    def __init__(self, path: str) -> None:
        head = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in REQUEST_FIELDS.items()), "", ""]
        self.request = "\r\n".join(head).encode()
        self.idle: list[Connection] = []
        self.waiting: deque[float] = deque()
        self.latencies_s: list[float] = []
        self.counts_from = 0.0
        self.answers = 0
        self.good_answers = 0
        self.expected = 0
        self.all_answered = asyncio.Event()

    def answered(self, connection: Connection, due: float | None, *, is_good: bool) -> None:
        """Note the latency, and let the connection carry a request that is overdue."""
        self.answers += 1
        self.good_answers += is_good
        if is_good and due is not None and due >= self.counts_from:
            self.latencies_s.append(time.perf_counter() - due)
        if self.answers == self.expected:
            self.all_answered.set()
        if self.waiting:
            connection.ask(self.waiting.popleft())
        else:
            self.idle.append(connection)

    async def run(self, port: int, gaps_s: list[float]) -> None:
        """Connect, then let every request leave when it is due; returns when all are answered, or two seconds after the last was due."""
        self.expected = len(gaps_s)
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", port)
        due = time.perf_counter()
        self.counts_from = due + WARM_UP_S
        for gap_s in gaps_s:
            due += gap_s
            if (early_s := due - time.perf_counter()) > 0:
                await asyncio.sleep(early_s)
            if self.idle:
                self.idle.pop().ask(due)
            else:
                self.waiting.append(due)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.all_answered.wait(), LAST_ANSWERS_S)


def percentile(sorted_values: list[float], share: float) -> float:
    """Return the smallest value that at least `share` of all do not exceed; not-a-number where there are none."""
    return sorted_values[max(0, math.ceil(share * len(sorted_values)) - 1)] if sorted_values else math.nan


def main(port: int, path: str, rate_per_s: float, duration_s: float, seed: int) -> None:
    # Timers of an epoll loop are rounded up to a millisecond and woken 50 µs late: more than what is measured here.
    Path("/proc/self/timerslack_ns").write_text("1000")
    gc.disable()
    arrivals = random.Random(seed)
    gaps_s = [arrivals.expovariate(rate_per_s) for _ in range(int(rate_per_s * (duration_s + WARM_UP_S)))]
    load = Load(path)
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(load.run(port, gaps_s))
    latencies_s = sorted(load.latencies_s)
    p50_ms, p99_ms = (percentile(latencies_s, share) * 1e3 for share in (0.5, 0.99))
    errors = len(gaps_s) - load.good_answers
    print(json.dumps({"p50_ms": p50_ms, "p99_ms": p99_ms, "requests": len(gaps_s), "errors": errors, "cpu_s": time.process_time()}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))
