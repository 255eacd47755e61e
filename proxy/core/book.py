"""All that one ledger knows, in memory: what was charged against each limit, who holds a lease, which windows are open.

A request is admitted as a whole or not at all: every limit, cap and window is asked before anything is written, so that one that must wait spends
nobody's units. Times are whole microseconds of any clock; only durations are told.
"""

from __future__ import annotations

import itertools
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.core.coalescing_log import CoalescingLog
from proxy.core.window import Probe, Reopened, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.quota import Ask, Claim
    from proxy.core.window import Opening, ThrottleWindow

LEASE_US: Final = 30_000_000
"""A lease that nobody renews ends by itself: its holder has crashed."""


class HeldBy(StrEnum):
    """What holds a request."""

    LIMIT = "limit"
    IN_FLIGHT = "in_flight"
    WINDOW = "window"


class Receipt(NamedTuple):
    """What was charged, to be settled once the true cost is known.

    Attributes:
        key: The limit's.
        entry_id: The entry of its log.
        cost: The units booked.
        window_us: The limit's window.
    """

    key: str
    entry_id: int
    cost: int
    window_us: int


class Admitted(NamedTuple):
    """Go.

    Attributes:
        receipts: One for each claim, in their order.
        probes: The scopes that this request probes.
        reopened: The scopes that have reopened lately.
    """

    receipts: tuple[Receipt, ...]
    probes: tuple[Probe, ...] = ()
    reopened: tuple[Reopened, ...] = ()


class Held(NamedTuple):
    """Wait.

    Attributes:
        wait_us: How long at least, as things are now. For a lease or behind a probe: until it runs out by itself; mostly it is over sooner.
        by: What holds.
        key: The key of that limit, cap or scope.
        name: The limit's or cap's name; for a window the class of the answer that opened it.
        probing: The window is over but for the probe that is under way.
    """

    wait_us: int
    by: HeldBy
    key: str
    name: str
    probing: bool = False


class Book:
    """The whole state. `entry_id` is made up by the caller, unique and above 0."""

    def __init__(self) -> None:
        self.logs: dict[str, CoalescingLog] = {}
        self.leases: dict[str, dict[str, int]] = {}
        self.windows: dict[str, ThrottleWindow] = {}

    def admit(self, ask: Ask, now_us: int, entry_id: int) -> Admitted | Held:
        """Book all that `ask` claims, or nothing."""
        held = self._held(ask, now_us)
        if held is not None:
            return held
        for cap in ask.caps:
            self.leases.setdefault(cap.key, {})[ask.lease_id] = now_us + LEASE_US
        probes, reopened = [], []
        for scope in ask.scopes:
            window = self.windows.get(scope)
            if window is None:
                continue
            if window.reopened_at_us is not None:
                reopened.append(Reopened(scope, now_us - window.reopened_at_us, window.length_us))
            else:
                window.begin_probe(ask.lease_id)
                probes.append(Probe(scope, window.length_us))
        return Admitted(tuple(self._charge(claim, entry_id) for claim in ask.claims), tuple(probes), tuple(reopened))

    def _held(self, ask: Ask, now_us: int) -> Held | None:
        """Return what holds the longest."""
        longest: Held | None = None
        for reason in (*self._by_windows(ask, now_us), *self._by_caps(ask, now_us), *self._by_limits(ask, now_us)):
            if longest is None or reason.wait_us > longest.wait_us:
                longest = reason
        return longest

    def _by_windows(self, ask: Ask, now_us: int) -> Iterator[Held]:
        for scope in ask.scopes:
            window = self.windows.get(scope)
            if window is None:
                continue
            window.advance(now_us)
            if window.is_over():
                del self.windows[scope]
            elif wait_us := window.wait_us():
                yield Held(wait_us, HeldBy.WINDOW, scope, window.opening.cause, probing=now_us >= window.closes_at_us)

    def _by_caps(self, ask: Ask, now_us: int) -> Iterator[Held]:
        for cap in ask.caps:
            holders = self.leases.get(cap.key)
            if holders is None:
                continue
            for lease_id, until_us in list(holders.items()):
                if until_us <= now_us:
                    del holders[lease_id]
                elif until_us > now_us + LEASE_US:  # the clock has stepped back
                    holders[lease_id] = now_us + LEASE_US
            if len(holders) >= cap.count and ask.lease_id not in holders:
                # A late renewal may have made them more than the cap: all but `count - 1` must end.
                yield Held(sorted(holders.values())[-cap.count] - now_us, HeldBy.IN_FLIGHT, cap.key, cap.name)

    def _by_limits(self, ask: Ask, now_us: int) -> Iterator[Held]:
        costs: dict[str, int] = {}
        for claim in ask.claims:
            costs[claim.key] = costs.get(claim.key, 0) + claim.cost
        for claim in ask.claims:
            log = self._log(claim.key)
            log.advance(now_us, claim.window_us)
            if wait_us := log.wait_us(costs[claim.key], claim.count):
                yield Held(wait_us, HeldBy.LIMIT, claim.key, claim.name)

    def _charge(self, claim: Claim, entry_id: int) -> Receipt:
        booked_in = self._log(claim.key).charge(claim.cost, entry_id)
        return Receipt(claim.key, booked_in, claim.cost, claim.window_us)

    def _log(self, key: str) -> CoalescingLog:
        log = self.logs.get(key)
        if log is None:
            log = self.logs[key] = CoalescingLog()
        return log

    def settle(self, receipt: Receipt, cost: int, now_us: int, entry_id: int) -> None:
        """Correct an estimate, once: give back what was booked too much, book now what was too little, whether it fits or not."""
        log = self._log(receipt.key)
        log.advance(now_us, receipt.window_us)
        if cost < receipt.cost:
            log.give_back(receipt.entry_id, receipt.cost - cost)
        elif cost > receipt.cost:
            log.charge(cost - receipt.cost, entry_id)

    def move(self, receipt: Receipt, now_us: int, entry_id: int) -> Receipt:
        """Book a charge again, at the moment when its request really left; return the receipt that counts from now on."""
        log = self._log(receipt.key)
        log.advance(now_us, receipt.window_us)
        log.give_back(receipt.entry_id, receipt.cost)
        return receipt._replace(entry_id=log.charge(receipt.cost, entry_id))

    def renew(self, key: str, lease_id: str, now_us: int) -> None:
        """Keep a lease for longer, also one that had run out: its holder is alive."""
        self.leases.setdefault(key, {})[lease_id] = now_us + LEASE_US

    def release(self, key: str, lease_id: str) -> None:
        """Give a lease back; nothing where there is none."""
        holders = self.leases.get(key)
        if holders is not None:
            holders.pop(lease_id, None)
            if not holders:
                del self.leases[key]

    def open_window(self, scope: str, opening: Opening, now_us: int) -> int:
        """Take in a throttling answer; return for how long the scope is closed now."""
        window = self.windows.get(scope)
        if window is not None:
            window.advance(now_us)
        if window is None or window.is_over():
            window = self.windows[scope] = opened(opening, now_us)
        else:
            window.prolong(opening)
        return window.closes_at_us - now_us

    def end_probe(self, scope: str, lease_id: str, now_us: int, *, succeeded: bool) -> None:
        """Take in what a probe has brought: an answer that is no throttle, or none at all."""
        window = self.windows.get(scope)
        if window is not None:
            window.advance(now_us)
            window.end_probe(lease_id, succeeded=succeeded)

    def forecast_us(self, claim: Claim, units: int, now_us: int) -> int:
        """Return how long until the last of `units` that queue for a limit has its turn."""
        log = self._log(claim.key)
        log.advance(now_us, claim.window_us)
        return log.forecast_us(units, claim.count)

    def lets_pass(self, claim: Claim, before: int, within_us: int, now_us: int) -> bool:
        """Tell whether a claim fits now, and `before` units of the same limit would fit within `within_us` all the same."""
        log = self._log(claim.key)
        log.advance(now_us, claim.window_us)
        return log.lets_pass(claim.cost, before, within_us, claim.count)

    def sweep(self, now_us: int, at_most: int = 1000) -> None:
        """Forget what holds nothing back any more, so that mailboxes that come and go leave nothing behind; look at some logs at a time."""
        for key in list(itertools.islice(self.logs, at_most)):
            log = self.logs.pop(key)
            log.advance(now_us, log.window_us)
            if not log.is_empty():
                self.logs[key] = log  # at the end: the others' turn
        for scope, window in list(self.windows.items()):
            window.advance(now_us)
            if window.is_over() or window.is_forgotten():
                del self.windows[scope]
        for key in [key for key, holders in self.leases.items() if all(until_us <= now_us for until_us in holders.values())]:
            del self.leases[key]
