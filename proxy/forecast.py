"""What is known of a wait before it is over: how long it will be, and whether somebody may go ahead meanwhile.

Where one stands first who costs a lot, units lie idle until there are enough for it. Whoever costs less may have them as long as the first goes no
later for it, as schedulers of computing clusters fill the gaps before a big job (EASY backfilling: Lifka 1995). In truth it may go a slot of the
limit's log later (a 32nd of the window), once: a limit's log is no finer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.core.book import HeldBy
from proxy.core.coalescing_log import SLOTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.book import Held
    from proxy.core.quota import Claim
    from proxy.ledger import Ledger
    from proxy.lines import Lines
    from proxy.waiter import Waiter

US_PER_S: Final = 1e6
UNKNOWN_WAIT_S: Final = 1.0
"""What is told of a wait that ends when somebody else is done: a place in flight, a probe."""


class Forecast:
    """Looks ahead for those who wait.

    Args:
        ledger: Who counts.
        lines: Who waits.
        now_s: The loop's time.
    """

    def __init__(self, ledger: Ledger, lines: Lines, now_s: Callable[[], float]) -> None:
        self._ledger = ledger
        self._lines = lines
        self._now_s = now_s

    def wait_s(self, waiter: Waiter) -> float:
        """Return how long until the request has its turn, as far as known here: those before it go first, and lines that share a row take turns."""
        told = waiter if waiter.last_held is not None else self._lines.head_of(waiter)
        held = told.last_held
        if held is None:
            return 0.0
        if not is_known(held):
            return UNKNOWN_WAIT_S
        known_s = max(0.0, told.until - self._now_s())
        claim = _claim_on(waiter, held.key)
        if held.by is not HeldBy.LIMIT or claim is None:
            return known_s
        return max(known_s, self._ledger.forecast_us(claim, self._lines.units_before(waiter, claim.key)) / US_PER_S)

    def note_first(self, first: Waiter) -> None:
        """Note by when one who is held must go, whoever goes ahead of it."""
        if first.held is not None and first.held.by is HeldBy.LIMIT and first.latest_at is None:
            claim = _claim_on(first, first.held.key)
            if claim is not None and claim.cost > 1:
                first.latest_at = first.until + claim.window_us / SLOTS / US_PER_S
                self._lines.commit(first)

    def may_pass(self, waiter: Waiter) -> bool:
        """Tell whether the head of a line may go before the first in its row."""
        first = self._lines.first_held_by(waiter.row)
        if first is None or first is waiter or first.latest_at is None or self._lines.head_of(waiter) is not waiter:
            return False
        own, its = _claim_on(waiter, waiter.row), _claim_on(first, waiter.row)
        within_us = int((first.latest_at - self._now_s()) * US_PER_S)
        return own is not None and its is not None and own.cost < its.cost and self._ledger.lets_pass(own, its.cost, within_us)

    def passer(self, key: str) -> Waiter | None:
        """Return who may go ahead of the first whom `key` holds."""
        first = self._lines.first_held_by(key)
        if first is None or first.latest_at is None:
            return None
        return next((waiter for waiter in self._lines.next_held_by(key) if self.may_pass(waiter)), None)


def is_known(held: Held) -> bool:
    """Tell whether it is known when that ends."""
    return held.by is HeldBy.LIMIT or (held.by is HeldBy.WINDOW and not held.probing)


def _claim_on(waiter: Waiter, key: str) -> Claim | None:
    return next((claim for claim in waiter.ask.claims if claim.key == key), None)
