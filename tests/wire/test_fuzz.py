"""A short run of the fuzzer on each event loop; `bench/fuzz.py` is the long one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wire.fuzz.campaign import play

if TYPE_CHECKING:
    from pathlib import Path

SEED = 20_261_121
COUNT = 1000  # on each loop


def test_nothing_malformed_nothing_hanging_nothing_shapeless_comes_of_mutated_bytes(loop_name: str, tmp_path: Path) -> None:
    report = play(loop_name, SEED, range(COUNT), tmp_path)
    assert report.faults == []
    assert report.played.total() == COUNT
