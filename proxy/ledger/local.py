"""The ledger of one process: the book, this machine's monotonic clock, and a journal for the windows."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from proxy.core.book import Book

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.book import Admitted, Held, Receipt
    from proxy.core.quota import Ask, Claim
    from proxy.core.window import Opening


def now_us() -> int:
    """Return this machine's clock that never steps back, in whole microseconds."""
    return time.monotonic_ns() // 1000


class LocalLedger:
    """Keeps the limits for the requests of this process.

    Args:
        now_us: A clock that never steps back, in whole microseconds.

    Attributes:
        book: What it knows.
        on_windows_changed: Told after each change that a restart must not forget.
    """

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.book = Book()
        self.on_windows_changed: Callable[[], None] = lambda: None
        self._now_us = now_us
        self._entry_ids = itertools.count(1)

    async def admit(self, ask: Ask) -> Admitted | Held:
        """Book all that is asked, or nothing."""
        return self.book.admit(ask, self._now_us(), next(self._entry_ids))

    def settle(self, receipt: Receipt, cost: int) -> None:
        """Correct an estimate, once."""
        self.book.settle(receipt, cost, self._now_us(), next(self._entry_ids))

    def move(self, receipt: Receipt) -> Receipt:
        """Book a charge again, now."""
        return self.book.move(receipt, self._now_us(), next(self._entry_ids))

    def renew(self, ask: Ask) -> None:
        """Keep the places in flight for longer."""
        for cap in ask.caps:
            self.book.renew(cap.key, ask.lease_id, self._now_us())

    def release(self, ask: Ask) -> None:
        """Give the places in flight back."""
        for cap in ask.caps:
            self.book.release(cap.key, ask.lease_id)

    def open_window(self, scope: str, opening: Opening, application: str = "") -> int:  # noqa: ARG002 - all keys stand together here
        """Take in a throttling answer; returns for how many microseconds the scope is closed now."""
        closed_us = self.book.open_window(scope, opening, self._now_us())
        self.on_windows_changed()
        return closed_us

    async def announced(self) -> None:
        """Nobody else is to know."""

    def end_probe(self, scope: str, lease_id: str, *, succeeded: bool) -> None:
        """Take in what a probe has brought."""
        self.book.end_probe(scope, lease_id, self._now_us(), succeeded=succeeded)
        self.on_windows_changed()

    def forecast_us(self, claim: Claim, units: int) -> int:
        """Return how long until the last of `units` that queue for a limit has its turn."""
        return self.book.forecast_us(claim, units, self._now_us())

    def lets_pass(self, claim: Claim, before: int, within_us: int) -> bool:
        """Tell whether a claim fits now, and `before` units of its limit would fit within `within_us` all the same."""
        return self.book.lets_pass(claim, before, within_us, self._now_us())

    def sweep(self) -> None:
        """Forget what holds nothing back any more."""
        self.book.sweep(self._now_us())
