"""The long run: `python -m wire.fuzz --count 50000 --seed 1`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from wire.fuzz import inputs
from wire.fuzz.campaign import play

MIB = 1024 * 1024


def main() -> int:
    """Play, print counts, rate and faults; returns 1 when anything was wrong."""
    parser = argparse.ArgumentParser(description="Fuzz the proxy: mutated requests, responses and pipelines in random packets.")
    parser.add_argument("--count", type=int, default=50_000, help="how many inputs")
    parser.add_argument("--seed", type=int, default=1, help="what they are made from")
    parser.add_argument("--only", type=int, help="play this input alone and show its bytes")
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop", help="the proxy's event loop")
    words = parser.parse_args()
    indices = range(words.count) if words.only is None else range(words.only, words.only + 1)
    if words.only is not None:
        show(words.seed, words.only)
    with tempfile.TemporaryDirectory() as directory:
        report = play(words.loop, words.seed, indices, Path(directory), say=say)
    count = report.played.total()
    say(f"{count} inputs in {report.duration_s:.1f} s, {count / report.duration_s:.0f} per s: {dict(report.played)}")
    say(f"{report.upstream_requests} requests upstream; connections ended: {dict(report.answered)}")
    say(f"memory grew by {report.grown_bytes / MIB:.1f} MiB; {len(report.faults)} faults")
    for text in report.faults:
        say(f"\n{text}")
    return 1 if report.faults else 0


def say(text: str) -> None:
    """Print a line at once, also where output goes to a file."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def show(seed: int, index: int) -> None:
    """Print the bytes of one input, packet by packet."""
    played = inputs.make(seed, index)
    say(f"{played.kind.name}, mutated: {played.mutated}, upstream stays: {played.upstream_stays}, expected: {played.expected}")
    for side, pieces in (("client", played.request), ("upstream", played.response)):
        for piece in pieces:
            say(f"  {side}: {piece!r}")


if __name__ == "__main__":
    sys.exit(main())
