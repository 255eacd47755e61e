"""What metrics, the log line and the status page cost a request, in place: `python3 dev.py python bench/telemetry.py`.

One proxy is loaded by wrk while a clock stands around each observer's part: its median does not mind what else the machine does, and it is of calls
between everything else that a request does. In a tight loop the same calls take a third: never budget from that. Beside it two more proxies, one
without observers and one with all, whose CPU per request is compared round by round.
"""

from __future__ import annotations

import argparse
import atexit
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from closed_loop import ask_closed_loop
from measuring import Target, start_peer
from peers import PROXY_SETTINGS, Missing, Peer, wrk_path
from upstream import Upstream, start_upstream
from workload import SMALL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

HERE: Final = Path(__file__).resolve().parent
NOBODY, EVERYBODY, TIMED = "nobody", "everybody", "timed"
SHOWN_AS: Final = {"Tallies": "metrics", "Metrics": "metrics", "Log": "log line", "EventLines": "log line"}
RESULTS: Final = "timed.json"


def serve(how: str, settings: str) -> int:
    """Run the proxy, observed by nobody, by everybody, or by everybody with a clock around each."""
    from proxy.cli import main  # noqa: PLC0415 - only in the process under test
    from proxy.telemetry.observers import Observers  # noqa: PLC0415 - the same

    spent_ns: defaultdict[str, list[int]] = defaultdict(list)
    add = Observers.add

    def add_timed(self: Observers, takers: Mapping[type[Any], Callable[[Any], None]]) -> None:
        if how == TIMED:
            takers = {kind: _timed(take, spent_ns) for kind, take in takers.items()}
        if how != NOBODY:
            add(self, takers)

    Observers.add = add_timed  # type: ignore[method-assign]  # what this is for
    if how == TIMED:
        atexit.register(lambda: Path(settings).with_name(RESULTS).write_text(json.dumps(spent_ns)))
    return main(["serve", "--config", settings])


def _timed(take: Callable[[Any], None], spent_ns: dict[str, list[int]]) -> Callable[[Any], None]:
    owner = type(getattr(take, "__self__", None)).__name__
    spent, now_ns = spent_ns[f"{SHOWN_AS.get(owner, 'status page')}: {owner}{getattr(take, '__name__', '')}"], time.perf_counter_ns

    def timed(event: Any) -> None:  # noqa: ANN401 - any event
        began_ns = now_ns()
        take(event)
        spent.append(now_ns() - began_ns)

    return timed


def a_peer(how: str) -> Peer:
    """Return the proxy, observed in one of the ways."""

    def command(folder: Path, port: int, upstream: Upstream) -> list[str]:
        settings = folder / "proxy.toml"
        url = f"{upstream.scheme}://localhost:{upstream.port}"
        settings.write_text(PROXY_SETTINGS.format(port=port, url=url, ca_file=upstream.ca_file))
        return [sys.executable, str(HERE / "telemetry.py"), "--serve", how, str(settings)]

    return Peer(how, "", command)


def cost_us(target: Target, wrk: str, duration_s: int) -> float:
    """Load a proxy; return the CPU of its process a request."""
    assert target.child is not None
    before_s = target.child.cpu_s()
    answered = ask_closed_loop(wrk, target.port, SMALL, duration_s)
    used_s = target.child.cpu_s() - before_s
    target.child.empty_logs()
    return used_s * 1e6 / answered.requests


def measure(wrk: str, rounds: int, duration_s: int) -> tuple[list[float], list[float], dict[str, list[int]]]:
    """Return CPU per request without and with observers, round by round, and the time of each observer, call by call."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        serving, plain, _ = start_upstream(folder, 1)
        targets = []
        try:
            for how in (NOBODY, EVERYBODY, TIMED):
                target = start_peer(a_peer(how), plain, folder / how, 0)
                if isinstance(target, Missing):
                    raise SystemExit(f"{target.name}: {target.why}")
                targets.append(target)
            costs = [[cost_us(target, wrk, duration_s) for target in targets] for _ in range(rounds)]
        finally:
            for target in targets:
                assert target.child is not None
                target.child.stop()
            serving.stop()
        spent_ns: dict[str, list[int]] = json.loads((folder / TIMED / RESULTS).read_text())
    return [each[0] for each in costs], [each[1] for each in costs], spent_ns


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--duration", type=int, default=1, help="seconds of each load")
    parser.add_argument("--serve", choices=(NOBODY, EVERYBODY, TIMED), help=argparse.SUPPRESS)
    parser.add_argument("settings", nargs="?", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        return serve(arguments.serve, arguments.settings)
    wrk = wrk_path()
    if wrk is None:
        raise SystemExit("apt-get install wrk")
    without_us, with_us, spent_ns = measure(wrk, arguments.rounds, arguments.duration)
    total_us: defaultdict[str, float] = defaultdict(float)
    for name, each_ns in sorted(spent_ns.items()):
        if len(each_ns) > 1000:  # what is called with every request
            median_us = statistics.median(each_ns) / 1e3
            total_us[name.partition(":")[0]] += median_us
            print(f"{name:44}{median_us:6.2f} us, the median of {len(each_ns)} calls")
    print(*(f"{name}: {us:.1f} us a request" for name, us in total_us.items()), sep="\n")
    more_us = statistics.median(after - before for before, after in zip(without_us, with_us, strict=True))
    print(f"CPU a request: {statistics.median(without_us):.1f} us without observers, {statistics.median(with_us):.1f} with, {more_us:+.1f} by rounds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
