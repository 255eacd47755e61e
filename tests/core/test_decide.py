"""The table of what may be repeated, cell by cell, and the rules around it; what a mutant of either would break is in `test_no_double`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from builders import a_verdict
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.decide import Again, Answer, Case, Pass, RetryPolicy, decide, finishes_without_caller
from proxy.core.model import Api, Cause, Origin, RequestContext, Route
from proxy.core.outcome import ErrorReply, TransportFailure
from proxy.core.repeat import Ending, Repeat

if TYPE_CHECKING:
    from proxy.core.outcome import Outcome

STALE = TransportFailure(Cause.UPSTREAM_BROKE_OFF, "upstream closed the connection", sent=True, stale=True)
UNREACHABLE = TransportFailure(Cause.UPSTREAM_UNREACHABLE, "gone", sent=False, stale=False)
TIMED_OUT = TransportFailure(Cause.RESPONSE_TIMEOUT, "no answer", sent=True, stale=False)
FREELY, WITH_KEY, NOT_ONCE_SENT = Repeat
POLICY = RetryPolicy()

MAY_HAVE = "; it may have been carried out all the same: look before you repeat it"


def an_error(
    cause: Cause, status: int, wait_s: float | None = None, *, retryable: bool = True, by_nylas: bool = True, replayed: bool = False
) -> ErrorReply:
    return ErrorReply(status, a_verdict(cause, retry_after_s=wait_s), retryable, by_nylas, replayed)


THROTTLED = an_error(Cause.RATE_LIMIT_NYLAS, 429)
UNAVAILABLE = an_error(Cause.UPSTREAM_UNAVAILABLE, 503)
IN_FLIGHT = an_error(Cause.IDEMPOTENCY_IN_FLIGHT, 409)
NOT_READY = an_error(Cause.NOT_READY, 202)

OF_ENDING: dict[Ending, Outcome] = {
    Ending.NEVER_LEFT: UNREACHABLE,
    Ending.STALE: STALE,
    Ending.REFUSED: THROTTLED,
    Ending.NOTHING_DONE: an_error(Cause.SERVER_ERROR_SAFE_TO_RETRY, 503),
    Ending.THROTTLED_FAILURE: an_error(Cause.EXCHANGE_THROTTLE, 503),
    Ending.FAILED: an_error(Cause.SERVER_ERROR, 500),
    Ending.UNAVAILABLE: UNAVAILABLE,
    Ending.AMBIGUOUS: TIMED_OUT,
    Ending.KEY_IN_FLIGHT: IN_FLIGHT,
    Ending.NOT_READY: NOT_READY,
    Ending.REPLAYED: an_error(Cause.SERVER_ERROR, 503, replayed=True),
    Ending.ACCEPTED: an_error(Cause.UNKNOWN, 202),
    Ending.FINAL: an_error(Cause.RATE_LIMIT_PROVIDER_QUOTA, 429),
}
"""An outcome of each row. STALE is one of a bodiless GET alone, whatever the column."""


def a_case(repeat: Repeat = FREELY, **changes: Any) -> Case:
    method = "GET" if repeat is FREELY else "POST"
    case = Case(method, repeat, has_body=method == "POST", replayable=True, signed=False, callers_key=False, calm=False, attempts=1)
    return replace(case, **changes)


def after(outcome: Outcome, case: Case | Repeat = FREELY, policy: RetryPolicy = POLICY, **changes: Any) -> Again | Answer | Pass:
    given_ = {"roll": 0.5, "budget_left": True, "time_left_s": 60.0, **changes}
    return decide(outcome, case if isinstance(case, Case) else a_case(case), policy, **given_)


def is_told(outcome: Outcome, case: Case | Repeat = FREELY, policy: RetryPolicy = POLICY, **changes: Any) -> bool:
    return not isinstance(after(outcome, case, policy, **changes), Again)


CELLS = {
    (Ending.NEVER_LEFT, FREELY): Again(0.25),
    (Ending.NEVER_LEFT, WITH_KEY): Again(0.25),
    (Ending.NEVER_LEFT, NOT_ONCE_SENT): Again(0.25),
    (Ending.STALE, FREELY): Again(0.0, counts=False),
    (Ending.STALE, WITH_KEY): Again(0.25, ambiguous=True),
    (Ending.REFUSED, FREELY): Again(0.0, counts=False),
    (Ending.REFUSED, WITH_KEY): Again(0.0, new_key=True, counts=False),
    (Ending.REFUSED, NOT_ONCE_SENT): Again(0.0, counts=False),
    (Ending.NOTHING_DONE, FREELY): Again(0.25),
    (Ending.NOTHING_DONE, WITH_KEY): Again(0.25, new_key=True),
    (Ending.NOTHING_DONE, NOT_ONCE_SENT): Again(0.25),
    (Ending.THROTTLED_FAILURE, FREELY): Again(0.0, counts=False),
    (Ending.FAILED, FREELY): Again(0.25),
    (Ending.UNAVAILABLE, FREELY): Again(0.25),
    (Ending.UNAVAILABLE, WITH_KEY): Again(0.25, ambiguous=True),
    (Ending.AMBIGUOUS, FREELY): Again(0.25),
    (Ending.AMBIGUOUS, WITH_KEY): Again(0.25, ambiguous=True),
    (Ending.KEY_IN_FLIGHT, WITH_KEY): Again(0.375, counts=False, ambiguous=True),
    (Ending.NOT_READY, FREELY): Again(0.25),
}
"""What is repeated; all other cells are told."""


@pytest.mark.parametrize(("ending", "repeat"), [(ending, repeat) for ending in Ending for repeat in Repeat])
def test_each_cell_of_the_table(ending: Ending, repeat: Repeat) -> None:
    case = a_case(repeat, method="GET", has_body=False) if ending is Ending.STALE else a_case(repeat)
    held_s = 2.0 if ending in {Ending.REFUSED, Ending.THROTTLED_FAILURE} else None
    step = after(OF_ENDING[ending], case, held_s=held_s)
    expected = CELLS.get((ending, repeat))
    assert step == expected if expected else isinstance(step, Answer | Pass)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("outcome", [TIMED_OUT, UNAVAILABLE, an_error(Cause.PROVIDER_TIMEOUT, 504), an_error(Cause.UNKNOWN, 502, by_nylas=False)])
def test_a_repeated_change_says_that_an_earlier_attempt_may_have_succeeded(method: str, outcome: Outcome) -> None:
    assert after(outcome, a_case(method=method)) == Again(0.25, ambiguous=True)


# --- what forbids a repetition ---

REPEATED = [(OF_ENDING[ending], a_case(repeat)) for ending, repeat in CELLS if ending is not Ending.STALE]


@pytest.mark.parametrize(("outcome", "case"), [*REPEATED, (STALE, a_case())])
def test_nothing_is_repeated_for_a_caller_who_forbids_it(outcome: Outcome, case: Case) -> None:
    assert not is_told(outcome, case, held_s=1.0)
    assert is_told(outcome, replace(case, calm=True), held_s=1.0)


@pytest.mark.parametrize("change", [{"replayable": False}, {"signed": True}])
@pytest.mark.parametrize(("outcome", "case"), [*REPEATED, (STALE, a_case())])
def test_what_cannot_be_made_again_is_repeated_only_if_it_never_left(outcome: Outcome, case: Case, change: dict[str, Any]) -> None:
    assert is_told(outcome, replace(case, **change), held_s=1.0) is (outcome is not UNREACHABLE)


@pytest.mark.parametrize("outcome", [THROTTLED, OF_ENDING[Ending.NOTHING_DONE], IN_FLIGHT, TIMED_OUT])
def test_with_the_callers_own_key_a_refusal_is_told(outcome: Outcome) -> None:
    assert is_told(outcome, a_case(NOT_ONCE_SENT, callers_key=True), held_s=1.0)


def test_with_the_callers_own_key_a_send_that_never_left_is_repeated_under_it() -> None:
    assert after(UNREACHABLE, a_case(NOT_ONCE_SENT, callers_key=True)) == Again(0.25)


@pytest.mark.parametrize("repeat", Repeat)
@pytest.mark.parametrize(
    "outcome",
    [
        an_error(Cause.RATE_LIMIT_PROVIDER_QUOTA, 429, 3600.0),
        an_error(Cause.BLOCKED, 423),
        an_error(Cause.RATE_LIMIT_PROVIDER, 429, retryable=False),
        an_error(Cause.UNKNOWN, 503, retryable=False),
        TransportFailure(Cause.OVERLOADED, "busy", sent=False, stale=False),
        TransportFailure(Cause.REQUEST_MALFORMED, "broken", sent=False, stale=False),
    ],
)
def test_what_can_only_fail_again_is_told(outcome: Outcome, repeat: Repeat) -> None:
    assert is_told(outcome, repeat, held_s=1.0)


# --- how often ---


def test_there_are_so_many_attempts_as_the_policy_says() -> None:
    assert [is_told(TIMED_OUT, a_case(attempts=attempts)) for attempts in (1, 2, 3, 4)] == [False, False, True, True]
    assert is_told(TIMED_OUT, a_case(), RetryPolicy(max_attempts=1))


def test_repetitions_that_do_not_count_leave_the_others_their_number() -> None:
    assert not is_told(TIMED_OUT, a_case(attempts=7, uncounted=5))
    assert is_told(TIMED_OUT, a_case(attempts=7, uncounted=4))


@pytest.mark.parametrize("outcome", [UNREACHABLE, TIMED_OUT, UNAVAILABLE, NOT_READY, THROTTLED])
def test_a_repetition_needs_a_token_of_the_budget(outcome: Outcome) -> None:
    assert not is_told(outcome)
    assert is_told(outcome, budget_left=False)


@pytest.mark.parametrize(("outcome", "repeat", "held_s"), [(THROTTLED, FREELY, 1.0), (THROTTLED, WITH_KEY, 1.0), (IN_FLIGHT, WITH_KEY, None)])
def test_waiting_for_a_window_or_another_request_takes_no_token_and_no_attempt(outcome: Outcome, repeat: Repeat, held_s: float | None) -> None:
    assert not is_told(outcome, a_case(repeat, attempts=9), budget_left=False, held_s=held_s)


def test_a_throttled_request_that_no_window_holds_backs_off_and_counts() -> None:
    assert after(THROTTLED, a_case(WITH_KEY)) == Again(0.25, new_key=True)
    assert is_told(THROTTLED, a_case(attempts=3))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_stale_read_is_repeated_at_once_without_a_token_but_only_once(method: str) -> None:
    assert after(STALE, a_case(method=method), budget_left=False, time_left_s=0.0) == Again(0.0, counts=False)
    assert after(STALE, a_case(method=method, attempts=2, uncounted=1)) == Again(0.25)
    assert is_told(STALE, a_case(method=method, attempts=2), budget_left=False)


@pytest.mark.parametrize("case", [a_case(method="OPTIONS"), a_case(method="PUT"), a_case(has_body=True)])
def test_any_other_stale_request_is_repeated_as_one_without_an_answer(case: Case) -> None:
    step = after(STALE, case)
    assert isinstance(step, Again)
    assert (step.wait_s, step.counts) == (0.25, True)


# --- how long ---


def test_backoffs_double_with_the_attempts_that_count() -> None:
    policy = RetryPolicy(max_attempts=9)
    steps = [after(TIMED_OUT, a_case(attempts=attempts, uncounted=1), policy) for attempts in (2, 3, 4, 8)]
    assert steps == [Again(0.25), Again(0.5), Again(1.0), Again(10.0)]


def test_a_named_wait_is_a_floor_with_jitter_on_top() -> None:
    assert after(an_error(Cause.SERVER_ERROR, 503, 4.0)) == Again(4.2)
    assert after(an_error(Cause.SERVER_ERROR, 503, 0.1)) == Again(0.25)


def test_a_backoff_that_would_end_too_late_is_not_begun() -> None:
    assert not is_told(TIMED_OUT, time_left_s=0.25)
    assert is_told(TIMED_OUT, time_left_s=0.24)
    assert is_told(an_error(Cause.SERVER_ERROR, 503, 30.0), time_left_s=30.0)


@pytest.mark.parametrize("outcome", [THROTTLED, UNAVAILABLE])
def test_a_window_that_closes_too_late_is_not_waited_for(outcome: Outcome) -> None:
    assert not is_told(outcome, held_s=10.0, time_left_s=10.0)
    assert is_told(outcome, held_s=10.1, time_left_s=10.0)


def test_the_wait_for_another_request_grows_and_is_bounded() -> None:
    waited_s = 0.0
    waits: list[float] = []
    while isinstance(step := after(IN_FLIGHT, a_case(WITH_KEY, attempts=len(waits) + 1, uncounted=len(waits), waited_s=waited_s)), Again):
        waits.append(step.wait_s)
        waited_s += step.wait_s
    assert waits[:6] == sorted(waits[:6])
    assert 19 < waited_s <= POLICY.concurrent_max_s
    assert len(waits) < 15


def test_another_request_is_waited_for_as_long_as_nylas_says() -> None:
    assert after(an_error(Cause.IDEMPOTENCY_IN_FLIGHT, 409, 10.0), WITH_KEY) == Again(10.5, counts=False, ambiguous=True)
    assert is_told(an_error(Cause.IDEMPOTENCY_IN_FLIGHT, 409, 10.0), a_case(WITH_KEY, waited_s=10.0))


# --- keys and doubt ---


@pytest.mark.parametrize("outcome", [THROTTLED, OF_ENDING[Ending.NOTHING_DONE]])
def test_a_refusal_after_a_doubtful_attempt_renews_no_key(outcome: Outcome) -> None:
    step = after(outcome, a_case(WITH_KEY, in_doubt=True), held_s=1.0)
    assert isinstance(step, Again)
    assert (step.new_key, step.ambiguous) == (False, True)


@pytest.mark.parametrize(
    ("outcome", "case", "may_have_happened"),
    [
        (THROTTLED, a_case(WITH_KEY), False),
        (THROTTLED, a_case(WITH_KEY, in_doubt=True), True),
        (OF_ENDING[Ending.FAILED], a_case(NOT_ONCE_SENT), True),
        (OF_ENDING[Ending.FAILED], a_case(FREELY), False),
        (OF_ENDING[Ending.FAILED], a_case(method="DELETE"), True),
        (an_error(Cause.NOT_FOUND, 404, retryable=False), a_case(method="DELETE", in_doubt=True), True),
        (an_error(Cause.NOT_FOUND, 404, retryable=False), a_case(method="DELETE"), False),
        (an_error(Cause.VALIDATION, 400, retryable=False, replayed=True), a_case(WITH_KEY, in_doubt=True), False),
        (an_error(Cause.SERVER_ERROR, 503, replayed=True), a_case(WITH_KEY), True),
        (IN_FLIGHT, a_case(WITH_KEY), True),
        (IN_FLIGHT, a_case(NOT_ONCE_SENT, callers_key=True), False),
        (OF_ENDING[Ending.NOTHING_DONE], a_case(NOT_ONCE_SENT), False),
    ],
)
def test_the_caller_is_told_whether_it_may_have_happened(outcome: Outcome, case: Case, *, may_have_happened: bool) -> None:
    assert after(outcome, case, time_left_s=-1.0) == Pass(may_have_happened)


def test_a_send_that_never_left_again_is_told_with_the_doubt_of_the_attempt_before() -> None:
    for in_doubt, ending in ((True, MAY_HAVE), (False, "")):
        told = after(UNREACHABLE, a_case(WITH_KEY, attempts=3, in_doubt=in_doubt))
        assert isinstance(told, Answer)
        assert told.problem.message == "gone" + ending


# --- universal promises ---

OUTCOMES = st.one_of(
    st.builds(
        TransportFailure,
        st.sampled_from([Cause.UPSTREAM_UNREACHABLE, Cause.UPSTREAM_BROKE_OFF, Cause.UPSTREAM_MALFORMED, Cause.RESPONSE_TIMEOUT, Cause.OVERLOADED]),
        st.just("why"),
        st.booleans(),
        st.booleans(),
    ),
    st.builds(
        an_error,
        st.sampled_from(list(Cause)),
        st.sampled_from([202, 400, 403, 404, 408, 409, 423, 429, 500, 502, 503, 504]),
        st.one_of(st.none(), st.floats(0, 100)),
        retryable=st.booleans(),
        by_nylas=st.booleans(),
        replayed=st.booleans(),
    ),
)
CASES = st.builds(
    Case,
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE"]),
    st.sampled_from(list(Repeat)),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.integers(1, 5),
    st.integers(0, 0),
    st.floats(0, 25),
    st.booleans(),
)
ROLLS = st.floats(0, 1, exclude_max=True)


@given(
    outcome=OUTCOMES, case=CASES, roll=ROLLS, time_left_s=st.floats(-1, 30), held_s=st.one_of(st.none(), st.floats(0, 30)), budget_left=st.booleans()
)
def test_a_repetition_never_lands_past_the_time_that_is_left(
    outcome: Outcome, case: Case, roll: float, time_left_s: float, held_s: float | None, *, budget_left: bool
) -> None:
    step = after(outcome, case, roll=roll, time_left_s=time_left_s, held_s=held_s, budget_left=budget_left)
    if isinstance(step, Again):
        assert 0 <= step.wait_s <= time_left_s
        assert held_s is None or held_s <= time_left_s
        assert not step.counts or (budget_left and case.attempts < POLICY.max_attempts)


@given(OUTCOMES, CASES, ROLLS, ROLLS)
def test_a_wait_shrinks_with_the_roll(outcome: Outcome, case: Case, one: float, two: float) -> None:
    low, high = (after(outcome, case, roll=roll, time_left_s=1e6) for roll in sorted((one, two)))
    if isinstance(low, Again) and isinstance(high, Again):
        assert low.wait_s <= high.wait_s


# --- what is told where nothing is repeated ---


def soon(failure: TransportFailure, repeat: Repeat = Repeat.FREELY, method: str = "GET") -> Again | Answer | Pass:
    return after(failure, replace(a_case(repeat), method=method), RetryPolicy(max_attempts=1))


@pytest.mark.parametrize(
    ("cause", "status", "origin"),
    [
        (Cause.UPSTREAM_UNREACHABLE, 502, Origin.NETWORK),
        (Cause.UPSTREAM_BROKE_OFF, 502, Origin.NETWORK),
        (Cause.UPSTREAM_MALFORMED, 502, Origin.NETWORK),
        (Cause.RESPONSE_TIMEOUT, 504, Origin.NETWORK),
        (Cause.OVERLOADED, 503, Origin.PROXY),
        (Cause.REQUEST_MALFORMED, 400, Origin.PROXY),
    ],
)
def test_each_failure_has_its_status_and_its_culprit(cause: Cause, status: int, origin: Origin) -> None:
    answer = soon(TransportFailure(cause, "why", sent=False, stale=False))
    assert isinstance(answer, Answer)
    assert (answer.problem.status, answer.problem.cause, answer.problem.origin, answer.problem.message) == (status, cause, origin, "why")


def test_a_caller_whose_unsafe_request_has_left_is_told_that_it_may_have_happened() -> None:
    failure = TransportFailure(Cause.RESPONSE_TIMEOUT, "no answer", sent=True, stale=False)
    told = soon(failure, Repeat.NOT_ONCE_SENT, "POST")
    assert isinstance(told, Answer)
    assert "may have been carried out" in told.problem.message
    never_left = TransportFailure(Cause.RESPONSE_TIMEOUT, "no answer", sent=False, stale=False)
    for harmless in (soon(failure, method="POST"), soon(never_left, Repeat.NOT_ONCE_SENT, "POST")):
        assert isinstance(harmless, Answer)
        assert harmless.problem.message == "no answer"


@pytest.mark.parametrize(("known_by_key", "advice"), [(True, "repeat it with the same Idempotency-Key"), (False, "look before you repeat it")])
def test_what_nylas_knows_by_its_callers_key_is_told_to_be_repeated_with_it(advice: str, *, known_by_key: bool) -> None:
    case = a_case(NOT_ONCE_SENT, callers_key=True, known_by_key=known_by_key)
    told = after(TransportFailure(Cause.RESPONSE_TIMEOUT, "no answer", sent=True, stale=False), case)
    assert isinstance(told, Answer)
    assert told.problem.message == f"no answer; it may have been carried out all the same: {advice}"
    never_left = after(TransportFailure(Cause.RESPONSE_TIMEOUT, "no answer", sent=False, stale=False), case, RetryPolicy(max_attempts=1))
    assert isinstance(never_left, Answer)
    assert never_left.problem.message == "no answer"


def test_only_overload_names_a_time_to_come_back() -> None:
    overloaded = soon(TransportFailure(Cause.OVERLOADED, "busy", sent=False, stale=False))
    unreachable = soon(TransportFailure(Cause.UPSTREAM_UNREACHABLE, "gone", sent=False, stale=False))
    assert isinstance(overloaded, Answer)
    assert isinstance(unreachable, Answer)
    assert (overloaded.problem.retry_after_s, unreachable.problem.retry_after_s) == (1.0, None)


@pytest.mark.parametrize(
    ("method", "unsafe", "finished"),
    [
        ("POST", {"POST"}, True),
        ("POST", set(), False),
        ("DELETE", set(), True),
        ("PUT", set(), True),
        ("PATCH", {"PATCH"}, True),
        ("GET", set(), False),
        ("HEAD", set(), False),
    ],
)
def test_what_upstream_carries_out_anyway_is_finished_without_its_caller(method: str, unsafe: set[str], *, finished: bool) -> None:
    route = Route("r", Api.V3, frozenset(), "/v3/x", "all", dict.fromkeys(unsafe, "why not"))
    assert finishes_without_caller(RequestContext(method, b"/v3/x", route, None, "id")) is finished
