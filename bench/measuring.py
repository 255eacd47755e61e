"""One measurement each: of a running peer under a load, or of a peer's start."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from child_process import Child, free_port, start
from closed_loop import ask_closed_loop
from peers import Missing, Peer
from results import BUSY, CPU_US, ERRORS, P50_MS, P99_MS, PER_S, RSS_IDLE, RSS_LOADED, START_MS, Measure, Results
from workload import REQUEST_FIELDS, SMALL, Work

if TYPE_CHECKING:
    from upstream import Upstream

MEGABYTE = 1024 * 1024
START_LIMIT_S = 15.0
POLL_S = 0.002
OPEN_LOOP = Path(__file__).with_name("open_loop.py")


@dataclass(frozen=True, slots=True)
class Target:
    """Something that answers on a port of 127.0.0.1.

    Attributes:
        name: As the table shows it.
        upstream: `plain` or `TLS`: what it forwards to.
        port: Where it listens.
        child: Its process; None for the upstream itself, asked directly.
    """

    name: str
    upstream: str
    port: int
    child: Child | None


def status_and_length(port: int, work: Work) -> tuple[int, int]:
    """Ask once; returns status and body length, raises OSError or HTTPException where nobody answers properly."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(work.method, work.path, body=b"x" * work.upload_bytes or None, headers=REQUEST_FIELDS)
        response = connection.getresponse()
        return response.status, len(response.read())
    finally:
        connection.close()


def wait_for_answer(child: Child, port: int) -> str | None:
    """Ask until a 200 comes; returns None, or why there will be none."""
    until = time.monotonic() + START_LIMIT_S
    last = "no answer"
    while time.monotonic() < until and child.popen.poll() is None:
        try:
            last = f"status {status_and_length(port, SMALL)[0]}"
        except (OSError, http.client.HTTPException):
            time.sleep(POLL_S)
            continue
        if last == "status 200":
            return None
        time.sleep(POLL_S)
    return f"did not start ({last}): {child.output_tail()}"


def start_peer(peer: Peer, upstream: Upstream, folder: Path, core: int) -> Target | Missing:
    """Start a peer in a folder of its own and wait until it answers."""
    folder.mkdir()
    port = free_port()
    child = start(peer.command(folder, port, upstream), folder, core)
    if why := wait_for_answer(child, port):
        child.stop()
        return Missing(peer.name, why)
    return Target(peer.name, upstream.name, port, child)


def wrong_answer(target: Target, work: Work) -> str | None:
    """Ask once and compare: a peer that answers wrongly must not be measured."""
    try:
        status, length_bytes = status_and_length(target.port, work)
    except (OSError, http.client.HTTPException) as problem:
        return f"{work.name} from the {target.upstream} upstream: {problem!r}"
    if (status, length_bytes) == (200, work.answer_bytes):
        return None
    return f"{work.name} from the {target.upstream} upstream: status {status}, {length_bytes} bytes"


def measure_busy(target: Target, work: Work, duration_s: int, wrk: str, results: Results) -> None:
    """Load a target as hard as wrk can; note CPU per request, throughput, how busy its core was, and errors."""
    cpu_before_s = target.child.cpu_s() if target.child else 0.0
    answered = ask_closed_loop(wrk, target.port, work, duration_s)
    results.add(Measure(PER_S, work.name, target.upstream), target.name, answered.requests / answered.duration_s)
    _note_errors(results, target, work.name, answered.errors)
    if target.child and answered.requests:
        cpu_s = target.child.cpu_s() - cpu_before_s
        results.add(Measure(CPU_US, work.name, target.upstream), target.name, cpu_s * 1e6 / answered.requests)
        results.add(Measure(BUSY, work.name, target.upstream), target.name, 100 * cpu_s / answered.duration_s)
        target.child.empty_logs()


def measure_latency(target: Target, rate_per_s: int, duration_s: float, seed: int, results: Results) -> None:
    """Ask at a fixed rate; note the median and the 99th percentile from due time to last byte, and errors."""
    command = [sys.executable, str(OPEN_LOOP), str(target.port), SMALL.path, str(rate_per_s), str(duration_s), str(seed)]
    outcome = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=duration_s + 20).stdout)
    rate = f"{rate_per_s}/s"
    results.add(Measure(P50_MS, rate, target.upstream), target.name, outcome["p50_ms"])
    results.add(Measure(P99_MS, rate, target.upstream), target.name, outcome["p99_ms"])
    _note_errors(results, target, rate, {"unanswered or not 200": outcome["errors"]} if outcome["errors"] else {})


def measure_memory(target: Target, results: Results) -> None:
    """Note the resident memory of a target that has just been under load."""
    if target.child:
        results.add(Measure(RSS_LOADED), target.name, target.child.rss_bytes() / MEGABYTE)


def measure_start(peer: Peer, upstream: Upstream, folder: Path, core: int, results: Results) -> None:
    """Start a fresh process; note the time to its first answer and its memory then, and stop it."""
    began = time.perf_counter()
    target = start_peer(peer, upstream, folder, core)
    if isinstance(target, Missing) or not target.child:
        results.mistakes.append(f"{peer.name}: {target}")
        return
    results.add(Measure(START_MS), peer.name, (time.perf_counter() - began) * 1e3)
    results.add(Measure(RSS_IDLE), peer.name, target.child.rss_bytes() / MEGABYTE)
    target.child.stop()


def _note_errors(results: Results, target: Target, load: str, errors: dict[str, int]) -> None:
    results.add(Measure(ERRORS), target.name, sum(errors.values()))
    if errors:
        counts = ", ".join(f"{count} {kind}" for kind, count in errors.items())
        results.mistakes.append(f"round {len(results.rounds)}, {target.name}, {target.upstream} upstream, {load}: {counts}")
