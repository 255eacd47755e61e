"""The long run: `python -m faults --minutes 5 --seed 1`: all cases, side by side and alone, in random order, on one proxy."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import trustme
from wire.authority import Authority

from faults.case import judge, play
from faults.mixture import ALONE, SIDE_BY_SIDE, play_side_by_side, waves
from faults.stand import MIB, standing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from faults.case import Case
    from faults.stand import Stand

GROWTH_MAX_BYTES = 32 * MIB


def main() -> int:
    """Play, print what was wrong and how much memory it took; returns 1 when anything was wrong."""
    parser = argparse.ArgumentParser(description="Play the cases of the fault programme in random order and mixtures.")
    parser.add_argument("--minutes", type=float, default=5.0, help="for how long")
    parser.add_argument("--seed", type=int, default=1, help="what the order is made from")
    parser.add_argument("--size", type=int, default=12, help="how many cases at a time")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _stand(Path(folder)) as stand:
        return _run(stand, random.Random(words.seed), words.minutes * 60, words.size)


def _run(stand: Stand, dice: random.Random, length_s: float, size: int) -> int:
    ends_at, began_bytes, played, wrong = time.monotonic() + length_s, 0, 0, 0
    for cases in _rounds(dice, size):
        for fault in _play(stand, cases):
            wrong += 1
            _say(fault)
        played += len(cases)
        stand.proxy.forget_events()
        began_bytes = began_bytes or (stand.proxy.resident_bytes() if played > len(SIDE_BY_SIDE) else 0)
        if time.monotonic() > ends_at:
            break
    grown_bytes = stand.proxy.resident_bytes() - began_bytes if began_bytes else 0
    _say(f"{played} cases, {wrong} not as documented; memory grew by {grown_bytes / MIB:.1f} MiB after the first round")
    return int(wrong > 0 or grown_bytes > GROWTH_MAX_BYTES)


def _rounds(dice: random.Random, size: int) -> Iterator[list[Case]]:
    """Without end: a wave, and now and then a case that changes the world for all others."""
    while True:
        alone = dice.sample(ALONE, len(ALONE))
        for wave in waves(SIDE_BY_SIDE, dice, size):
            yield wave
            yield [alone.pop()]


def _play(stand: Stand, cases: list[Case]) -> list[str]:
    if len(cases) > 1:
        return play_side_by_side(stand, cases)
    call, answer = stand.run(play(stand, cases[0]))
    stand.settle()
    return [f"{cases[0].name}: {wrong}" for wrong in judge(call, cases[0], answer)]


def _stand(folder: Path) -> AbstractContextManager[Stand]:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    authority = Authority(ca, str(folder / "ca.pem"))
    return standing(folder, tls=authority.server("localhost"), ca_file=authority.file)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
