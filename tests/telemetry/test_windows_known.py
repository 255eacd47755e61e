"""Which windows are told of, once each: when they open, by whomever, and when they are over."""

from __future__ import annotations

from happened import Clock, a_throttle, tell

from proxy.core.book import Admitted, Book
from proxy.core.events import Event, WindowClosed, WindowOpened
from proxy.core.model import Cause
from proxy.core.quota import Ask
from proxy.core.window import FORGOTTEN_US, PROBE_MAX_US, Opening
from proxy.telemetry.windows_known import WindowsKnown, holds_back, is_open

SECOND_US = 1_000_000
ADA, SENDS = "grant:a1b2", "sends:a1b2"


class Watched:
    """A book, who watches its windows, and what that one has told."""

    def __init__(self) -> None:
        self.book, self.clock, self.told = Book(), Clock(10.0), list[Event]()
        self.windows = WindowsKnown(self.book, self.clock, self.told.append)

    @property
    def now_us(self) -> int:
        return round(self.clock.now_s * SECOND_US)

    def close(self, scope: str = ADA, seconds: int = 1200, *, probes: bool = True) -> float:
        opening = Opening(seconds * SECOND_US, 86400 * SECOND_US, 200, "exchange_throttle", probes)
        return self.book.open_window(scope, opening, self.now_us) / SECOND_US

    def throttle(self, scope: str = ADA, seconds: int = 1200, *, probes: bool = True) -> None:
        closed_s = self.close(scope, seconds, probes=probes)
        tell(self.windows.takers(), a_throttle(scope=scope, level=scope.partition(":")[0], closed_s=closed_s, source="retry_after"))

    def sweep_after(self, seconds: float) -> None:
        self.clock.now_s += seconds
        self.book.sweep(self.now_us)
        self.windows.sweep(0.0)

    def probe(self, *, succeeds: bool, scope: str = ADA) -> None:
        admitted = self.book.admit(Ask("app", (), (), (scope,), "lease"), self.now_us, 1)
        assert isinstance(admitted, Admitted)
        self.book.end_probe(scope, "lease", self.now_us, succeeded=succeeds)

    def new(self) -> list[Event]:
        told, self.told[:] = list(self.told), []
        return told


def test_a_throttle_opens_a_window_at_once() -> None:
    watched = Watched()
    watched.throttle()
    assert watched.new() == [WindowOpened("grant", "a1b2", "exchange_throttle", "retry_after", 1200.0)]
    watched.sweep_after(1.0)
    assert watched.new() == []


def test_a_throttle_that_closes_nothing_opens_none() -> None:
    watched = Watched()
    tell(watched.windows.takers(), a_throttle(scope="", level="-"))
    assert (watched.new(), watched.windows.known) == ([], {})


def test_a_second_throttle_of_an_open_window_opens_no_other_and_it_stays_known_since_the_first() -> None:
    watched = Watched()
    watched.throttle(seconds=100)
    watched.sweep_after(60.0)
    watched.throttle(seconds=300)
    assert len(watched.new()) == 1
    assert watched.windows.known[ADA].since == 10.0


def test_an_answer_that_makes_a_window_no_longer_says_nothing_about_it() -> None:
    watched = Watched()
    watched.throttle(seconds=300)
    watched.sweep_after(100.0)
    closed_s = watched.close(seconds=5)
    tell(watched.windows.takers(), a_throttle(scope=ADA, closed_s=closed_s, cause=Cause.RATE_LIMIT_NYLAS, source="default"))
    assert watched.windows.known[ADA][:2] == ("exchange_throttle", "retry_after")
    closed_s = watched.close(seconds=900)
    tell(watched.windows.takers(), a_throttle(scope=ADA, closed_s=closed_s, cause=Cause.RATE_LIMIT_NYLAS, source="default"))
    assert watched.windows.known[ADA][:3] == ("rate_limit_nylas", "default", 10.0)


def test_the_sends_of_a_grant_and_all_of_it_are_two_windows() -> None:
    watched = Watched()
    watched.throttle()
    watched.throttle(SENDS)
    assert [(event.level, event.grant) for event in watched.new() if isinstance(event, WindowOpened)] == [("grant", "a1b2"), ("sends", "a1b2")]


def test_what_another_process_closed_is_told_with_what_is_left_of_it() -> None:
    watched = Watched()
    watched.close(seconds=100)
    watched.sweep_after(40.0)
    assert watched.new() == [WindowOpened("grant", "a1b2", "exchange_throttle", "elsewhere", 60.0)]
    assert watched.windows.known[ADA][:3] == ("exchange_throttle", "elsewhere", 50.0)


def test_what_a_hand_closed_is_told_as_such() -> None:
    watched = Watched()
    closed_s = watched.close(seconds=60)
    watched.windows.closed_by_hand(ADA, Cause.CLOSED_BY_OPERATOR, closed_s)
    assert watched.new() == [WindowOpened("grant", "a1b2", "closed_by_operator", "operator", 60.0)]


def test_it_is_open_until_its_probe_has_succeeded() -> None:
    watched = Watched()
    watched.throttle(seconds=100)
    watched.sweep_after(200.0)
    watched.probe(succeeds=False)
    watched.sweep_after(1.0)
    assert [type(event) for event in watched.new()] == [WindowOpened]
    watched.probe(succeeds=True)
    watched.sweep_after(1.0)
    assert watched.new() == [WindowClosed("grant", "a1b2", "exchange_throttle", 202.0)]
    assert watched.windows.known == {}


def test_one_that_needs_no_probe_is_over_with_its_time() -> None:
    watched = Watched()
    watched.throttle(seconds=100, probes=False)
    watched.sweep_after(99.0)
    assert len(watched.new()) == 1
    watched.sweep_after(1.0)
    assert watched.new() == [WindowClosed("grant", "a1b2", "exchange_throttle", 100.0)]


def test_one_that_is_forgotten_is_over() -> None:
    watched = Watched()
    watched.throttle(seconds=1)
    watched.sweep_after(1.0 + FORGOTTEN_US / SECOND_US)
    assert isinstance(watched.new()[-1], WindowClosed)
    assert watched.windows.known == {}


def test_one_that_closes_again_is_told_again() -> None:
    watched = Watched()
    watched.throttle(seconds=10)
    watched.sweep_after(10.0)
    watched.probe(succeeds=True)
    watched.sweep_after(1.0)
    watched.throttle(seconds=10)
    watched.sweep_after(1.0)
    assert [type(event) for event in watched.new()] == [WindowOpened, WindowClosed, WindowOpened]


def test_what_reopened_elsewhere_before_it_was_heard_of_is_never_told() -> None:
    watched = Watched()
    watched.close(seconds=10)
    watched.clock.now_s += 10.0
    watched.probe(succeeds=True)
    watched.sweep_after(1.0)
    assert watched.new() == []
    assert not is_open(watched.book.windows[ADA])


def test_a_window_holds_back_while_it_is_closed_and_while_somebody_probes_but_not_while_it_waits_for_a_probe() -> None:
    watched = Watched()

    def holds() -> bool:
        return holds_back(watched.book.windows[ADA], watched.now_us)

    watched.close(seconds=10)
    assert holds()
    watched.clock.now_s += 10.0
    assert not holds()
    watched.book.admit(Ask("app", (), (), (ADA,), "lease"), watched.now_us, 1)
    assert holds()
    watched.clock.now_s += PROBE_MAX_US / SECOND_US
    assert not holds()
    watched.probe(succeeds=True)
    assert not holds()
    watched.close(seconds=60)
    assert holds()
