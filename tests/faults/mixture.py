"""Cases side by side, in random order: what one of them does must not be felt by the others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from faults import caller_cases, hostile_cases, upstream_cases
from faults.case import judge, play

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from faults.caller import Answer
    from faults.case import Call, Case
    from faults.stand import Stand

CASES = (*upstream_cases.CASES, *caller_cases.CASES, *hostile_cases.CASES)
SIDE_BY_SIDE = tuple(case for case in CASES if not case.is_alone)
ALONE = tuple(case for case in CASES if case.is_alone)


def play_side_by_side(stand: Stand, cases: Sequence[Case]) -> list[str]:
    """Play them at the same time, wait until nothing of them is left; returns what was not as documented, each with the name of its case."""

    async def all_of_them() -> list[tuple[Call, Answer]]:
        return await asyncio.gather(*(play(stand, case) for case in cases))

    outcomes = stand.run(all_of_them())
    stand.settle()
    return [f"{case.name}: {wrong}" for case, (call, answer) in zip(cases, outcomes, strict=True) for wrong in judge(call, case, answer)]


def waves(cases: Sequence[Case], dice: random.Random, size: int) -> list[list[Case]]:
    """All of them in random order, so many at a time."""
    shuffled = dice.sample(cases, len(cases))
    return [shuffled[start : start + size] for start in range(0, len(shuffled), size)]
