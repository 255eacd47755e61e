from __future__ import annotations

import pytest

from proxy.core.decide import Again, Answer, TransportFailure, decide, finishes_without_caller
from proxy.core.model import Api, Cause, Origin, RequestContext, Route

STALE = TransportFailure(Cause.UPSTREAM_BROKE_OFF, "upstream closed the connection", sent=True, stale=True)


def after(failure: TransportFailure, *, method: str = "GET", has_body: bool = False, unsafe: bool = False, attempts: int = 1) -> Again | Answer:
    return decide(failure, method=method, has_body=has_body, unsafe=unsafe, attempts=attempts)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_bodiless_read_on_a_stale_connection_is_repeated_once(method: str) -> None:
    assert after(STALE, method=method) == Again()
    assert isinstance(after(STALE, method=method, attempts=2), Answer)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_no_other_method_is_repeated(method: str) -> None:
    assert isinstance(after(STALE, method=method), Answer)


def test_a_get_that_spends_something_is_not_repeated() -> None:
    assert isinstance(after(STALE, unsafe=True), Answer)


def test_a_read_with_a_body_is_not_repeated() -> None:
    assert isinstance(after(STALE, has_body=True), Answer)


@pytest.mark.parametrize("cause", [Cause.UPSTREAM_BROKE_OFF, Cause.RESPONSE_TIMEOUT, Cause.UPSTREAM_MALFORMED, Cause.UPSTREAM_UNREACHABLE])
def test_a_failure_on_a_connection_that_was_not_stale_is_told(cause: Cause) -> None:
    assert isinstance(after(TransportFailure(cause, "gone", sent=True, stale=False)), Answer)


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
    answer = after(TransportFailure(cause, "why", sent=False, stale=False))
    assert isinstance(answer, Answer)
    assert (answer.problem.status, answer.problem.cause, answer.problem.origin, answer.problem.message) == (status, cause, origin, "why")


def test_a_caller_whose_unsafe_request_has_left_is_told_that_it_may_have_happened() -> None:
    failure = TransportFailure(Cause.RESPONSE_TIMEOUT, "no answer", sent=True, stale=False)
    told = after(failure, method="POST", unsafe=True)
    assert isinstance(told, Answer)
    assert "may have been carried out" in told.problem.message
    never_left = TransportFailure(Cause.RESPONSE_TIMEOUT, "no answer", sent=False, stale=False)
    for harmless in (after(failure, method="POST", unsafe=False), after(never_left, unsafe=True)):
        assert isinstance(harmless, Answer)
        assert harmless.problem.message == "no answer"


def test_only_overload_names_a_time_to_come_back() -> None:
    overloaded = after(TransportFailure(Cause.OVERLOADED, "busy", sent=False, stale=False))
    unreachable = after(TransportFailure(Cause.UPSTREAM_UNREACHABLE, "gone", sent=False, stale=False))
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
