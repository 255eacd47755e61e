"""Which grants ask the most: never counted too low, in bounded memory however many there are."""

from __future__ import annotations

import random
from collections import Counter
from typing import Final

import pytest
from happened import Clock, a_request, a_throttle, tell
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.model import Cause
from proxy.telemetry import grants
from proxy.telemetry.grants import COUNTED_MAX, FADES_S, THROTTLED_MAX, Grants

KEPT_FEW: Final = 6


class Watched:
    """Grants, and the clock that they go by."""

    def __init__(self) -> None:
        self.clock = Clock(100.0)
        self.grants = Grants(self.clock)

    def ask(self, *names: str) -> None:
        takers = self.grants.takers()
        tell(takers, *(a_request(grant=name) for name in names))

    def sweep_after(self, seconds: float) -> None:
        self.clock.now_s += seconds
        self.grants.sweep(0.0)

    def counted(self) -> dict[str, float]:
        """The counts as they are, before they are made into rates."""
        return dict(self.grants._counts)


@settings(deadline=None)
@given(st.lists(st.sampled_from([f"g{number}" for number in range(12)]), max_size=200))
def test_between_two_fadings_no_count_is_too_low_nor_higher_than_by_what_was_dropped(asked: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grants, "COUNTED_MAX", KEPT_FEW)
        watched = Watched()
        watched.ask(*asked)
        exact, counted, floor = Counter(asked), watched.counted(), watched.grants._floor
    assert len(counted) <= KEPT_FEW
    assert all(exact[name] <= count <= exact[name] + floor for name, count in counted.items())
    assert all(exact[name] <= floor for name in exact if name not in counted)


@settings(deadline=None)
@given(st.lists(st.sampled_from([f"g{number}" for number in range(12)]), min_size=1, max_size=200))
def test_too_high_is_at_most_a_share_of_all_requests(asked: list[str]) -> None:
    """Misra and Gries: each unit by which the floor rises was counted of all those that are dropped, and of as many that are kept."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grants, "COUNTED_MAX", KEPT_FEW)
        watched = Watched()
        watched.ask(*asked)
    assert watched.grants._floor <= len(asked) / (KEPT_FEW // 2)


def test_a_hundred_thousand_grants_take_no_more_room_and_the_heaviest_are_found_among_them() -> None:
    dice, watched, most = random.Random(6), Watched(), 0
    heavy = [f"heavy{number}" for number in range(20)]
    for number in range(100_000):
        watched.ask(f"{number:032x}")
        if not number % 10:
            watched.ask(dice.choice(heavy))
        if not number % 100:
            most = max(most, len(watched.grants._counts))
    assert most <= COUNTED_MAX
    assert {name for name, _ in watched.grants.heaviest(20)} == set(heavy)


def test_throttled_grants_are_bounded_and_the_one_that_was_throttled_longest_ago_goes_first() -> None:
    watched = Watched()
    takers = watched.grants.takers()
    tell(takers, *(a_throttle(f"g{number}") for number in range(THROTTLED_MAX)), a_throttle("g0"), a_throttle("one more"))
    kept = watched.grants.throttled
    assert THROTTLED_MAX / 2 < len(kept) <= THROTTLED_MAX
    gone = [number for number in range(THROTTLED_MAX) if f"g{number}" not in kept]
    assert gone == list(range(1, 1 + len(gone)))
    assert list(kept)[-2:] == ["g0", "one more"]


def test_of_a_throttled_grant_it_is_told_how_often_when_last_and_by_what() -> None:
    watched = Watched()
    tell(watched.grants.takers(), a_throttle("g"))
    watched.clock.now_s += 7.0
    tell(watched.grants.takers(), a_throttle("g", cause=Cause.RATE_LIMIT_NYLAS))
    assert watched.grants.throttled == {"g": (2, 107.0, "rate_limit_nylas")}


def test_the_heaviest_come_first_and_no_more_than_are_asked_for() -> None:
    watched = Watched()
    watched.ask("a", "b", "b", "c", "c", "c")
    (first, its_rate), (second, _) = heaviest = watched.grants.heaviest(2)
    assert (first, second, len(heaviest)) == ("c", "b", 2)
    assert [rate / its_rate for _, rate in heaviest] == pytest.approx([1, 2 / 3])


def test_who_comes_when_others_were_dropped_begins_where_the_largest_of_those_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grants, "COUNTED_MAX", KEPT_FEW)
    watched = Watched()
    watched.ask(*(f"g{number}" for number in range(6) for _ in range(20 - 2 * number)), "one too many")
    assert watched.counted() == {"g0": 20, "g1": 18, "g2": 16}
    watched.ask("new")
    assert watched.counted()["new"] == 14 + 1


def test_a_request_that_belongs_to_nobody_is_not_counted() -> None:
    watched = Watched()
    watched.ask("")
    assert watched.counted() == {}


def test_counts_fade_by_half_a_minute_and_what_has_faded_is_forgotten() -> None:
    watched = Watched()
    watched.ask(*["a"] * 8, "b")
    watched.sweep_after(FADES_S - 1.0)
    assert watched.grants._counts == {"a": 8.0, "b": 1.0}
    watched.sweep_after(1.0)
    assert watched.grants._counts == {"a": 4.0, "b": 0.5}
    watched.sweep_after(FADES_S)
    assert watched.grants._counts == {"a": 2.0}
    for _ in range(3):
        watched.sweep_after(FADES_S)
    assert watched.counted() == {}


def test_what_was_dropped_fades_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grants, "COUNTED_MAX", KEPT_FEW)
    watched = Watched()
    watched.ask(*(f"g{number % 7}" for number in range(28)))
    floor = watched.grants._floor
    watched.sweep_after(FADES_S)
    assert watched.grants._floor == floor / 2 > 0


@pytest.mark.parametrize("after_s", [0.0, 15.0, 30.0, 59.0])
def test_what_is_asked_evenly_for_long_is_told_as_its_rate_a_minute(after_s: float) -> None:
    watched = Watched()
    for _ in range(20):
        watched.ask(*["a"] * 1200)
        watched.sweep_after(FADES_S)
    watched.ask(*["a"] * round(20 * after_s))
    watched.clock.now_s += after_s
    assert dict(watched.grants.heaviest(1))["a"] == pytest.approx(1200.0, rel=0.01)


def test_in_the_first_minute_a_grant_is_told_as_asking_as_often_as_it_does() -> None:
    watched = Watched()
    for _ in range(59):
        tell(watched.grants.takers(), *[a_request(grant="a")] * 20)
        watched.clock.now_s += 1
    assert dict(watched.grants.heaviest(1))["a"] == pytest.approx(1200, rel=0.1)
