from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from core.ledger_oracle import PROBE_US, REMEMBERED_US
from core.ledger_scope import START_US, Scope, Step, histories, openings, played, seen
from proxy.core.window import Opening, opened


@given(openings, histories)
def test_a_window_is_what_the_plain_one_is_at_every_step(opening: Opening, history: list[Step]) -> None:
    scope = Scope(opening)
    for step in history:
        scope.do(step)
        expected = scope.plain
        probes = expected.probes and expected.reopened_for_us is None
        assert seen(scope) == (expected.wait_us(), probes, expected.is_over(), expected.cause, expected.reopened_for_us)


@given(openings, histories, openings)
def test_a_window_is_never_shortened_by_another_answer(opening: Opening, history: list[Step], later: Opening) -> None:
    scope = played(opening, history)
    before_us = scope.window.closes_at_us
    scope.window.prolong(later)
    assert scope.window.closes_at_us >= max(before_us, scope.clock_us + later.wait_us)


@given(openings, histories, st.integers(1, 10**12))
def test_a_clock_that_steps_back_leaves_a_wait_as_long_as_it_was(opening: Opening, history: list[Step], back_us: int) -> None:
    scope = played(opening, history)
    before = seen(scope)
    scope.look(-back_us)
    assert seen(scope) == before


@given(openings, st.lists(st.tuples(st.integers(0, 40), openings), max_size=4))
def test_nobody_is_admitted_before_every_answer_has_had_its_time(opening: Opening, later: list[tuple[int, Opening]]) -> None:
    scope = Scope(opening)
    until_us = START_US + opening.wait_us
    for after_us, other in later:
        assume(scope.clock_us + after_us < until_us)
        scope.look(after_us)
        scope.throttle(other)
        until_us = max(until_us, scope.clock_us + other.wait_us)
    assert scope.clock_us + scope.window.wait_us() == until_us


@given(openings, histories)
def test_one_probe_goes_at_a_time(opening: Opening, history: list[Step]) -> None:
    scope = played(opening, history)
    assume(scope.window.needs_probe())
    scope.tried_out()
    scope.look(-PROBE_US)
    assert scope.window.wait_us() == PROBE_US
    scope.look(PROBE_US - 1)
    assert scope.window.wait_us() == 1


@given(openings, histories)
def test_a_probe_that_never_answers_is_given_up(opening: Opening, history: list[Step]) -> None:
    scope = played(opening, history)
    assume(scope.window.needs_probe())
    scope.tried_out().look(PROBE_US)
    assert (scope.window.wait_us(), scope.window.needs_probe()) == (0, True)
    scope.ask("next")
    scope.answer("prober", succeeded=True)
    assert scope.window.wait_us() == PROBE_US


@given(openings, histories, st.booleans())
def test_an_answer_of_somebody_who_does_not_probe_changes_nothing(opening: Opening, history: list[Step], succeeded: bool) -> None:
    scope = played(opening, history)
    before = repr(scope.window)
    scope.answer("stranger", succeeded=succeeded)
    assert repr(scope.window) == before


@given(openings, histories)
def test_success_reopens_the_scope_and_it_is_forgotten_after_a_while(opening: Opening, history: list[Step]) -> None:
    scope = played(opening, history)
    assume(scope.window.needs_probe())
    scope.tried_out().answer("prober", succeeded=True)
    scope.look(-REMEMBERED_US)
    assert seen(scope)[:3] == (0, False, False)
    scope.look(REMEMBERED_US - 1)
    assert not scope.window.is_over()
    scope.look(1)
    assert scope.window.is_over()


@given(openings, histories)
def test_a_probe_that_brings_no_answer_lets_the_next_one_go(opening: Opening, history: list[Step]) -> None:
    scope = played(opening, history)
    assume(scope.window.needs_probe())
    scope.tried_out().answer("prober", succeeded=False)
    assert seen(scope)[:3] == (0, True, False)


@given(st.lists(st.tuples(st.integers(0, 40), openings), min_size=1, max_size=4), openings, st.sampled_from(["untried", "probing", "reopened"]))
def test_a_failed_reopening_closes_for_longer_than_the_window_was(asked: list[tuple[int, Opening]], failure: Opening, state: str) -> None:
    scope = Scope(asked[0][1])
    longest_us = asked[0][1].wait_us
    for after_us, opening in asked[1:]:
        scope.look(min(after_us, scope.window.wait_us() - 1))
        scope.throttle(opening)
        longest_us = max(longest_us, opening.wait_us)
    assume(scope.window.opening.probes)
    scope.look(scope.window.wait_us())
    if state != "untried":
        scope.ask("prober")
    if state == "reopened":
        scope.answer("prober", succeeded=True)
        scope.look(REMEMBERED_US - 1)
    scope.throttle(failure)
    grown_us = longest_us * failure.growth_percent // 100
    assert scope.window.wait_us() == max(failure.wait_us, min(failure.cap_us, grown_us))
    assert not scope.window.probe_id


def test_failures_double_the_window_up_to_the_cap() -> None:
    scope = Scope(Opening(10, 35, 200, "exchange"))
    lengths_us = []
    for _ in range(4):
        lengths_us.append(scope.window.wait_us())
        scope.tried_out().throttle(Opening(1, 35, 200, "exchange"))
    assert lengths_us == [10, 20, 35, 35]


def test_an_answer_longer_than_the_cap_stays_as_long_as_it_is() -> None:
    scope = Scope(Opening(10, 35, 200, "exchange"))
    scope.tried_out().throttle(Opening(50, 35, 200, "exchange"))
    assert scope.window.wait_us() == 50


def test_a_short_answer_late_in_a_window_does_not_make_it_forget_how_long_it_was() -> None:
    scope = Scope(Opening(100, 1000, 200, "exchange"))
    scope.look(90)
    scope.throttle(Opening(20, 1000, 200, "exchange"))
    assert scope.window.wait_us() == 20
    scope.tried_out().throttle(Opening(20, 1000, 200, "exchange"))
    assert scope.window.wait_us() == 200


def test_a_window_that_is_not_probed_just_ends() -> None:
    scope = Scope(Opening(50, 50, 100, "paused", probes=False))
    assert seen(scope) == (50, False, False, "paused", None)
    scope.look(50)
    assert seen(scope) == (0, False, True, "paused", None)


def test_success_counts_only_where_the_window_is_over() -> None:
    window = opened(Opening(50, 50, 200, "exchange"), START_US)
    window.begin_probe("early")
    window.end_probe("early", succeeded=True)
    assert (window.wait_us(), window.reopened_at_us) == (50, None)


def test_a_failure_of_a_reopened_scope_starts_a_new_trial() -> None:
    scope = Scope(Opening(50, 500, 200, "exchange")).tried_out()
    scope.answer("prober", succeeded=True)
    scope.throttle(Opening(50, 500, 200, "exchange"))
    assert (scope.window.needs_probe(), scope.window.reopened_at_us) == (True, None)
