from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ledger_desk import SECOND_US, Desk, Traffic, pauses_us, played, traffic


@given(traffic("give back"))
def test_no_window_wherever_it_starts_holds_more_than_the_count(history: Traffic) -> None:
    assert played(history).tape.overfull(history.count) == []


@given(traffic("force", "give back"), st.integers(1, 12))
def test_what_was_not_asked_for_is_counted_all_the_same(history: Traffic, cost: int) -> None:
    desk = played(history)
    assert desk.wait_us(cost) or desk.tape.used() == 0 or desk.tape.used() + cost <= history.count


@given(traffic("force", "give back"), st.integers(1, 12))
def test_a_named_wait_is_enough_and_no_longer_than_it_must_be(history: Traffic, cost: int) -> None:
    desk = played(history)
    wait_us = desk.wait_us(cost)
    assert 0 <= wait_us <= history.window_us
    assert desk.after(wait_us).wait_us(cost) == 0
    assert wait_us == 0 or desk.after(wait_us - 1).wait_us(cost) == 1


@given(traffic("force", "give back"), st.integers(1, 12))
def test_units_come_back_at_most_a_slot_late(history: Traffic, cost: int) -> None:
    desk = Desk(history.window_us, history.count)
    for step in history.steps:
        desk.do(step)
        exact_us = desk.tape.wait_us(cost, history.count)
        assert exact_us <= desk.wait_us(cost) < exact_us + history.slot_us


@given(traffic("force", "give back", sparse=True, back=False), st.integers(1, 12), st.data())
def test_sparse_traffic_meets_the_exact_log(history: Traffic, cost: int, data: st.DataObject) -> None:
    desk = played(history).after(data.draw(pauses_us(history.window_us)))
    assert desk.wait_us(cost) == desk.tape.wait_us(cost, history.count)


@given(st.sampled_from([5, 31, 32, 33, 60, 64, 320, SECOND_US]), st.lists(st.integers(0, 2), min_size=1, max_size=3))
def test_dense_traffic_is_kept_in_66_entries_at_most(window_us: int, rhythm: list[int]) -> None:
    desk = Desk(window_us, 10_000)
    for turn in range(300):
        desk.look(rhythm[turn % len(rhythm)] * max(1, window_us // 200))
        desk.book(1, turn)
        assert len(desk.log.entries()) <= 66


@given(traffic("force", "give back"))
def test_what_is_used_is_what_stands_in_the_entries(history: Traffic) -> None:
    log = played(history).log
    assert log.used == sum(cost for _, _, cost, _ in log.entries())
    assert all(cost >= 0 for _, _, cost, _ in log.entries())
    assert log.is_empty() is (not log.entries())


@given(traffic("force", "give back"), st.integers(1, 10**12), st.integers(1, 12))
def test_a_clock_that_steps_back_leaves_everything_as_old_as_it_was(history: Traffic, back_us: int, cost: int) -> None:
    desk = played(history)
    before = desk.log.entries(), desk.wait_us(cost)
    desk.look(-back_us)
    assert (desk.log.entries(), desk.wait_us(cost)) == before


@given(traffic("force", "give back"), st.integers(1, 12))
def test_what_is_given_back_comes_out_of_its_own_entry_and_never_more_than_that_holds(history: Traffic, cost: int) -> None:
    desk = played(history)
    for entry_id in {99, *(entry_id for entry_id, _ in desk.booked)}:
        before = desk.log.entries()
        desk.log.give_back(entry_id, cost)
        after = [(first, newest, max(0, held - cost) if own == entry_id else held, own) for first, newest, held, own in before]
        assert desk.log.entries() == after


@given(traffic("force"), st.integers(1, 12))
def test_giving_back_makes_nobody_wait_longer(history: Traffic, cost: int) -> None:
    desk = played(history)
    for entry_id, _ in desk.booked:
        before_us = desk.wait_us(cost)
        desk.log.give_back(entry_id, 1)
        assert desk.wait_us(cost) <= before_us


@given(traffic("force", "give back", back=False), st.integers(1, 20))
def test_the_forecast_for_a_queue_is_when_its_last_unit_has_its_turn(history: Traffic, queued: int) -> None:
    desk = played(history)
    exact_us = desk.tape.last_turn_us(queued, history.count)
    assert exact_us <= desk.log.forecast_us(queued, history.count) < exact_us + history.slot_us


@pytest.mark.parametrize(
    ("booked", "queued", "turn_us"),
    [
        ([(0, 4)], 1, 100),
        ([(0, 4)], 4, 100),
        ([(0, 4)], 5, 200),
        ([(0, 1), (30, 3)], 2, 100),
        ([(0, 1), (30, 3)], 1, 70),
        ([(0, 1), (30, 3)], 5, 170),
        ([(0, 1), (30, 3)], 401, 10_070),
        ([(0, 4), (30, 2)], 2, 70),
        ([(0, 4), (30, 2)], 3, 100),
        ([], 4, 0),
    ],
)
def test_a_queue_takes_what_is_freed_as_soon_as_it_is(booked: list[tuple[int, int]], queued: int, turn_us: int) -> None:
    desk = Desk(100, 4)
    for after_us, units in booked:
        desk.look(after_us)
        desk.book(units, None)
    assert desk.log.forecast_us(queued, 4) == turn_us


def test_units_that_are_free_serve_the_queue_at_once_and_again_a_window_later() -> None:
    desk = Desk(100, 4)
    assert desk.log.forecast_us(5, 4) == 100
    desk.book(1, None)
    desk.look(30)
    assert desk.log.forecast_us(3, 4) == 0
    assert desk.log.forecast_us(4, 4) == 70
    assert desk.log.forecast_us(7, 4) == 100


def test_the_whole_count_goes_at_once_and_a_cost_over_it_goes_alone() -> None:
    desk = Desk(SECOND_US, 6)
    assert desk.wait_us(9) == 0
    for _ in range(6):
        assert desk.wait_us(1) == 0
        desk.book(1, None)
    assert desk.wait_us(1) == SECOND_US
    assert desk.after(SECOND_US).wait_us(9) == 0
    assert desk.after(SECOND_US - 1).wait_us(9) == 1


def test_an_entry_stays_for_a_window_after_its_newest_arrival() -> None:
    desk = Desk(2560, 2)
    desk.book(1, None)
    desk.look(9)
    desk.book(1, None)
    desk.look(2551)
    assert (desk.wait_us(1), desk.wait_us(2)) == (9, 9)


def test_an_arrival_a_slot_later_begins_an_entry_of_its_own() -> None:
    desk = Desk(2560, 2)
    desk.book(1, None)
    desk.look(10)
    desk.book(1, None)
    assert desk.log.entries() == [(10, 10, 1, 1), (0, 0, 1, 2)]


def test_a_slot_is_finer_while_there_are_fewer_than_32_entries() -> None:
    for entries, slot_us in ((31, 10), (32, 80)):
        desk = Desk(2560, 100)
        for turn in range(entries):
            desk.look(10)
            desk.book(1, turn)
        desk.look(slot_us - 1)
        desk.book(1, None)
        assert len(desk.log.entries()) == entries
        desk.look(1)
        desk.book(1, None)
        assert len(desk.log.entries()) == entries + 1


def test_a_steady_stream_does_not_keep_an_entry_open() -> None:
    desk = Desk(2560, 100)
    for turn in range(4):
        desk.look(6 if turn else 0)
        desk.book(1, turn)
    assert desk.log.entries() == [(18, 12, 2, 1), (6, 0, 2, 3)]


def test_units_taken_out_of_an_entry_do_not_keep_the_rest_waiting() -> None:
    desk = Desk(320, 4)
    desk.book(3, None)
    desk.look(100)
    desk.book(1, None)
    desk.log.give_back(1, 3)
    assert desk.wait_us(4) == 320
    desk.log.give_back(2, 1)
    assert desk.wait_us(9) == 0


@given(traffic("give back"), st.integers(1, 3), st.integers(1, 8), st.data())
def test_who_goes_ahead_leaves_the_first_the_wait_that_it_may_have(history: Traffic, cost: int, before: int, data: st.DataObject) -> None:
    desk = played(history).after(data.draw(pauses_us(history.window_us)))
    ahead = copy.deepcopy(desk.log)
    ahead.charge(cost, 99)
    wait_us = ahead.wait_us(before, history.count)
    fits = desk.log.used + cost <= history.count
    for within_us in (-1, 0, wait_us - 1, wait_us, wait_us + 1):
        assert desk.log.lets_pass(cost, before, within_us, history.count) is (fits and wait_us <= within_us)


def test_who_goes_ahead_renews_the_newest_entry_and_the_first_waits_for_that() -> None:
    desk = Desk(2560, 4)
    desk.book(3, None)
    desk.look(9)
    assert desk.wait_us(2) == 2551
    assert [desk.log.lets_pass(1, 2, within_us, 4) for within_us in (2559, 2560)] == [False, True]


@given(traffic("force", "give back"), st.data())
def test_what_will_be_used_at_a_later_time_is_told_without_letting_that_time_pass(history: Traffic, data: st.DataObject) -> None:
    desk = played(history)
    after_us = data.draw(st.one_of(pauses_us(history.window_us), st.integers(0, 2 * history.window_us)))
    before = desk.log.entries(), desk.log.used
    assert desk.log.used_at(desk.clock_us + after_us) == desk.after(after_us).log.used
    assert (desk.log.entries(), desk.log.used) == before
    assert desk.log.used_at(desk.clock_us) == desk.log.used
