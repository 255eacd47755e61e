"""What is recorded of a request when it is over: under which id, how it ended, and how much of its time was the proxy's own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest
from builders import OUR_ID, a_context
from pipeline.asks import an_ask

from proxy.core.events import Step
from proxy.core.model import Cause, Origin
from proxy.errand import Errand
from proxy.record import LEFT, Ending, request_ended
from proxy.wire.body import Body
from proxy.wire.exchange import Exchange
from proxy.wire.framing import NO_BODY
from proxy.wire.head import RequestHead

if TYPE_CHECKING:
    from proxy.core.events import RequestEnded

READ = b"/v3/grants/ada/messages/m1"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Client:
    """A connection that takes everything."""

    def write(self, data: bytes) -> None: ...

    def exchange_finished(self, exchange: Exchange) -> None: ...

    def reset(self) -> None: ...

    def wants_close(self) -> bool:
        return False

    def hold_body(self) -> None: ...

    def release_body(self) -> None: ...


def an_exchange(*, started_at: float = 100.0, answered_at: float = 0.0, **fields: str) -> Exchange:
    """A request that came at 100 s."""
    named = [(name.encode(), name.encode(), value.encode()) for name, value in fields.items()]
    head = RequestHead(b"GET", READ, is_http_10=False, fields=named)
    head.framing = NO_BODY
    exchange = Exchange(Client(), head, None, started_at)
    exchange.answered_at = answered_at
    return exchange


def an_errand(exchange: Exchange, **spent: Any) -> Errand:
    assert exchange.head is not None
    errand = Errand(a_context(READ), exchange.head, Body(Client()), lambda _head: None)
    for name, value in spent.items():
        setattr(errand, name, value)
    return errand


def recorded(exchange: Exchange | None = None, ending: Ending | None = None, *, now_s: float = 110.0, **spent: Any) -> RequestEnded:
    """The record of a request that went its way, made at 110 s."""
    exchange = exchange or an_exchange()
    errand = an_errand(exchange, **spent)
    with patch.object(time, "monotonic", lambda: now_s):
        return request_ended(exchange, errand.context, errand, ending or Ending(200))


def recorded_early(exchange: Exchange, ending: Ending, *, understood: bool = True, now_s: float = 110.0) -> RequestEnded:
    """The record of one that was answered at once, and perhaps not even understood."""
    with patch.object(time, "monotonic", lambda: now_s):
        return request_ended(exchange, a_context(READ) if understood else None, None, ending)


def test_the_proxy_s_own_time_is_what_is_neither_waiting_nor_upstream_nor_the_caller() -> None:
    record = recorded(an_exchange(answered_at=109.0), waited_s=2.0, upstream_s=5.0, client_s=1.5)
    assert (record.own_s, record.waited_s, record.upstream_s, record.duration_s, record.ended_at) == (0.5, 2.0, 5.0, 10.0, 110.0)


def test_the_time_that_the_answer_s_body_takes_is_nobody_s() -> None:
    assert recorded(an_exchange(answered_at=100.5), now_s=160.0).own_s == 0.5
    assert recorded(an_exchange(answered_at=100.5), now_s=160.0).duration_s == 60.0


def test_where_no_answer_began_none_of_it_is_the_proxy_s() -> None:
    assert recorded(an_exchange(), LEFT, waited_s=2.0).own_s == 0.0
    assert recorded_early(an_exchange(), LEFT).own_s == 0.0


def test_clocks_that_differ_make_no_time_below_0() -> None:
    assert recorded(an_exchange(answered_at=109.0), waited_s=4.0, upstream_s=5.001).own_s == 0.0


def test_what_is_answered_without_upstream_is_all_the_proxy_s_own() -> None:
    record = recorded_early(an_exchange(answered_at=100.25), Ending(400))
    assert (record.own_s, record.upstream_s, record.waited_s, record.attempts, record.grant) == (0.25, 0.0, 0.0, 0, "")


def test_what_was_not_understood_has_neither_route_nor_method() -> None:
    exchange = Exchange(Client(), None, None, 100.0)
    record = recorded_early(exchange, Ending(400, (Origin.PROXY, Cause.REQUEST_MALFORMED), b"own-7", "it is broken"), understood=False)
    assert (record.route, record.method, record.request_id, record.trace_id) == (None, "-", "own-7", None)
    assert (record.status, record.cause, record.origin, record.detail) == (400, Cause.REQUEST_MALFORMED, Origin.PROXY, "it is broken")


def test_a_request_without_an_error_is_nobody_s_fault() -> None:
    record = recorded(ending=Ending(204))
    assert (record.status, record.cause, record.origin, record.detail, record.normalised) == (204, None, None, None, False)


def test_an_error_is_recorded_with_its_cause_and_whose_fault_it_is() -> None:
    record = recorded(ending=Ending(502, (Origin.NETWORK, Cause.UPSTREAM_BROKE_OFF), b"", "it broke off", normalised=True))
    assert (record.origin, record.cause, record.detail, record.normalised) == (Origin.NETWORK, Cause.UPSTREAM_BROKE_OFF, "it broke off", True)


@pytest.mark.parametrize(("told", "known_as"), [(b"of-upstream", "of-upstream"), (b"", OUR_ID), (b"\xe9", "\xe9")])
def test_it_is_known_by_the_id_that_its_caller_was_told_else_by_our_own(told: bytes, known_as: str) -> None:
    assert recorded(ending=Ending(200, request_id=told)).request_id == known_as


@pytest.mark.parametrize(
    ("gone", "cut", "ended"), [(False, False, "complete"), (False, True, "cut"), (True, False, "caller_left"), (True, True, "caller_left")]
)
def test_how_it_ended(gone: bool, cut: bool, ended: str) -> None:
    exchange = an_exchange()
    exchange.gone, exchange.cut = gone, cut
    assert (recorded(exchange).ended, recorded_early(exchange, LEFT).ended) == (ended, ended)


def test_a_caller_who_leaves_before_the_answer_is_recorded_as_such() -> None:
    exchange = an_exchange()
    exchange.client_left()
    assert (recorded(exchange, LEFT).ended, recorded(exchange, LEFT).status) == ("caller_left", 0)


def test_whose_request_it_was_is_a_hash_and_nothing_where_that_was_not_clear() -> None:
    record = recorded(ask=an_ask()._replace(subject="a1b2"), provider="google", attempts=2, advice="list_limit: x", would_hold_s=1.5)
    assert (record.grant, record.provider, record.attempts, record.advice, record.would_hold_s) == ("a1b2", "google", 2, "list_limit: x", 1.5)
    assert (recorded().grant, recorded().provider, recorded().advice) == ("", None, None)


def test_its_steps_are_those_that_were_kept() -> None:
    steps = [Step("attempt", 1.0, 2.0, "200")]
    assert (recorded(steps=steps).steps, recorded(steps=None).steps, recorded_early(an_exchange(), LEFT).steps) == (tuple(steps), (), ())


@pytest.mark.parametrize("flags", ["00", "01", "ff"])
def test_the_trace_of_the_caller_is_recorded(flags: str) -> None:
    whole = f"00-{TRACE}-{PARENT}-{flags}"
    for record in (recorded(an_exchange(traceparent=whole)), recorded_early(an_exchange(traceparent=whole), Ending(400))):
        assert (record.trace_id, record.traceparent) == (TRACE, whole)


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        "Bearer s3cret",
        TRACE,
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE}0-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}",
        f"0-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01\n",
        f" 00-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01, 00-{TRACE}-{PARENT}-01",
        f"00-{'g' * 32}-{PARENT}-01",
    ],
)
def test_what_is_no_trace_is_not_recorded(traceparent: str) -> None:
    record = recorded(an_exchange(traceparent=traceparent))
    assert (record.trace_id, record.traceparent) == (None, None)


def test_without_one_there_is_none() -> None:
    assert (recorded().trace_id, recorded().traceparent) == (None, None)


@pytest.mark.parametrize("wrong", [f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01", f"ff-{TRACE}-{PARENT}-01"])
def test_what_the_standard_calls_invalid_is_no_trace(wrong: str) -> None:
    assert (recorded(an_exchange(traceparent=wrong)).trace_id, recorded(an_exchange(traceparent=wrong)).traceparent) == (None, None)
