"""Clocks step: what is counted stays counted, nobody waits for longer than a whole period, and what was closed reopens."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from ledger.asks import EXCHANGE, MAILBOX, MS, SCOPE, ask, claim

from proxy.core.book import Admitted
from proxy.core.window import ThrottleWindow
from proxy.ledger.journal import load, rows_of, save
from proxy.ledger.local import LocalLedger

if TYPE_CHECKING:
    from pathlib import Path

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
WINDOW_US = 60 * MS
COUNT = 2


class Clock:
    """What time it is, and what is shown."""

    def __init__(self) -> None:
        self.true_us = 10 * DAY_US
        self.off_us = 0

    def __call__(self) -> int:
        return self.true_us + self.off_us


@pytest.mark.parametrize("step_us", [-HOUR_US, -DAY_US, -WINDOW_US, -1])
async def test_a_clock_that_steps_back_lets_nobody_through_twice_and_holds_nobody_for_longer(step_us: int) -> None:
    clock = Clock()
    ledger = LocalLedger(clock)
    asked = ask(claim(count=COUNT, window_us=WINDOW_US))
    assert [isinstance(await ledger.admit(asked), Admitted) for _ in range(COUNT)] == [True] * COUNT
    clock.off_us = step_us
    held = await ledger.admit(asked)
    assert not isinstance(held, Admitted)
    assert 0 < held.wait_us <= WINDOW_US
    clock.true_us += held.wait_us
    assert isinstance(await ledger.admit(asked), Admitted)


@pytest.mark.parametrize("step_us", [HOUR_US, DAY_US])
async def test_a_clock_that_steps_forth_leaves_nothing_closed_and_no_place_taken(step_us: int) -> None:
    clock = Clock()
    ledger = LocalLedger(clock)
    assert isinstance(await ledger.admit(ask(claim(), caps=(MAILBOX,), lease_id="gone")), Admitted)
    ledger.open_window(SCOPE, EXCHANGE, "app")
    clock.off_us = step_us
    assert isinstance(await ledger.admit(ask(claim(), caps=(MAILBOX,), scopes=(SCOPE,), lease_id="new")), Admitted)


@pytest.mark.parametrize("seed", range(5))
async def test_a_clock_that_jumps_back_again_and_again_never_lets_too_many_through(seed: int) -> None:
    dice, clock = random.Random(seed), Clock()
    ledger, admitted_at = LocalLedger(clock), list[int]()
    asked = ask(claim(count=COUNT, window_us=WINDOW_US))
    for _ in range(2000):
        clock.true_us += dice.randrange(20 * MS)
        clock.off_us -= dice.choice((0, 0, 1, WINDOW_US, HOUR_US))
        if isinstance(await ledger.admit(asked), Admitted):
            admitted_at.append(clock.true_us)
    gaps_us = [later - first for first, later in zip(admitted_at, admitted_at[COUNT:], strict=False)]
    assert min(gaps_us) >= WINDOW_US
    assert len(admitted_at) > 100


@pytest.mark.parametrize(("step_s", "left_s"), [(-86_400.0, 8.0), (-1.0, 8.0), (1.0, 7.0), (86_400.0, 0.0)])
def test_a_wall_clock_that_steps_between_two_runs_makes_no_window_longer(tmp_path: Path, step_s: float, left_s: float) -> None:
    now_s, now_us, wait_us = 1_800_000_000.0, 5 * DAY_US, 8_000_000
    window = ThrottleWindow(EXCHANGE._replace(wait_us=wait_us, cause="exchange_throttle"), now_us, now_us + wait_us, wait_us)
    save(tmp_path / "windows.json", rows_of({SCOPE: window}, now_s, now_us))
    windows, complaint = load(tmp_path / "windows.json", now_s + step_s, 17)
    assert complaint is None
    assert {scope: max(0.0, (found.closes_at_us - 17) / 1e6) for scope, found in windows.items()} == {SCOPE: left_s}
