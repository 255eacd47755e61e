"""What the log says of events: each window, each change of who counts, and of refusals no more than a line every ten seconds and kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from happened import Clock, LogBook, a_refusal, a_repetition, a_request, one_of_each, tell

from proxy.core.events import LedgerChanged, Reloaded, WindowClosed, WindowOpened
from proxy.core.model import Cause
from proxy.telemetry.event_lines import BURST_S, EventLines

if TYPE_CHECKING:
    from happened import Line

    from proxy.core.events import Event
    from proxy.telemetry.logs import Log


class Lines:
    """What is written, and when."""

    def __init__(self, *happened: Event) -> None:
        self.clock, self.book = Clock(50.0), LogBook()
        self._lines = EventLines(cast("Log", self.book), self.clock)
        self.tell(*happened)

    def tell(self, *happened: Event) -> None:
        tell(self._lines.takers(), *happened)

    def at_the_end(self) -> list[Line]:
        """Return what the end has added."""
        before = len(self.book.lines)
        self._lines.finish()
        return self.book.lines[before:]

    def after(self, seconds: float) -> list[Line]:
        """Return what a sweep so much later has added."""
        before = len(self.book.lines)
        self.clock.now_s += seconds
        self._lines.sweep(self.clock.now_s)
        return self.book.lines[before:]


def only_line(*happened: Event) -> Line:
    lines = Lines(*happened).book.lines
    assert len(lines) == 1
    return lines[0]


def times(lines: list[Line]) -> list[int]:
    return [line.facts["times"] for line in lines]


def test_a_request_is_one_line() -> None:
    assert only_line(a_request(request_id="r")) == ("info", "request", {"request_id": "r"})


def test_a_window_that_opens_is_a_warning_with_whose_it_is_for_how_long_and_who_said_so() -> None:
    facts = {"scope": "sends", "grant": "a1b2", "cause": "exchange_throttle", "source": "default", "closed_s": 1200.123}
    assert only_line(WindowOpened("sends", "a1b2", "exchange_throttle", "default", 1200.1234)) == ("warning", "window.opened", facts)


def test_a_window_that_is_over_tells_how_long_it_was() -> None:
    facts = {"scope": "grant", "grant": "a1b2", "cause": "exchange_throttle", "lasted_s": 12.346}
    assert only_line(WindowClosed("grant", "a1b2", "exchange_throttle", 12.34567)) == ("info", "window.closed", facts)


def test_who_counts_now_is_a_warning_with_the_reason() -> None:
    assert only_line(LedgerChanged("local-safe", "no answer")) == ("warning", "ledger.state", {"state": "local-safe", "why": "no answer"})


def test_settings_that_were_read_again_tell_what_is_in_force_and_what_waits() -> None:
    facts = {"applied": ["log.level"], "at_restart": ["listen.port"]}
    assert only_line(Reloaded((), ("log.level",), ("listen.port",))) == ("info", "settings.reloaded", facts)


def test_settings_that_were_refused_are_one_warning_with_every_mistake() -> None:
    assert only_line(Reloaded(("a: no", "b: no"), (), ())) == ("warning", "settings.refused", {"mistakes": ["a: no", "b: no"]})


def test_a_repetition_is_only_for_who_looks_for_it() -> None:
    facts = {"route": "messages", "cause": "server_error", "wait_s": 0.123, "counts": True}
    assert only_line(a_repetition(wait_s=0.1234)) == ("debug", "request.retried", facts)


def test_a_refusal_is_told_at_once_with_all_that_led_to_it() -> None:
    assert only_line(a_refusal(wait_s=1.23456)) == (
        "warning",
        "requests.refused",
        {
            "times": 1, "cause": "rate_limit_nylas", "by": "limit", "limit": "v3_messages", "scope": "grant", "route": "messages", "grant": "a1b2",
            "wait_s": 1.235,
        },
    )  # fmt: skip


def test_a_burst_is_one_line_at_once_and_one_with_a_count_every_ten_seconds() -> None:
    lines = Lines(*[a_refusal()] * 1000)
    assert times(lines.book.lines) == [1]
    assert lines.after(BURST_S - 1.0) == []
    lines.tell(a_refusal(grant="last"))
    told = lines.after(1.0)
    assert (times(told), told[0].facts["grant"]) == ([1000], "last")
    lines.tell(a_refusal(), a_refusal())
    assert lines.after(BURST_S - 0.5) == []
    assert times(lines.after(0.5)) == [2]


def test_what_is_told_adds_up_to_what_was_refused() -> None:
    lines, refused = Lines(), 0
    for second in range(100):
        number = (second * 7) % 5 if second < 60 or second > 80 else 0
        lines.tell(*[a_refusal()] * number)
        lines.after(1.0)
        refused += number
    lines.after(BURST_S)
    assert sum(times(lines.book.lines)) == refused
    assert len(lines.book.lines) <= 100 / BURST_S + 2


def test_a_burst_that_is_over_is_forgotten_and_the_next_one_is_told_at_once() -> None:
    lines = Lines(a_refusal())
    assert lines.after(BURST_S) == []
    lines.tell(a_refusal())
    assert times(lines.book.lines) == [1, 1]


def test_at_the_end_it_is_told_what_bursts_have_added() -> None:
    lines = Lines(*[a_refusal()] * 4, a_refusal(by="window"))
    lines.after(1.0)
    assert times(lines.at_the_end()) == [3]
    assert lines.at_the_end() == []


@pytest.mark.parametrize("other", [{"by": "window"}, {"name": "v3_calendar"}, {"level": "application"}])
def test_bursts_of_different_kinds_do_not_hide_each_other(other: dict[str, Any]) -> None:
    lines = Lines(*[a_refusal(), a_refusal(**other)] * 3)
    assert times(lines.book.lines) == [1, 1]
    assert times(lines.after(BURST_S)) == [2, 2]


def test_a_burst_through_a_thousand_grants_is_one_burst() -> None:
    lines = Lines(*(a_refusal(grant=f"g{number}", cause=Cause.RATE_LIMIT_NYLAS) for number in range(1000)))
    assert times([*lines.book.lines, *lines.after(BURST_S)]) == [1, 999]


def test_every_line_holds_plain_facts_alone() -> None:
    for line in Lines(*one_of_each()).book.lines:
        assert all(isinstance(fact, str | int | float | list) for fact in line.facts.values()), line
