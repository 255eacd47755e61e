"""The long run: `python bench/soak_programme.py --minutes 20`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from soak.run import Pace, soak
from soak.samples import GROWTH_MAX, growth
from soak.stage import MESSAGES_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soak.run import Outcome

CALLS_PER_S = 110.0
FRESH_SHARE = 0.89  # of those that name any: 100,000 in twenty minutes
_SHOWN_MAX = 20


def main() -> int:
    """Run as long as asked for and print the table; returns the exit status."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=float, default=20.0)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--calm", action="store_true", help="Redis never fails: to tell what its failures bring about from what the machine does")
    asked = arguments.parse_args()
    before, began_s = os.getloadavg(), time.monotonic()
    pace = Pace(asked.minutes * 60, CALLS_PER_S, FRESH_SHARE, asked.seed, fails=not asked.calm)
    with tempfile.TemporaryDirectory() as folder:
        outcome = asyncio.run(soak(Path(folder), pace))
    loads = " and ".join(f"{load:.2f}" for load in (before[0], os.getloadavg()[0]))
    took = f"{asked.minutes:g} minutes, seed {asked.seed}, {time.monotonic() - began_s:.0f} s in all; load average before and after: {loads}"
    sys.stdout.write("\n".join((took, *_asked(outcome), *_grown(outcome), *_violations(outcome))) + "\n")
    is_flat = all(row.is_flat() for samples in outcome.samples for row in growth(samples))
    return 0 if is_flat and not any(outcome.violations.values()) else 1


def _asked(outcome: Outcome) -> Iterator[str]:
    limits = outcome.limits
    most = limits["limits"]["v3_messages"]["most_asked"]
    yield f"{outcome.statuses.total()} requests, {outcome.grants} grants, {outcome.failures} failures of Redis"
    yield "answers: " + ", ".join(f"{count} x {_status(status)}" for status, count in sorted(outcome.statuses.items()))
    yield f"upstream let {limits['passed']} requests through; of one mailbox at most {most} came within a second, {MESSAGES_PER_S} are allowed"
    yield f"the last {len(limits['windows'])} windows; {limits['unaware']} requests came into one that nobody could know of\n"


def _grown(outcome: Outcome) -> Iterator[str]:
    yield "| proxy | quantity | after warm-up | at the end | growth | | most |\n| --- | --- | --: | --: | --: | --- | --: |"
    for number, samples in enumerate(outcome.samples, 1):
        for row in growth(samples):
            verdict = "flat" if row.is_flat() else f"over {GROWTH_MAX:.0%}"
            yield f"| {number} | {row.quantity} | {row.after_warm_up:,} | {row.at_the_end:,} | {row.share:+.1%} | {verdict} | {row.most:,} |"


def _violations(outcome: Outcome) -> Iterator[str]:
    yield "\n| must never be | seen |\n| --- | --- |"
    for name, found in outcome.violations.items():
        yield f"| {name} | {'; '.join((str(len(found)), *found[:_SHOWN_MAX]))} |"


def _status(status: int) -> str:
    return {0: "none", -1: "left"}.get(status, str(status))


if __name__ == "__main__":
    sys.exit(main())
