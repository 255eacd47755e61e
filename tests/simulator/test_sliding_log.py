from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.simulator import sliding_log
from proxy.simulator.sliding_log import InFlight, SlidingLog

ARRIVALS = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4)), max_size=40)


def admitted_by_counting(arrivals: list[tuple[int, int]], count: int, window: int) -> list[tuple[int, int]]:
    """What may pass, by looking at the whole history each time; times are steps."""
    passed: list[tuple[int, int]] = []
    now = 0
    for step, cost in arrivals:
        now += step
        held = sum(earlier for at, earlier in passed if now - window < at <= now)
        if held + cost <= count or not held:
            passed.append((now, cost))
    return passed


@given(ARRIVALS, st.integers(1, 6), st.integers(1, 6))
def test_it_admits_exactly_what_a_count_of_the_whole_history_admits(arrivals: list[tuple[int, int]], count: int, window: int) -> None:
    log, now, passed = SlidingLog(count, window), 0, []
    for step, cost in arrivals:
        now += step
        if not log.wait_s(now, cost):
            log.admit(now, cost)
            passed.append((now, cost))
    assert passed == admitted_by_counting(arrivals, count, window)


@given(ARRIVALS, st.integers(1, 6), st.integers(1, 6))
def test_a_named_wait_is_enough_and_not_longer_than_needed(arrivals: list[tuple[int, int]], count: int, window: int) -> None:
    log, now = SlidingLog(count, window), 0
    for step, cost in arrivals:
        now += step
        wait = log.wait_s(now, cost)
        if not wait:
            log.admit(now, cost)
            continue
        twin = SlidingLog(count, window)
        for arrived in log._admitted:
            twin.admit(arrived.at_s, arrived.cost)
        assert twin.wait_s(now + wait - 0.5, cost) > 0
        assert twin.wait_s(now + wait, cost) == 0


def test_an_arrival_leaves_the_window_when_it_is_as_old_as_the_window_is_long() -> None:
    log = SlidingLog(1, 1.0)
    log.admit(10.0, 1)
    assert log.wait_s(10.75, 1) == 0.25
    assert log.wait_s(11.0, 1) == 0.0


def test_more_than_the_whole_count_passes_where_nothing_else_is() -> None:
    log = SlidingLog(250, 1.0)
    assert log.wait_s(0.0, 1000) == 0.0
    log.admit(0.0, 1000)
    assert log.wait_s(0.5, 1) == 0.5


def test_a_corrected_cost_counts_at_the_time_of_its_arrival() -> None:
    log = SlidingLog(10, 1.0)
    arrived = log.admit(0.0, 9)
    assert log.wait_s(0.5, 5) == 0.5
    log.correct(arrived, 5)
    assert log.wait_s(0.5, 5) == 0.0
    assert log.wait_s(1.0, 10) == 0.0
    log.correct(arrived, 10)  # too late: it has left the window
    assert log.held == 0


def test_what_is_refused_takes_no_room_and_shows_in_what_was_asked() -> None:
    log = SlidingLog(2, 1.0)
    log.admit(0.0, 2)
    assert [log.refuse(0.5, 1), log.refuse(0.5, 1)] == [3, 4]
    assert log.wait_s(1.0, 2) == 0.0
    log.wait_s(1.5, 1)
    assert log.refuse(1.5, 1) == 1


def test_the_memory_of_refusals_is_bounded() -> None:
    log = SlidingLog(1, 3600.0)
    log.admit(0.0, 1)
    assert [log.refuse(0.0, 1) for _ in range(sliding_log.MAX_REFUSED + 5)][-1] == sliding_log.MAX_REFUSED + 1


def test_requests_at_once_are_counted_until_they_end() -> None:
    at_once = InFlight(2)
    for _ in range(2):
        assert at_once.wait_s(0.0, 4) == 0.0
        at_once.admit(0.0, 4)
    assert at_once.wait_s(99.0, 1) > 0
    assert at_once.refuse(99.0, 1) == 3
    at_once.end()
    assert at_once.wait_s(99.0, 1) == 0.0
