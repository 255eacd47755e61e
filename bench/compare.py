"""The benchmark: this proxy beside nginx, Envoy and a plain aiohttp proxy, in one interleaved run. `python3 dev.py bench [--quick] [--out FILE]`.

bench/README.md says what is measured and how to read it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from measuring import Target, measure_busy, measure_latency, measure_memory, measure_start, start_peer, wait_for_answer, wrong_answer
from peers import AIOHTTP, DIRECT, ENVOY, NGINX, PROXY, Missing, Peer, find_peers, wrk_path
from results import Results, table
from upstream import Upstream, nginx_path, start_upstream
from workload import LARGE, SMALL, UPLOAD, Work

if TYPE_CHECKING:
    from collections.abc import Iterator

ORDER = [PROXY, NGINX, ENVOY, AIOHTTP, DIRECT]
WRK_MISSING = "CPU, throughput and memory under load are not here: apt-get install wrk"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a round consists of.

    Attributes:
        rounds: How many.
        busy: Closed-loop loads: work, upstream, seconds (wrk takes whole ones).
        rates: Open-loop loads: upstream, requests per second, seconds.
    """

    rounds: int
    busy: tuple[tuple[Work, str, int], ...]
    rates: tuple[tuple[str, int, float], ...]


FULL = Plan(
    rounds=5,
    busy=((SMALL, "plain", 2), (SMALL, "TLS", 2), (LARGE, "plain", 1), (LARGE, "TLS", 1), (UPLOAD, "plain", 1)),
    rates=(("plain", 100, 2.0), ("plain", 500, 1.0), ("plain", 1000, 1.0), ("TLS", 500, 1.0)),
)
QUICK = Plan(
    rounds=3,
    busy=((SMALL, "plain", 1), (SMALL, "TLS", 1), (LARGE, "plain", 1)),
    rates=(("plain", 100, 1.0), ("plain", 500, 1.0), ("plain", 1000, 0.5)),
)


@dataclass(frozen=True, slots=True)
class Bench:
    """What is running.

    Attributes:
        folder: A temporary folder; every process has one inside it.
        core: Where the processes under test run; load and upstream have the other one.
        upstreams: Plain and TLS, by name.
        peers: Those that started.
        targets: Every peer by upstream, and the upstream itself.
        missing: Those that did not.
    """

    folder: Path
    core: int
    upstreams: dict[str, Upstream]
    peers: list[Peer]
    targets: list[Target]
    missing: list[Missing]

    def in_turn(self, upstream: str, number: int) -> list[Target]:
        """Return the targets in front of an upstream, beginning with another one each round."""
        candidates = [target for target in self.targets if target.upstream == upstream]
        first = number % len(candidates)
        return candidates[first:] + candidates[:first]


def pick_cores() -> tuple[int, int]:
    """Return the core for load and upstream, and the one for the process under test: the same one where there is only one."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        print("Only one core: load and peer share it, throughput and latency mean little.", file=sys.stderr)
    return cores[0], cores[-1]


@contextlib.contextmanager
def set_up(load_core: int, core: int) -> Iterator[Bench]:
    """Start the upstream and every peer that is here; stop them all and remove their files at the end, whatever happens."""
    with contextlib.ExitStack() as at_end:
        folder = Path(at_end.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        folder.chmod(0o755)
        (folder / "upstream").mkdir()
        upstream_child, plain, tls = start_upstream(folder / "upstream", load_core)
        at_end.callback(upstream_child.stop)
        if why := wait_for_answer(upstream_child, plain.port):
            sys.exit(f"bench: the upstream {why}")
        bench = Bench(folder, core, {"plain": plain, "TLS": tls}, [], [Target(DIRECT, "plain", plain.port, None)], [])
        for peer in find_peers():
            _start(bench, peer, at_end)
        yield bench


def _start(bench: Bench, peer: Peer | Missing, at_end: contextlib.ExitStack) -> None:
    """Start a peer in front of both upstreams and check its answers; one that is not here, or answers wrongly, is noted as missing."""
    if isinstance(peer, Missing):
        bench.missing.append(peer)
        return
    started = []
    for upstream in bench.upstreams.values():
        target = start_peer(peer, upstream, bench.folder / f"{peer.name}-{upstream.name}", bench.core)
        if isinstance(target, Missing):
            bench.missing.append(target)
            return
        assert target.child
        at_end.callback(target.child.stop)
        for work in (SMALL, LARGE, UPLOAD):
            if why := wrong_answer(target, work):
                bench.missing.append(Missing(peer.name, why))
                return
        started.append(target)
    bench.peers.append(peer)
    bench.targets.extend(started)


def measure_round(bench: Bench, plan: Plan, number: int, wrk: str | None, results: Results) -> None:
    """Take every measurement once, each over all targets in turn, so that what disturbs the machine disturbs them alike."""
    results.rounds.append({})
    for work, upstream, duration_s in plan.busy if wrk else ():
        for target in bench.in_turn(upstream, number):
            measure_busy(target, work, duration_s, str(wrk), results)
    for target in bench.in_turn("plain", number) if wrk else ():
        measure_memory(target, results)
    for upstream, rate_per_s, asking_s in plan.rates:
        for target in bench.in_turn(upstream, number):
            measure_latency(target, rate_per_s, asking_s, number, results)
    for peer in bench.peers:
        measure_start(peer, bench.upstreams["plain"], bench.folder / f"{peer.name}-{number}", bench.core, results)


def machine(bench: Bench, wrk: str | None) -> dict[str, str]:
    """Say what the figures were taken on and with."""
    model = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    wrk_says = subprocess.run([wrk, "-v"], capture_output=True, text=True, check=False).stdout.split()[1] if wrk else "not here"
    return {
        "machine": f"{len(model)} x {model[0] if model else platform.machine()}, Linux {platform.release()}",
        "load average at the start": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "python": sys.version,
        "wrk": wrk_says,
        "upstream": "nginx" if nginx_path() else "the stand-in: nginx is not here (apt-get install nginx-light)",
        **{peer.name: peer.version for peer in bench.peers},
    }


def raw(results: Results, facts: dict[str, str], missing: list[Missing]) -> str:
    """Return every number as JSON: one object per round, measure and peer."""
    numbers = [
        {"round": number, "peer": peer, **asdict(measure), "value": value}
        for number, values in enumerate(results.rounds, 1)
        for (measure, peer), value in values.items()
    ]
    return json.dumps({"facts": facts, "missing": [asdict(absent) for absent in missing], "mistakes": results.mistakes, "numbers": numbers}, indent=1)


def main() -> int:
    """Run the benchmark and print the table; the status is 1 where anything but a 200 came back."""
    parser = argparse.ArgumentParser(prog="python3 dev.py bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three short rounds, without uploads: under two minutes")
    parser.add_argument("--rounds", type=int, help="how many rounds (default 5, with --quick 3)")
    parser.add_argument("--out", type=Path, help="write every number to this file, as JSON")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    plan = QUICK if options.quick else FULL
    wrk, results, began = wrk_path(), Results(), time.monotonic()
    load_core, core = pick_cores()
    os.sched_setaffinity(0, {load_core})  # inherited by wrk and the open-loop client
    with set_up(load_core, core) as bench:
        facts = machine(bench, wrk)
        for number in range(options.rounds or plan.rounds):
            print(f"bench: round {number + 1}, {time.monotonic() - began:.0f} s", file=sys.stderr)
            measure_round(bench, plan, number, wrk, results)
    if options.out:
        options.out.write_text(raw(results, facts, bench.missing))
    print(*(f"{name}: {fact}" for name, fact in facts.items()), f"took: {time.monotonic() - began:.0f} s", sep="  \n")
    print("", *([] if wrk else [WRK_MISSING, ""]), table(results, ORDER, bench.missing), "", *results.mistakes, sep="\n")
    return 1 if results.mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
