"""Closed-loop load: wrk asks as fast as a peer answers. For throughput and for the CPU that a request costs when the peer is busy."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from workload import REQUEST_FIELDS, Work

SCRIPT = Path(__file__).with_name("closed_loop.lua")
GRACE_S = 20


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a load.

    Attributes:
        requests: Answers received.
        duration_s: For how long.
        errors: How many of which kind: `status` (400 and above), `connect`, `read`, `write`, `timeout`.
    """

    requests: int
    duration_s: float
    errors: dict[str, int]


def ask_closed_loop(wrk: str, port: int, work: Work, duration_s: int) -> Answered:
    """Run wrk against a port of 127.0.0.1; raises CalledProcessError when it fails, TimeoutExpired when it hangs."""
    fields = [word for name, value in REQUEST_FIELDS.items() for word in ("-H", f"{name}: {value}")]
    shape = ["-t1", f"-c{work.connections}", f"-d{duration_s}s", "-s", str(SCRIPT)]
    url = f"http://127.0.0.1:{port}{work.path}"
    command = [wrk, *shape, *fields, url, "--", str(work.upload_bytes)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=duration_s + GRACE_S).stdout
    counts = json.loads(printed.splitlines()[-1])
    requests, duration_us = counts.pop("requests"), counts.pop("duration_us")
    return Answered(requests, duration_us / 1e6, {kind: count for kind, count in counts.items() if count})
