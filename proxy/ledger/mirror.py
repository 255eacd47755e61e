"""What this process knows of a shared ledger, in memory: its own charges and leases, and every window that it has met.

It speaks for the server while that is away, and gives back what the server may have missed. Entry ids told to callers hold two numbers: the entry
here, and the server's, 0 where only this process has booked.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.core.book import Admitted, Book, Held, HeldBy, Receipt
from proxy.core.coalescing_log import CoalescingLog
from proxy.core.window import ThrottleWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from proxy.core.quota import Ask, Claim
    from proxy.core.window import Opening

ID_BITS: Final = 52
_SERVERS_ID: Final = (1 << ID_BITS) - 1


Unshared = dict[str, dict[int, int]]
"""Units that the server never heard of, by the limits' keys and the entries here."""


class Spent(NamedTuple):
    """What was spent about the same time.

    Attributes:
        age_us: How long ago.
        known: Units of which the server was told.
        unknown: Units that it never heard of.
    """

    age_us: int
    known: int
    unknown: int


class Missing(NamedTuple):
    """What a server that comes back may lack of one limit.

    Attributes:
        key: The limit's.
        window_us: Its window.
        entry_id: The last entry that the server told; 0 where it never did.
        spent: By this process within the window, the oldest first.
    """

    key: str
    window_us: int
    entry_id: int
    spent: tuple[Spent, ...]


def servers_part(receipt: Receipt) -> int:
    """Return the server's entry of a receipt; 0 where it has none."""
    return receipt.entry_id & _SERVERS_ID


class Mirror:
    """This process' part of a shared ledger.

    Args:
        now_us: A clock that never steps back, in whole microseconds.

    Attributes:
        book: What it knows.
        unshared: The charges that the server never heard of.
    """

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.book = Book()
        self.unshared: Unshared = {}
        self._now_us = now_us
        self._entry_ids = itertools.count(1)
        self._told: dict[str, int] = {}

    def admit_alone(self, ask: Ask) -> Admitted | Held:
        """Admit without the server."""
        result = self.book.admit(ask, self._now_us(), next(self._entry_ids))
        if isinstance(result, Held):
            return result
        for receipt in result.receipts:
            self._note_unshared(receipt.key, receipt.entry_id, receipt.cost)
        return result._replace(receipts=tuple(_joined(receipt, 0) for receipt in result.receipts))

    def admitted(self, ask: Ask, told: Admitted) -> Admitted:
        """Book what the server has admitted, whether it fits here or not."""
        now_us = self._now_us()
        for cap in ask.caps:
            self.book.renew(cap.key, ask.lease_id, now_us)
        probed, ages_us = {probe.scope for probe in told.probes}, {each.scope: each.age_us for each in told.reopened}
        for scope in ask.scopes:
            window = self.book.windows.get(scope)
            if window is None:
                continue
            window.advance(now_us)
            if scope in probed:
                window.begin_probe(ask.lease_id)
            elif scope in ages_us:
                window.reopened_at_us = now_us - ages_us[scope]
            else:
                del self.book.windows[scope]  # the server has forgotten it
        return told._replace(receipts=tuple(self._charged(receipt, now_us) for receipt in told.receipts))

    def _charged(self, receipt: Receipt, now_us: int) -> Receipt:
        self.told(receipt.key, receipt.entry_id)
        return _joined(self._booked(receipt, now_us), receipt.entry_id)

    def _booked(self, receipt: Receipt, now_us: int) -> Receipt:
        """Charge here, whether it fits or not."""
        return self.book.move(receipt._replace(entry_id=0), now_us, next(self._entry_ids))

    def closed(self, scopes: Iterable[str]) -> Held | None:
        """Return the window known here that is closed for the longest; None where none is. Who may probe is the server's business."""
        now_us, longest = self._now_us(), None
        for scope in scopes:
            window = self.book.windows.get(scope)
            if window is None:
                continue
            wait_us = _closed_us(window, now_us)
            if wait_us > (0 if longest is None else longest.wait_us):
                longest = Held(wait_us, HeldBy.WINDOW, scope, window.opening.cause)
        return longest

    def learn_window(self, scope: str, opening: Opening, wait_us: int) -> None:
        """Remember a window that the server told of; `opening` tells its whole length."""
        now_us = self._now_us()
        window = self.book.windows.get(scope)
        if window is None or now_us + wait_us > window.closes_at_us:
            self.book.windows[scope] = ThrottleWindow(opening, now_us, now_us + wait_us, opening.wait_us)

    def told(self, key: str, entry_id: int) -> None:
        """Remember the server's entry that holds the latest of this process' charges."""
        self._told[key] = entry_id

    def settle(self, receipt: Receipt, cost: int, *, is_alone: bool) -> None:
        """Correct an estimate here; `is_alone`: the server is not told of more that was used."""
        now_us, here = self._now_us(), _here(receipt)
        unshared = not servers_part(receipt)
        if cost > receipt.cost:
            more = self._booked(here._replace(cost=cost - receipt.cost), now_us)
            if unshared and is_alone:
                self._note_unshared(more.key, more.entry_id, more.cost)
            return
        self.book.settle(here, cost, now_us, 0)
        if unshared:
            self._note_unshared(here.key, here.entry_id, cost - receipt.cost)

    def move(self, receipt: Receipt, servers_id: int) -> Receipt:
        """Book a charge again here, now; `servers_id` is its new entry there, 0 where the server is not told."""
        here = _here(receipt)
        moved = self.book.move(here, self._now_us(), next(self._entry_ids))
        if not servers_part(receipt):
            self._note_unshared(here.key, here.entry_id, -here.cost)
        if not servers_id:
            self._note_unshared(moved.key, moved.entry_id, moved.cost)
        return _joined(moved, servers_id)

    def renew(self, key: str, lease_id: str) -> None:
        """Keep a place in flight for longer."""
        self.book.renew(key, lease_id, self._now_us())

    def open_window(self, scope: str, opening: Opening) -> int:
        """Take in a throttling answer; returns for how long the scope is closed now."""
        return self.book.open_window(scope, opening, self._now_us())

    def end_probe(self, scope: str, lease_id: str, *, succeeded: bool) -> None:
        """Take in what a probe has brought."""
        self.book.end_probe(scope, lease_id, self._now_us(), succeeded=succeeded)

    def forecast_us(self, claim: Claim, units: int) -> int:
        """Return how long until the last of `units` that queue for a limit has its turn."""
        return self.book.forecast_us(claim, units, self._now_us())

    def lets_pass(self, claim: Claim, before: int, within_us: int) -> bool:
        """Tell whether a claim fits now, and `before` units of its limit would fit within `within_us` all the same."""
        return self.book.lets_pass(claim, before, within_us, self._now_us())

    def keep_unshared(self, unshared: Unshared) -> None:
        """Take charges for unshared after all."""
        for key, units_of in unshared.items():
            for entry_id, units in units_of.items():
                self._note_unshared(key, entry_id, units)

    def missing(self, key: str, never: Mapping[int, int]) -> Missing:
        """Tell what a server that comes back may lack, where `never` is what it never heard of and is to be told; what came later is not."""
        log, later = self.book.logs.get(key) or CoalescingLog(), self.unshared.get(key, {})
        log.advance(self._now_us(), log.window_us)
        spent = []
        for _, age_us, cost, entry_id in log.entries():
            unknown = min(cost, never.get(entry_id, 0))
            spent.append(Spent(age_us, cost - unknown - later.get(entry_id, 0), unknown))
        return Missing(key, log.window_us, self._told.get(key, 0), tuple(spent))

    def closed_windows(self) -> Iterator[tuple[str, ThrottleWindow, int]]:
        """Tell the windows that are closed, and for how long still."""
        now_us = self._now_us()
        for scope, window in self.book.windows.items():
            window.advance(now_us)
            if wait_us := _closed_us(window, now_us):
                yield scope, window, wait_us

    def leases(self) -> Iterator[tuple[str, str]]:
        """Tell the cap and the holder of each lease that lasts."""
        now_us = self._now_us()
        for key, holders in self.book.leases.items():
            for lease_id, until_us in holders.items():
                if until_us > now_us:
                    yield key, lease_id

    def sweep(self) -> None:
        """Forget what holds nothing back any more."""
        self.book.sweep(self._now_us())
        logs = self.book.logs
        self._told = {key: entry_id for key, entry_id in self._told.items() if key in logs}
        self.unshared = {key: _that_lasts(logs[key], units_of) for key, units_of in self.unshared.items() if key in logs}

    def _note_unshared(self, key: str, entry_id: int, units: int) -> None:
        """Add units, or take some away."""
        units_of = self.unshared.setdefault(key, {})
        units_of[entry_id] = max(0, units_of.get(entry_id, 0) + units)


def _closed_us(window: ThrottleWindow, now_us: int) -> int:
    """For how long a window is closed still; 0 where it may be tried out, or has reopened."""
    return max(0, window.closes_at_us - now_us) if window.reopened_at_us is None else 0


def _that_lasts(log: CoalescingLog, units_of: Mapping[int, int]) -> dict[int, int]:
    return {entry_id: units for _, _, _, entry_id in log.entries() if (units := units_of.get(entry_id, 0))}


def _joined(here: Receipt, servers_id: int) -> Receipt:
    return here._replace(entry_id=here.entry_id << ID_BITS | servers_id)


def _here(receipt: Receipt) -> Receipt:
    return receipt._replace(entry_id=receipt.entry_id >> ID_BITS)
