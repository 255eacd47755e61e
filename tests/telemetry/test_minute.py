"""The last minute: rates are exact whatever the clock does, percentiles never too low, and memory bounded."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from happened import Clock, a_refusal, a_repetition, a_request, a_throttle, an_attempt, an_error, tell
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from proxy.core.model import Cause, Origin
from proxy.telemetry.minute import SECONDS, Minute
from proxy.telemetry.tallies import OWN, REQUEST, Tallies

if TYPE_CHECKING:
    from proxy.core.events import Event

HAPPENINGS: dict[str, Event] = {
    "requests": a_request(),
    "errors": an_error(502, Cause.UPSTREAM_BROKE_OFF, Origin.NETWORK),
    "attempts": an_attempt(),
    "retries": a_repetition(),
    "refused": a_refusal(),
    "throttled": a_throttle(),
}


class Watched:
    """A minute that is looked at once a second, as the proxy does, and the clock that it goes by."""

    def __init__(self, now_s: float = 5000.0) -> None:
        self.clock = Clock(now_s)
        tallies = Tallies(CollectorRegistry())
        self.minute = Minute(tallies, self.clock)
        self._takers = (tallies.takers(), self.minute.takers())

    def tell(self, *happened: Event) -> None:
        for takers in self._takers:
            tell(takers, *happened)

    def wait(self, seconds: float) -> None:
        self.clock.now_s += seconds
        self.minute.sweep(0.0)

    def rate(self, what: str) -> float:
        return self.minute.last().per_s(what)


class Told(NamedTuple):
    """What a slow reckoning keeps: every event with the number of looks before it."""

    what: str
    after_looks: int


steps = st.one_of(st.sampled_from(list(HAPPENINGS)), st.floats(0.0, 3.0), st.sampled_from([0.25, 0.94, 0.95, 1.0, 1.0, 1.0, 30.0]))


@settings(deadline=None)
@given(st.lists(steps, max_size=60), st.integers(1, 80))
def test_rates_are_those_of_the_events_since_the_look_of_a_minute_ago(history: list[str | float], times: int) -> None:
    watched, looks = Watched(), [5000.0]
    told: list[Told] = []
    for step in history * times if len(history) < 10 else history:
        if isinstance(step, str):
            watched.tell(HAPPENINGS[step])
            told.append(Told(step, len(looks)))
            continue
        watched.wait(step)
        if watched.clock.now_s - looks[-1] >= 0.95:
            looks.append(watched.clock.now_s)
    first = max(0, len(looks) - SECONDS - 1)
    counted = Counter(event.what for event in told if event.after_looks > first)
    counted["requests"] += counted["errors"]
    last, over_s = watched.minute.last(), max(1.0, watched.clock.now_s - looks[first])
    assert {what: last.per_s(what) for what in HAPPENINGS} == {what: counted[what] / over_s for what in HAPPENINGS}
    between = Counter(event.after_looks for event in told if event.what in {"requests", "errors"})
    assert last.history() == [between[number] if number > 0 else 0 for number in range(len(looks) - SECONDS, len(looks))]


def test_what_happened_more_than_a_minute_ago_is_forgotten() -> None:
    watched = Watched()
    watched.tell(*[a_request()] * 120)
    for _ in range(60):
        watched.wait(1.0)
    assert (watched.rate("requests"), watched.minute.last().history()[0]) == (2.0, 120)
    watched.wait(1.0)
    assert (watched.rate("requests"), sum(watched.minute.last().history())) == (0.0, 0)


def test_before_a_minute_has_passed_rates_are_those_since_the_start() -> None:
    watched = Watched()
    watched.tell(*[a_request()] * 30)
    watched.wait(0.5)
    assert watched.rate("requests") == 30.0
    for _ in range(10):
        watched.wait(1.0)
    assert watched.rate("requests") == pytest.approx(30 / 10.5)


def test_sweeps_that_come_more_often_do_not_shorten_the_minute() -> None:
    watched = Watched()
    watched.tell(*[a_request()] * 60)
    for _ in range(4 * 59):
        watched.wait(0.25)
    assert watched.rate("requests") == pytest.approx(60 / 59)


def test_an_error_counts_by_its_status_and_a_caller_that_left_is_none() -> None:
    watched = Watched()
    watched.tell(a_request(status=399), a_request(status=400), a_request(status=0, ended="caller_left"), an_error(status=200))
    assert (watched.rate("requests"), watched.rate("errors")) == (4.0, 1.0)


def test_causes_are_told_with_whose_fault_they_are_and_the_most_frequent_first() -> None:
    watched = Watched()
    of_provider, of_network = (Cause.EXCHANGE_THROTTLE, Origin.PROVIDER), (Cause.UPSTREAM_BROKE_OFF, Origin.NETWORK)
    watched.tell(an_error(502, *of_network), *[an_error(429, *of_provider)] * 3, a_request(status=404))
    assert watched.minute.last().failing() == [(*of_provider, 3.0), (*of_network, 1.0)]
    for _ in range(61):
        watched.wait(1.0)
    assert watched.minute.last().failing() == []


def test_of_answers_that_close_a_door_only_those_that_throttle_are_counted_as_such() -> None:
    watched = Watched()
    watched.tell(a_throttle(cause=Cause.SERVER_ERROR), a_throttle(cause=Cause.RATE_LIMIT_PROVIDER_QUOTA), a_throttle(cause=Cause.RATE_LIMIT_NYLAS))
    assert watched.rate("throttled") == 1.0


taken_s = st.one_of(st.floats(1e-6, 0.6), st.sampled_from([*OWN.bounds_s, *REQUEST.bounds_s]), st.floats(1e-6, 120.0))
shares = st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0])


@settings(deadline=None)
@given(st.lists(taken_s, min_size=1, max_size=150), shares)
def test_a_percentile_is_the_bound_above_the_exact_one(seconds: list[float], share: float) -> None:
    watched = Watched()
    watched.tell(*(a_request(own_s=each) for each in seconds), *(an_attempt(upstream_s=each) for each in seconds))
    exact_s, last = sorted(seconds)[math.ceil(share * len(seconds)) - 1], watched.minute.last()
    assert last.own_s(share) == bound_above(OWN.bounds_s, exact_s)
    assert last.upstream_s(share) == bound_above(REQUEST.bounds_s, exact_s)


def bound_above(bounds_s: tuple[float, ...], seconds: float) -> float:
    """The least bound that is not below; the last one for what is above all."""
    return bounds_s[min(bisect_left(bounds_s, seconds), len(bounds_s) - 1)]


def test_percentiles_are_those_of_the_last_minute_alone() -> None:
    watched = Watched()
    watched.tell(*[a_request(own_s=0.4)] * 1000)
    for _ in range(60):
        watched.wait(1.0)
    watched.tell(a_request(own_s=0.0002))
    watched.wait(1.0)
    assert watched.minute.last().own_s(0.99) == 0.0002


def test_where_nothing_passed_there_is_no_percentile() -> None:
    watched = Watched()
    watched.tell(a_request(own_s=0.0), an_attempt(0, failure="response_timeout", upstream_s=9.0))
    last = watched.minute.last()
    assert (last.own_s(0.5), last.upstream_s(0.99)) == (None, None)
    assert (last.per_s("requests"), last.per_s("attempts")) == (1.0, 1.0)


def test_own_times_of_both_apis_and_of_all_routes_are_taken_together() -> None:
    watched = Watched()
    watched.tell(a_request(own_s=0.0002), a_request(route=None, own_s=0.0005), a_request(own_s=0.0003))
    assert [watched.minute.last().own_s(share) for share in (0.3, 0.6, 1.0)] == pytest.approx([0.0002, 0.0003, 0.0005])


def test_what_is_kept_stays_bounded_however_long_it_runs() -> None:
    watched = Watched()
    for _ in range(500):
        watched.tell(*HAPPENINGS.values())
        watched.wait(1.0)
    assert kept(watched.minute) == SECONDS + 1
    assert len(watched.minute.last().history()) == SECONDS


def kept(minute: Any) -> int:
    return len(minute._seen)
