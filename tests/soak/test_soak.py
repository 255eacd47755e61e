"""A short soak: what must never be is not, whatever fails, and nothing stays. The long one is `bench/soak_programme.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from soak.run import REFUSALS, Pace, soak
from soak.samples import Sample, growth

if TYPE_CHECKING:
    from pathlib import Path

PACE = Pace(seconds=36, calls_per_s=60, fresh_share=0.8, seed=1)
GROWTH_MAX = 0.5  # what is kept for each grant is not at its bound by far


@pytest.mark.timeout(150)
async def test_under_failures_nothing_is_sent_twice_no_window_is_entered_and_nothing_stays(tmp_path: Path) -> None:
    outcome = await soak(tmp_path, PACE)
    assert outcome.failures > 1
    assert outcome.statuses[200] > outcome.statuses.total() / 2
    outcome.violations.pop(REFUSALS)  # which a machine that stalls brings about as well
    assert {name: found for name, found in outcome.violations.items() if found} == {}
    for samples in outcome.samples:
        assert [row for row in growth(samples) if row.quantity == "memory_bytes" and not row.is_flat(GROWTH_MAX)] == []


def _holding(descriptors: int) -> Sample:
    return Sample(50_000_000, descriptors, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(("at_the_end", "is_flat"), [(100, True), (105, True), (106, False), (50, True)])
def test_what_grew_by_more_than_a_twentieth_since_the_warm_up_is_not_flat(at_the_end: int, *, is_flat: bool) -> None:
    samples = [_holding(held) for held in (10, 10, 100, 100, 300, 300, at_the_end, at_the_end)]
    assert {row.quantity: row.is_flat() for row in growth(samples)}["descriptors"] is is_flat
