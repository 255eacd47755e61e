"""The latest refusals: those of one kind in a row as one, and no more than a page can show."""

from __future__ import annotations

from typing import Any

import pytest
from happened import EVENTS, Clock, a_refusal, tell

from proxy.core.model import Cause
from proxy.telemetry.refusals import KEPT_MAX, Refusals


def latest(*refusals: Any, every_s: float = 1.0) -> list[tuple[Any, int, float]]:
    """What is kept of these, which came so long after each other; the first at 0."""
    clock = Clock(-every_s)
    kept = Refusals(clock)
    for refused in refusals:
        clock.now_s += every_s
        tell(kept.takers(), refused)
    return list(kept.latest())


def test_the_latest_comes_first() -> None:
    one, two = a_refusal(grant="a"), a_refusal(grant="b")
    assert latest(one, two) == [(two, 1, 1.0), (one, 1, 0.0)]


def test_those_of_one_kind_in_a_row_are_one_with_the_last_time_and_the_last_wait() -> None:
    assert latest(a_refusal(wait_s=3.0), a_refusal(wait_s=2.0), a_refusal(wait_s=1.0, route=EVENTS)) == [
        (a_refusal(wait_s=1.0, route=EVENTS), 3, 2.0),
    ]


@pytest.mark.parametrize("other", [{"cause": Cause.EXCHANGE_THROTTLE}, {"by": "window"}, {"name": "v3_calendar"}, {"grant": "b"}])
def test_another_kind_between_them_makes_them_three(other: dict[str, Any]) -> None:
    assert [times for _, times, _ in latest(a_refusal(), a_refusal(), a_refusal(**other), a_refusal())] == [1, 1, 2]


def test_the_oldest_are_forgotten() -> None:
    kept = latest(*(a_refusal(grant=f"g{number}") for number in range(KEPT_MAX + 5)))
    assert len(kept) == KEPT_MAX
    assert (kept[0][0].grant, kept[-1][0].grant) == (f"g{KEPT_MAX + 4}", "g5")


def test_looking_at_them_changes_nothing() -> None:
    kept = Refusals(Clock())
    assert list(kept.latest()) == []
    tell(kept.takers(), a_refusal())
    assert list(kept.latest()) == list(kept.latest()) == [(a_refusal(), 1, 0.0)]
