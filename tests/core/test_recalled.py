"""What was spent some time ago is told to a log only now: by somebody who counted alone for a while."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from core.ledger_desk import SECOND_US, Desk, Traffic, played, traffic

after_recalls = traffic("force", "give back", "recall")


@given(after_recalls, st.integers(1, 12))
def test_what_is_recalled_counts_from_when_it_was_spent_and_up_to_a_slot_longer(history: Traffic, cost: int) -> None:
    desk = Desk(history.window_us, history.count)
    for step in history.steps:
        desk.do(step)
        exact_us = desk.tape.wait_us(cost, history.count)
        assert exact_us <= desk.wait_us(cost) < exact_us + history.slot_us


@given(after_recalls, st.integers(1, 12))
def test_a_wait_that_is_named_after_a_recall_is_enough_and_no_longer_than_it_must_be(history: Traffic, cost: int) -> None:
    desk = played(history)
    wait_us = desk.wait_us(cost)
    assert 0 <= wait_us <= history.window_us
    assert desk.after(wait_us).wait_us(cost) == 0
    assert wait_us == 0 or desk.after(wait_us - 1).wait_us(cost) == 1


@given(after_recalls)
def test_entries_stand_in_order_and_apart_none_longer_than_a_slot(history: Traffic) -> None:
    desk = played(history)
    entries = desk.log.entries()
    assert all(0 <= first_us - newest_us < history.slot_us for first_us, newest_us, _, _ in entries)
    assert all(newest_us > later_first_us for (_, newest_us, _, _), (later_first_us, _, _, _) in itertools.pairwise(entries))
    assert desk.log.used == sum(cost for _, _, cost, _ in entries)


@given(
    st.sampled_from([32, 60, 64, 320, 2560, SECOND_US]),
    st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 199)), min_size=1, max_size=4),
)
def test_whatever_is_recalled_into_dense_traffic_is_kept_in_130_entries_at_most(window_us: int, rhythm: list[tuple[int, bool, int]]) -> None:
    desk, step_us = Desk(window_us, 10_000), max(1, window_us // 200)
    for turn in range(400):
        pause, recalled, age = rhythm[turn % len(rhythm)]
        desk.look(pause * step_us)
        if recalled:
            desk.recall(1, age * step_us)
        else:
            desk.book(1, turn)
        assert len(desk.log.entries()) <= 130


@given(traffic(back=False), traffic(back=False))
def test_no_window_holds_more_than_the_count_once_two_who_kept_to_their_half_have_told_what_they_spent(alone: Traffic, together: Traffic) -> None:
    half = alone.count
    apart = [Desk(alone.window_us, half) for _ in range(2)]
    for turn, step in enumerate(alone.steps):
        for desk in apart:
            desk.look(step.after_us)
        asks = apart[step.which % 2]
        if not asks.wait_us(min(step.units, half)):
            asks.book(min(step.units, half), turn)
    shared = returned(apart, 2 * half)
    for turn, step in enumerate(together.steps, len(alone.steps)):
        shared.look(step.after_us)
        if not shared.wait_us(step.units):
            shared.book(step.units, turn)
    assert shared.tape.overfull(2 * half) == []


def returned(apart: list[Desk], count: int) -> Desk:
    """Return a new log that all have told what they have spent, and the tape of what they really spent."""
    shared = Desk(apart[0].window_us, count)
    shared.tape.at_us = apart[0].tape.at_us
    for desk in apart:
        for _, age_us, cost, _ in desk.log.entries():
            shared.log.recall(cost, age_us, 1000)
        shared.tape.arrivals += desk.tape.arrivals
    return shared


def held(*recalled: tuple[int, int], charged_after_us: tuple[int, ...] = ()) -> list[tuple[int, int, int, int]]:
    """Return the entries when units were charged, one each, and others recalled (units, age); a slot is 10 microseconds long."""
    desk = Desk(2560, 100)
    for after_us in charged_after_us:
        desk.look(after_us)
        desk.book(1, None)
    for number, (units, age_us) in enumerate(recalled, 50):
        desk.log.recall(units, age_us, number)
    return desk.log.entries()


CASES: list[tuple[list[tuple[int, int]], tuple[int, ...], list[tuple[int, int, int, int]]]] = [
    ([(2, 500)], (), [(500, 500, 2, 50)]),
    ([(2, 500), (1, 491)], (), [(500, 491, 3, 50)]),
    ([(2, 500), (1, 490)], (), [(500, 500, 2, 50), (490, 490, 1, 51)]),
    ([(2, 500)], (0, 100), [(500, 500, 2, 50), (100, 100, 1, 1), (0, 0, 1, 2)]),
    ([(2, 50)], (0, 100), [(100, 100, 1, 1), (50, 50, 2, 50), (0, 0, 1, 2)]),
    ([(2, 9)], (0, 100), [(100, 100, 1, 1), (9, 0, 3, 2)]),
    ([(2, 10)], (0, 100), [(100, 100, 1, 1), (10, 10, 2, 50), (0, 0, 1, 2)]),
    ([(2, 100)], (0, 100), [(100, 100, 3, 1), (0, 0, 1, 2)]),
    ([(2, 0)], (0, 100), [(100, 100, 1, 1), (0, 0, 3, 2)]),
    ([(2, 12)], (0, 5), [(12, 12, 2, 50), (5, 0, 2, 1)]),
    ([(2, 2559)], (), [(2559, 2559, 2, 50)]),
    ([(2, 2560)], (), []),
]


def test_what_is_recalled_joins_the_next_arrival_within_a_slot_or_stands_by_itself() -> None:
    for recalled, charged_after_us, entries in CASES:
        assert held(*recalled, charged_after_us=charged_after_us) == entries


def test_an_entry_that_was_joined_from_before_stays_open_for_no_longer_than_a_slot() -> None:
    desk = Desk(2560, 100)
    desk.book(1, None)
    desk.look(2)
    desk.recall(1, 9)
    desk.look(3)
    desk.book(1, None)
    assert desk.log.entries() == [(12, 5, 2, 1), (0, 0, 1, 2)]


def test_a_first_arrival_stays_the_first() -> None:
    desk = Desk(2560, 100)
    desk.book(1, None)
    desk.look(5)
    desk.recall(1, 2)
    desk.book(1, None)
    desk.recall(1, 1)
    assert desk.log.entries() == [(5, 0, 4, 1)]


def test_what_was_spent_with_the_newest_arrival_of_an_entry_joins_that_entry() -> None:
    desk = Desk(2560, 100)
    for pause_us in (0, 9, 1):
        desk.look(pause_us)
        desk.book(1, None)
    desk.recall(1, 1)
    assert [cost for _, _, cost, _ in desk.log.entries()] == [3, 1]


def test_what_was_spent_soon_after_an_entry_began_joins_that_and_keeps_it() -> None:
    desk = Desk(2560, 100)
    desk.book(1, None)
    desk.look(1000)
    desk.book(1, None)
    desk.recall(1, 991)
    desk.recall(1, 990)
    assert desk.log.entries() == [(1000, 991, 2, 1), (990, 990, 1, 1003), (0, 0, 1, 2)]
