"""Everything that an operator may want to see of the proxy now, as one value."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy import __version__
from proxy.core.book import HeldBy
from proxy.core.model import Cause
from proxy.core.outcome import THROTTLES
from proxy.forecast import US_PER_S, is_known
from proxy.report import what_holds
from proxy.telemetry.status import Failing, Grant, Health, Refusal, Status, Traffic, Usage, Waiting, Window
from proxy.telemetry.windows_known import ELSEWHERE, is_open

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from proxy.admission import Admission
    from proxy.core.book import Held
    from proxy.core.events import Refused
    from proxy.core.model import CauseText
    from proxy.core.window import ThrottleWindow
    from proxy.ledger import Ledger
    from proxy.mailboxes import Mailboxes
    from proxy.telemetry.readings import Readings
    from proxy.telemetry.recent import Recent
    from proxy.telemetry.status import Setting
    from proxy.turnstile import Turnstile
    from proxy.waiter import Waiter

SHOWN_MAX: Final = 50
_HOLDING: Final = frozenset({"closed", "probing"})
LOOKED_AT_MAX: Final = 20_000
"""So many keys of limits are looked at: more would hold up requests."""


class Parts(NamedTuple):
    """What is looked at.

    Attributes:
        ledger: Who counts.
        now_us: Its clock.
        now_s: The loop's time.
        turnstile: Who waits.
        admission: Which limits there are.
        mailboxes: Whose provider is known.
        recent: What has happened lately.
        readings: Looks at the process.
        causes: What each cause means.
        settings: Those in force.
    """

    ledger: Ledger
    now_us: Callable[[], int]
    now_s: Callable[[], float]
    turnstile: Turnstile
    admission: Admission
    mailboxes: Mailboxes
    recent: Recent
    readings: Callable[[], Readings]
    causes: Mapping[Cause, CauseText]
    settings: Callable[[], list[Setting]]


class Overview:
    """Looks."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._started_at = time.monotonic()

    def status(self) -> Status:
        """Return how things are. Takes milliseconds, and more where thousands of requests wait."""
        parts = self._parts
        readings = parts.readings()
        waiters = [(waiter, parts.turnstile.held_by(waiter)) for waiter in parts.turnstile.waiters()]
        windows = list(self._windows(waiters))
        return Status(
            __version__,
            time.time(),
            time.monotonic() - self._started_at,
            self._health(readings),
            self._traffic(readings),
            sorted(_waiting(waiters, parts.now_s()), key=lambda one: -one.requests),
            readings.queue_bytes,
            sorted(windows, key=lambda one: -one.closes_in_s)[:SHOWN_MAX],
            len(windows),
            self._grants({window.grant for window in windows if window.state in _HOLDING}),
            self._usage(),
            [self._refusal(*one) for one in parts.recent.refusals.latest()],
            parts.settings(),
        )

    def _health(self, readings: Readings) -> Health:
        return Health(
            readings.state,
            readings.ledger_state,
            readings.ledger_since_s,
            readings.ledger_why,
            "enforce" if self._parts.admission.enforces else "observe",
            readings.loop_lag_s,
            readings.retry_budget,
            readings.memory_bytes,
            readings.open_files,
        )

    def _traffic(self, readings: Readings) -> Traffic:
        last = self._parts.recent.minute.last()
        failing = [
            Failing(cause, origin, per_s, self._parts.causes[cause].meaning, cause in THROTTLES) for cause, origin, per_s in last.failing()
        ]
        connections = readings.connections
        clients = sum(connections["client"].values())
        others = sum(sum(states.values()) for side, states in connections.items() if side != "client")
        return Traffic(
            last.per_s("requests"),
            last.per_s("errors"),
            last.per_s("attempts"),
            last.per_s("retries"),
            last.per_s("throttled"),
            last.per_s("refused"),
            last.own_s(0.5),
            last.own_s(0.99),
            last.upstream_s(0.5),
            last.upstream_s(0.99),
            last.history(),
            failing[:SHOWN_MAX],
            readings.in_flight,
            clients,
            others,
        )

    def _windows(self, waiters: Sequence[tuple[Waiter, Held | None]]) -> Iterator[Window]:
        held_by = Counter(held.key for _, held in waiters if held is not None and held.by is HeldBy.WINDOW)
        now_us, now_s = self._parts.now_us(), time.monotonic()
        known_of = self._parts.recent.windows.past | self._parts.recent.windows.known
        for scope, window in self._parts.ledger.book.windows.items():
            level, _, grant = scope.partition(":")
            known = known_of.get(scope)
            text = self._parts.causes.get(Cause(window.opening.cause))
            yield Window(
                level,
                grant,
                window.opening.cause,
                text.meaning if text is not None else "",
                text.solution if text is not None else "",
                _state(window, now_us),
                max(0.0, (window.closes_at_us - now_us) / US_PER_S) if is_open(window) else 0.0,
                window.length_us / US_PER_S,
                known.source if known is not None else ELSEWHERE,
                now_s - known.since if known is not None else 0.0,
                held_by[scope],
            )

    def _grants(self, closed: set[str]) -> list[Grant]:
        recent, now_s = self._parts.recent.grants, time.monotonic()
        per_min = dict(recent.heaviest(SHOWN_MAX))
        throttled = list(reversed(recent.throttled))[:SHOWN_MAX]
        found = []
        for grant in dict.fromkeys((*throttled, *per_min)):
            throttles = recent.throttled.get(grant)
            found.append(
                Grant(
                    grant,
                    self._parts.mailboxes.provider_of(grant) or "",
                    per_min.get(grant, 0.0),
                    throttles.times if throttles is not None else 0,
                    now_s - throttles.last_at if throttles is not None else None,
                    throttles.cause if throttles is not None else "",
                    grant in closed,
                )
            )
        return found

    def _usage(self) -> list[Usage]:
        """Return what is used of each limit by whoever uses most of it."""
        book, now_us = self._parts.ledger.book, self._parts.now_us()
        used: defaultdict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
        for key, log in islice(book.logs.items(), LOOKED_AT_MAX):
            name, family, of = key.split(":", 2)
            used[name, family].append((log.used_at(now_us), of))
        for key, holders in islice(book.leases.items(), LOOKED_AT_MAX):
            name, family, of = key.split(":", 2)
            used[name, family].append((sum(until_us > now_us for until_us in holders.values()), of))
        limits = {limit.name: limit for limit in self._parts.admission.rulebook.limits}
        found = []
        for (name, family), uses in used.items():
            limit, (most, of) = limits.get(name), max(uses)
            if limit is not None and most:
                unit, per_s = ("in_flight", 0.0) if limit.in_flight else (str(limit.unit), limit.per_s)
                others = sum(1 for units, _ in uses if units) - 1
                found.append(Usage(name, family, str(limit.level), unit, limit.allowed, per_s, most, of, others))
        return sorted(found, key=lambda one: -one.used / one.count)[:SHOWN_MAX]


    def _refusal(self, refused: Refused, times: int, last_at: float) -> Refusal:
        text = self._parts.causes[refused.cause]
        return Refusal(
            time.monotonic() - last_at,
            times,
            refused.status,
            refused.cause,
            refused.by,
            refused.name,
            refused.route.name,
            refused.grant,
            refused.wait_s,
            text.meaning,
            text.solution,
        )


def _state(window: ThrottleWindow, now_us: int) -> str:
    if not is_open(window):
        return "recovering"
    if now_us < window.closes_at_us:
        return "closed"
    return "probing" if window.probe_id and now_us < window.probe_until_us else "waiting"


def _waiting(waiters: Sequence[tuple[Waiter, Held | None]], now_s: float) -> Iterator[Waiting]:
    groups: defaultdict[tuple[str, str, str], list[Waiter]] = defaultdict(list)
    for waiter, held in waiters:
        groups[("turn", "-", "-") if held is None else what_holds(waiter.ask, held)].append(waiter)
    for (by, name, level), group in groups.items():
        known_s = [waiter.until - now_s for waiter in group if waiter.last_held is not None and is_known(waiter.last_held)]
        longest_s = now_s - min(waiter.began_at for waiter in group)
        grants = len({waiter.ask.subject for waiter in group})
        yield Waiting(by, name, level, len(group), grants, longest_s, max(0.0, min(known_s)) if known_s else None)
