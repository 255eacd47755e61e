"""What judges the ledger: every arrival by itself, and windows and leases as countdowns. Slow, plain, and nothing shared with what it judges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.core.quota import Ask

PROBE_US = 120_000_000
REMEMBERED_US = 60_000_000
LEASE_US = 30_000_000


class Clock:
    """What has passed since it was last looked at; nothing where the clock was set back."""

    def __init__(self) -> None:
        self._last_us: int | None = None

    def passed_us(self, clock_us: int) -> int:
        last_us, self._last_us = self._last_us, clock_us
        return 0 if last_us is None else max(0, clock_us - last_us)


@dataclass(eq=False)
class Arrival:
    """Some units of one admission; what was booked without being asked has none."""

    at_us: int
    units: int
    admission: int | None = None


@dataclass
class Tape:
    """The exact sliding log of one limit: every arrival is kept for ever, and nothing is kept but arrivals."""

    window_us: int
    arrivals: list[Arrival] = field(default_factory=list)
    at_us: int = 0
    clock: Clock = field(default_factory=Clock)

    def look(self, clock_us: int) -> None:
        self.at_us += self.clock.passed_us(clock_us)

    def book(self, units: int, admission: int | None = None, age_us: int = 0) -> Arrival:
        self.arrivals.append(Arrival(self.at_us - age_us, units, admission))
        return self.arrivals[-1]

    def used(self, in_us: int = 0) -> int:
        return sum(arrival.units for arrival in self.arrivals if self.at_us + in_us - arrival.at_us < self.window_us)

    def wait_us(self, cost: int, count: int) -> int:
        """Try every moment at which something expires."""
        moments = sorted({0, *(arrival.at_us + self.window_us - self.at_us for arrival in self.arrivals)})
        return next(moment for moment in moments if moment >= 0 and (not self.used(moment) or self.used(moment) + cost <= count))

    def last_turn_us(self, units: int, count: int) -> int:
        """Let a queue of `units` take what is free as soon as it is; return when it is empty."""
        future = Tape(self.window_us, [Arrival(arrival.at_us, arrival.units) for arrival in self.arrivals], self.at_us)
        while True:
            taken = max(0, min(units, count - future.used()))
            future.book(taken)
            units -= taken
            if not units:
                return future.at_us - self.at_us
            future.at_us = min(end for arrival in future.arrivals if (end := arrival.at_us + self.window_us) > future.at_us and arrival.units)

    def overfull(self, count: int) -> list[list[Arrival]]:
        """Return every window, wherever it starts, that holds more than `count` units of more than one admission."""
        windows = ([one for one in self.arrivals if one.units and 0 <= one.at_us - first.at_us < self.window_us] for first in self.arrivals)
        return [window for window in windows if sum(one.units for one in window) > count and len({one.admission for one in window}) > 1]


@dataclass
class PlainWindow:
    """One scope's throttle window, as countdowns: closed, then trying out (with or without somebody who probes), then reopened."""

    closed_for_us: int
    cap_us: int
    growth_percent: int
    cause: str
    probes: bool
    length_us: int = 0
    prober: str | None = None
    prober_has_us: int = 0
    reopened_for_us: int | None = None
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.length_us = self.closed_for_us

    def look(self, clock_us: int) -> None:
        passed_us = self.clock.passed_us(clock_us)
        self.closed_for_us = max(0, self.closed_for_us - passed_us)
        self.prober_has_us = max(0, self.prober_has_us - passed_us)
        if self.reopened_for_us is not None:
            self.reopened_for_us += passed_us

    def is_over(self) -> bool:
        return self.reopened_for_us >= REMEMBERED_US if self.reopened_for_us is not None else not (self.closed_for_us or self.probes)

    def wait_us(self) -> int:
        if self.reopened_for_us is not None:
            return 0
        return self.closed_for_us or (self.prober_has_us if self.prober else 0)

    def throttle(self, asked: PlainWindow) -> None:
        if self.closed_for_us and asked.closed_for_us <= self.closed_for_us:
            return
        grown_us = 0 if self.closed_for_us else min(asked.cap_us, self.length_us * asked.growth_percent // 100)
        length_us = max(asked.closed_for_us, grown_us)
        self.length_us = max(self.length_us, length_us)
        self.closed_for_us, self.prober, self.reopened_for_us = length_us, None, None
        self.cap_us, self.growth_percent, self.cause, self.probes = asked.cap_us, asked.growth_percent, asked.cause, asked.probes

    def answer(self, probe_id: str, *, succeeded: bool) -> None:
        if self.prober == probe_id:
            self.prober = None
            self.reopened_for_us = 0 if succeeded else None


@dataclass
class PlainLedger:
    """Limits, windows and leases for a clock that never steps back. `waits` tells everything that holds, by what it is and by key."""

    tapes: dict[str, Tape] = field(default_factory=dict)
    windows: dict[str, PlainWindow] = field(default_factory=dict)
    leases: list[tuple[str, str, int]] = field(default_factory=list)

    def waits(self, ask: Ask, now_us: int) -> dict[tuple[str, str], int]:
        waits = {("window", scope): window.wait_us() for scope in ask.scopes if (window := self.window(scope, now_us))}
        for cap in ask.caps:
            if ask.lease_id not in self.holders(cap.key, now_us):
                left_us = sorted(end_us - now_us for key, _, end_us in self.leases if key == cap.key and end_us > now_us)
                waits["in_flight", cap.key] = 0 if len(left_us) < cap.count else left_us[len(left_us) - cap.count]
        for claim in ask.claims:
            together = sum(other.cost for other in ask.claims if other.key == claim.key)
            waits["limit", claim.key] = self.tape(claim.key, claim.window_us, now_us).wait_us(together, claim.count)
        return {reason: wait_us for reason, wait_us in waits.items() if wait_us}

    def admit(self, ask: Ask, now_us: int, admission: int) -> tuple[list[Arrival], list[tuple[str, int]], list[tuple[str, int, int]]]:
        """Book it, whether it waits or not; return what was booked, the scopes that it probes, and those lately reopened, with their lengths."""
        for cap in ask.caps:
            self.renew(cap.key, ask.lease_id, now_us)
        windows = {scope: window for scope in ask.scopes if (window := self.window(scope, now_us))}
        probed = [(scope, window.length_us) for scope, window in windows.items() if window.reopened_for_us is None]
        for scope, _ in probed:
            windows[scope].prober, windows[scope].prober_has_us = ask.lease_id, PROBE_US
        reopened = [(scope, window.reopened_for_us, window.length_us) for scope, window in windows.items() if window.reopened_for_us is not None]
        return [self.tape(claim.key, claim.window_us, now_us).book(claim.cost, admission) for claim in ask.claims], probed, reopened

    def tape(self, key: str, window_us: int, now_us: int) -> Tape:
        tape = self.tapes.setdefault(key, Tape(window_us))
        tape.look(now_us)
        return tape

    def window(self, scope: str, now_us: int) -> PlainWindow | None:
        window = self.windows.get(scope)
        if window is not None:
            window.look(now_us)
        return None if window is None or window.is_over() else window

    def throttle(self, scope: str, asked: PlainWindow, now_us: int) -> int:
        window = self.window(scope, now_us)
        if window is None:
            window = self.windows[scope] = asked
            asked.look(now_us)
        else:
            window.throttle(asked)
        return window.closed_for_us

    def holders(self, key: str, now_us: int) -> set[str]:
        return {lease_id for held, lease_id, end_us in self.leases if held == key and end_us > now_us}

    def renew(self, key: str, lease_id: str, now_us: int) -> None:
        self.release(key, lease_id)
        self.leases.append((key, lease_id, now_us + LEASE_US))

    def release(self, key: str, lease_id: str) -> None:
        self.leases = [lease for lease in self.leases if lease[:2] != (key, lease_id)]
