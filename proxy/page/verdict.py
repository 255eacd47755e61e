"""Is anything wrong, and who is to blame: the sentences above everything else. They are made of a `Status` alone, for the page and for the terminal.

A throttled mailbox or a full limit is no trouble: that is what the proxy is there for. Trouble is what somebody has to see to.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from proxy.core.model import Cause
from proxy.page.figures import count, number, precise, share
from proxy.page.finding import Figure, Level, Since, Whom, said
from proxy.page.throttled import throttled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.page.finding import Finding, Part
    from proxy.telemetry.status import Failing, Health, Refusal, Status, Waiting

_FAILING_SHARE: Final = 0.05
"""Of the requests, from which on upstream's errors are trouble; a few fail always."""

_WRONG_SHARE: Final = 0.25
"""Of the requests, from which on what the application asks wrongly is worth a word; looking for what is not there is everyday work."""

_FAILING_MIN_COUNT: Final = 3
_TRAFFIC_S: Final = 60
_LATE_S: Final = 0.05
_VERY_LATE_S: Final = 0.25
_SLOW_S: Final = 0.01
_TELLING_REQUESTS: Final = 200
"""Of fewer, the slowest hundredth is one or two, which says nothing about the machine."""
_LONG_WAIT_S: Final = 2.0
_BUDGET_EMPTY: Final = 0.05

_OURS: Final = frozenset({Cause.PROXY_BUG, Cause.OVERLOADED, Cause.LEDGER_AWAY, Cause.SHUTTING_DOWN})
"""Told by findings of their own."""

_NYLAS_FAILS: Final = frozenset(
    {
        Cause.SERVER_ERROR,
        Cause.SERVER_ERROR_SAFE_TO_RETRY,
        Cause.TIMEOUT_NOT_SENT,
        Cause.UPSTREAM_UNAVAILABLE,
        Cause.UNKNOWN,
        Cause.INVALID_SUCCESS_BODY,
    },
)
_PROVIDER_FAILS: Final = frozenset({Cause.PROVIDER_ERROR, Cause.PROVIDER_TIMEOUT})

_RANK: Final = {Level.TROUBLE: 0, Level.NOTICE: 1, Level.WELL: 2}


def verdict(status: Status) -> Finding:
    """Say the one thing that matters most."""
    return findings(status)[0]


def findings(status: Status) -> list[Finding]:
    """Say all that is to be said, what matters most first; never nothing."""
    everything = chain(
        _draining(status),
        _own_failures(status),
        _failures(status),
        _ledger(status.health, _rate(status, Cause.LEDGER_AWAY)),
        _lateness(status),
        throttled(status),
        _refusals(status),
        _waiting(status),
        _budget(status),
    )
    return sorted(everything, key=lambda finding: _RANK[finding.level]) or [_well(status)]


def _draining(status: Status) -> Iterator[Finding]:
    if status.health.state == "draining":
        at_hand = Figure(count(status.traffic.in_flight, "request is", "requests are"))
        yield said(Level.TROUBLE, Whom.OPERATOR, "The proxy is shutting down: ", at_hand, " still at hand, new ones should go elsewhere.")


def _ledger(health: Health, refused_per_s: float) -> Iterator[Finding]:
    if health.ledger == "rejoining":
        yield said(Level.NOTICE, Whom.NOBODY, "Redis is back: for ", Since(health.ledger_since_s), " what it missed is being written to it.")
    elif health.ledger == "local-safe" or health.state == "degraded":
        why = f" ({health.ledger_why})" if health.ledger_why else ""
        meanwhile = "requests are refused, as redis.on_loss says." if refused_per_s else "this proxy keeps to its share of the limits."
        yield said(Level.TROUBLE, Whom.REDIS, "Redis has been away for ", Since(health.ledger_since_s), f"{why}: {meanwhile}")
    elif refused_per_s:
        rate = Figure(f"{number(refused_per_s)} requests/s")
        yield said(Level.NOTICE, Whom.REDIS, "Redis was away a moment ago: ", rate, " were refused meanwhile, as redis.on_loss says.")


def _own_failures(status: Status) -> Iterator[Finding]:
    if bugs := _rate(status, Cause.PROXY_BUG):
        how_often = Figure(f"{number(bugs)} requests/s")
        yield said(Level.TROUBLE, Whom.PROXY, "The proxy itself fails ", how_often, " (proxy_bug): please report it with a request id and the log.")
    if refused := _rate(status, Cause.OVERLOADED):
        how_often = Figure(f"{number(refused)} requests/s")
        yield said(Level.TROUBLE, Whom.PROXY, "The proxy has no room for ", how_often, " (overloaded): more connect or wait than it may hold.")


def _failures(status: Status) -> Iterator[Finding]:
    by_whom: dict[Whom, list[Failing]] = {}
    for failing in status.traffic.failing:
        if not failing.throttles and failing.cause not in _OURS:
            by_whom.setdefault(_accountable(failing), []).append(failing)
    for whom, kinds in by_whom.items():
        per_s = sum(failing.per_s for failing in kinds)
        part = min(1.0, per_s / max(status.traffic.requests_per_s, per_s))
        often = per_s * min(_TRAFFIC_S, max(1.0, status.uptime_s)) >= _FAILING_MIN_COUNT - 0.5
        if often and part >= (_WRONG_SHARE if whom is Whom.APPLICATION else _FAILING_SHARE):
            yield _failure(whom, Figure(share(part)), kinds)


def _failure(whom: Whom, part: Figure, kinds: list[Failing]) -> Finding:
    mostly = max(kinds, key=lambda failing: failing.per_s).cause
    causes = mostly if len(kinds) == 1 else f"mostly {mostly}"
    match whom:
        case Whom.NYLAS:
            parts: tuple[Part, ...] = ("Nylas answers ", part, f" of requests with errors: {causes}.")
        case Whom.PROVIDER:
            parts = ("Mail providers answer ", part, f" of requests with errors: {causes}.")
        case Whom.NETWORK:
            parts = (part, f" of requests fail on the way to Nylas: {causes}.")
        case _:
            parts = (part, f" of requests are refused for what they ask: {causes}.")
    return said(Level.NOTICE if whom is Whom.APPLICATION else Level.TROUBLE, whom, *parts)


def _accountable(failing: Failing) -> Whom:
    """Say who answers for an error: where Nylas or a provider does its work and says no, that is whoever asked."""
    if failing.origin == "network":
        return Whom.NETWORK
    if failing.cause in _NYLAS_FAILS:
        return Whom.NYLAS
    return Whom.PROVIDER if failing.cause in _PROVIDER_FAILS else Whom.APPLICATION


def _lateness(status: Status) -> Iterator[Finding]:
    lag_s, own_s = status.health.loop_lag_s, status.traffic.own_p99_s or 0.0
    if lag_s >= _LATE_S:
        level = Level.TROUBLE if lag_s >= _VERY_LATE_S else Level.NOTICE
        late = Figure(precise(lag_s))
        yield said(level, Whom.MACHINE, "The proxy was held up for ", late, " lately: the machine is short of CPU, or something blocks it.")
    elif own_s >= _SLOW_S and status.traffic.requests_per_s * min(status.uptime_s, _TRAFFIC_S) >= _TELLING_REQUESTS:
        slow = Figure(precise(own_s))
        yield said(Level.NOTICE, Whom.MACHINE, "The proxy's own work takes up to ", slow, " a request (p99): the machine is short of CPU.")


def _refusals(status: Status) -> Iterator[Finding]:
    if status.traffic.refused_per_s <= 0:
        return
    rate = Figure(f"{number(status.traffic.refused_per_s)} requests/s")
    what = f", lately for {_held_by(status.refusals[0])}" if status.refusals else ""
    yield said(Level.NOTICE, Whom.APPLICATION, "The proxy refuses ", rate, f"{what}: more is asked than can be waited for.")


def _held_by(held: Refusal | Waiting) -> str:
    match held.by:
        case "limit" | "in_flight":
            return f"the limit {held.name}"
        case "window":
            return f"a throttle window ({held.name})"
        case "room":
            return "want of room"
        case _:
            return "their turn"


def _waiting(status: Status) -> Iterator[Finding]:
    longest_s = max((line.longest_s for line in status.waiting), default=0.0)
    if longest_s >= _LONG_WAIT_S:
        waiting = Figure(count(sum(line.requests for line in status.waiting), "request waits", "requests wait"))
        most = f", most for {_held_by(status.waiting[0])}; the longest has waited for "
        yield said(Level.NOTICE, Whom.APPLICATION, waiting, most, Since(longest_s), ".")


def _budget(status: Status) -> Iterator[Finding]:
    if status.health.retry_budget < _BUDGET_EMPTY:
        failing = (_accountable(failing) for failing in status.traffic.failing if not failing.throttles)
        whom = next((whom for whom in failing if whom is not Whom.APPLICATION), Whom.NYLAS)
        yield said(Level.NOTICE, whom, "The retry budget is used up: errors are passed on without a repetition.")


def _well(status: Status) -> Finding:
    waiting = sum(line.requests for line in status.waiting)
    lately = Figure(f"{number(status.traffic.requests_per_s)} requests/s" if status.traffic.requests_per_s else "no requests lately")
    waits = Figure(f"{count(waiting, 'waits', 'wait')} for a moment" if waiting else "nothing waits")
    observes = "; limits are only observed (limits.mode)" if status.health.mode == "observe" else ""
    return said(Level.WELL, Whom.NOBODY, "All is well: ", lately, ", ", waits, f"{observes}.")


def _rate(status: Status, cause: Cause) -> float:
    return sum(failing.per_s for failing in status.traffic.failing if failing.cause == cause)
