"""What happens to a proxy, with sensible defaults: a test names only what matters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from proxy.core.events import (
    AttemptEnded,
    GmailSpent,
    HoldEnded,
    LedgerAnswered,
    LedgerChanged,
    Refused,
    Reloaded,
    RequestEnded,
    Retried,
    Throttled,
    WindowClosed,
    WindowOpened,
)
from proxy.core.model import Api, Cause, Origin, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.core.events import Event

MESSAGES = Route("messages", Api.V3, frozenset(), "", "messages", {})
EVENTS = Route("events", Api.V3, frozenset(), "", "calendar", {})


def a_request(**named: Any) -> RequestEnded:
    """A GET that was answered 200."""
    usual = RequestEnded(
        request_id="id-1", route=MESSAGES, method="GET", status=200, cause=None, origin=None, detail=None, advice=None, ended="complete",
        normalised=False, grant="a1b2", provider=None, attempts=1, duration_s=0.3, waited_s=0.0, would_hold_s=0.0, upstream_s=0.25, own_s=0.0004,
        sent_bytes=12, trace_id=None, traceparent=None, ended_at=0.0,
    )  # fmt: skip
    return usual._replace(**named)


def an_error(status: int = 429, cause: Cause = Cause.RATE_LIMIT_NYLAS, origin: Origin = Origin.NYLAS, **named: Any) -> RequestEnded:
    return a_request(status=status, cause=cause, origin=origin, **named)


def an_attempt(status: int = 200, **named: Any) -> AttemptEnded:
    return AttemptEnded(MESSAGES, status, None, 0.25)._replace(**named)


def a_repetition(**named: Any) -> Retried:
    return Retried(MESSAGES, Cause.SERVER_ERROR, 0.2, counts=True)._replace(**named)


def a_hold(**named: Any) -> HoldEnded:
    return HoldEnded("limit", "v3_messages", "grant", 0.4, enforced=True)._replace(**named)


def a_refusal(**named: Any) -> Refused:
    return Refused(MESSAGES, 429, Cause.RATE_LIMIT_NYLAS, "limit", "v3_messages", "grant", "a1b2", 1.25)._replace(**named)


def a_throttle(grant: str = "a1b2", **named: Any) -> Throttled:
    closed = Throttled(Cause.EXCHANGE_THROTTLE, Origin.PROVIDER, f"grant:{grant}", "grant", grant, 429, "default", 1200.0)
    return closed._replace(**named)


def one_of_each() -> list[Event]:
    """An event of every kind, and where it matters more than one."""
    return [
        an_error(normalised=True, ended="cut"), an_attempt(), an_attempt(0, failure="response_timeout"), a_repetition(), a_hold(),
        a_hold(enforced=False), a_refusal(), a_throttle(), WindowOpened("grant", "a1b2", "exchange_throttle", "default", 1200.0),
        WindowClosed("grant", "a1b2", "exchange_throttle", 1200.5), LedgerChanged("local-safe", "no answer"), LedgerAnswered(0.001),
        GmailSpent(5), Reloaded((), ("log.level",), ()), Reloaded(("log.level: no",), (), ()),
    ]  # fmt: skip


def tell(takers: Mapping[type[Any], Callable[[Any], None]], *happened: Event) -> None:
    """Tell one taker those events that it takes."""
    for event in happened:
        if type(event) in takers:
            takers[type(event)](event)


class Clock:
    """The monotonic clock, moved by hand."""

    def __init__(self, now_s: float = 0.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


class Line(NamedTuple):
    """A line of the log: its level, its name, its facts."""

    level: str
    name: str
    facts: dict[str, Any]


class LogBook:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def detail(self, name: str, **facts: object) -> None:
        self.lines.append(Line("debug", name, facts))

    def event(self, name: str, **facts: object) -> None:
        self.lines.append(Line("info", name, facts))

    def warning(self, name: str, **facts: object) -> None:
        self.lines.append(Line("warning", name, facts))

    def bug(self, error: BaseException, request_id: str) -> None:
        self.lines.append(Line("error", type(error).__name__, {"request_id": request_id}))

    def request(self, ended: RequestEnded) -> None:
        self.lines.append(Line("info", "request", {"request_id": ended.request_id}))
