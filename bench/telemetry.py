"""What metrics, the log line and the status page cost a request, in place: one proxy with each, interleaved.

`python3 dev.py python bench/telemetry.py` measures the CPU of the process under wrk, divided by the requests. In
a tight loop the same calls take a third: never budget from that.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Final

from closed_loop import ask_closed_loop
from measuring import start_peer
from peers import PROXY_SETTINGS, Missing, Peer, wrk_path
from upstream import Upstream, start_upstream
from workload import SMALL

HERE: Final = Path(__file__).resolve().parent
OBSERVING: Final = {
    "nobody": "",
    "metrics": "Metrics Tallies",
    "log line": "EventLines",
    "status page": "Minute Grants WindowsKnown Refusals",
    "metrics and log line": "Metrics Tallies EventLines",
    "all": "Metrics Tallies EventLines Minute Grants WindowsKnown Refusals",
}
"""What observes in each variant, by the names of classes."""


def serve_observed(names: list[str], config: str) -> int:
    """Run the proxy with those observers alone."""
    from proxy.cli import main  # noqa: PLC0415 - only in the process under test
    from proxy.telemetry.observers import Observers  # noqa: PLC0415 - the same

    add = Observers.add

    def add_some(self: Observers, takers: dict[type, object]) -> None:
        if any(type(getattr(take, "__self__", None)).__name__ in {*names, "Log" if "EventLines" in names else ""} for take in takers.values()):
            add(self, takers)  # type: ignore[arg-type]  # as given

    Observers.add = add_some  # type: ignore[assignment,method-assign]  # what this is for
    return main(["serve", "--config", config])


def a_peer(name: str, observers: str) -> Peer:
    """Return the proxy with some observers."""

    def command(folder: Path, port: int, upstream: Upstream) -> list[str]:
        settings = folder / "proxy.toml"
        url = f"{upstream.scheme}://localhost:{upstream.port}"
        settings.write_text(PROXY_SETTINGS.format(port=port, url=url, ca_file=upstream.ca_file))
        return [sys.executable, str(HERE / "telemetry.py"), "--serve", str(settings), *observers.split()]

    return Peer(name, "", command)


def measure(rounds: int, duration_s: int) -> dict[str, list[float]]:
    """Return the CPU per request of each variant, in microseconds, round by round."""
    wrk = wrk_path()
    if wrk is None:
        raise SystemExit("apt-get install wrk")
    costs_us: dict[str, list[float]] = {name: [] for name in OBSERVING}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        serving, plain, _ = start_upstream(folder, 1)
        targets = [start_peer(a_peer(name, observers), plain, folder / name.replace(" ", "_"), 0) for name, observers in OBSERVING.items()]
        try:
            for _ in range(rounds):
                for target in targets:
                    if isinstance(target, Missing) or target.child is None:
                        raise SystemExit(f"{target}")
                    before_s = target.child.cpu_s()
                    answered = ask_closed_loop(wrk, target.port, SMALL, duration_s)
                    costs_us[target.name].append((target.child.cpu_s() - before_s) * 1e6 / answered.requests)
                    target.child.empty_logs()
        finally:
            for target in targets:
                if not isinstance(target, Missing) and target.child is not None:
                    target.child.stop()
            serving.stop()
    return costs_us


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--duration", type=int, default=2, help="seconds of each load")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("observers", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        return serve_observed(arguments.observers, arguments.serve)
    costs_us = measure(arguments.rounds, arguments.duration)
    for name, each_us in costs_us.items():
        more_us = statistics.median(one - none for one, none in zip(each_us, costs_us["nobody"], strict=True))
        print(f"{name:24}{statistics.median(each_us):7.1f} us a request{more_us:+7.1f}   {min(each_us):.1f} to {max(each_us):.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
