"""What is known of a wait before it is over: how long it will be, whether it is too long, and whether somebody may go ahead meanwhile.

Where one stands first who costs a lot, units lie idle until there are enough for it. Whoever costs less may have them as long as the first goes no
later for it, as schedulers of computing clusters fill the gaps before a big job (EASY backfilling: Lifka 1995). In truth it may go a slot of the
limit's log later (a 32nd of the window), once: a limit's log is no finer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.core.book import Held, HeldBy
from proxy.core.coalescing_log import SLOTS
from proxy.core.model import Cause
from proxy.turned_away import TurnedAway

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.quota import Ask, Claim
    from proxy.ledger import Ledger
    from proxy.lines import Lines
    from proxy.metronome import Metronomes
    from proxy.waiter import Waiter

US_PER_S: Final = 1e6
UNKNOWN_WAIT_S: Final = 1.0
"""What is told of a wait that ends when somebody else is done: a place in flight, a probe."""


class _Gap(NamedTuple):
    """Room before somebody who waits for more: what would go into it, how many units must be left then, and by when."""

    claim: Claim
    before: int
    ends_at: float


class Forecast:
    """Looks ahead for those who wait.

    Args:
        ledger: Who counts.
        lines: Who waits.
        metronomes: What is paced.
        now_s: The loop's time.
    """

    def __init__(self, ledger: Ledger, lines: Lines, metronomes: Metronomes, now_s: Callable[[], float]) -> None:
        self._ledger = ledger
        self._lines = lines
        self._metronomes = metronomes
        self._now_s = now_s

    def wait_s(self, waiter: Waiter) -> float:
        """Return how long until the request has its turn, as far as known here: those before it go first, and lines that share a row take turns."""
        return max(self._pace_s(waiter), self._held_s(waiter))

    def _pace_s(self, waiter: Waiter) -> float:
        scopes = waiter.ask.scopes
        return self._metronomes.beats_in_s(scopes, self._lines.place_of(waiter) - 1) if self._metronomes.concern(scopes) else 0.0

    def _held_s(self, waiter: Waiter) -> float:
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

    def early_refusal(self, waiter: Waiter) -> TurnedAway | None:
        """Refuse one whose turn in its line would come too late."""
        held, now = self.held_by(waiter), self._now_s()
        if held is None:
            return None
        is_certain = is_known(held) or now >= waiter.deadline
        wait_s = max(self._pace_s(waiter), self._held_s(waiter) if is_certain else 0.0)
        return TurnedAway(wait_s, held, 0.0) if now + wait_s > waiter.deadline else None

    def refusal(self, waiter: Waiter) -> TurnedAway | None:
        """Refuse where the patience has ended, or would before the wait that the ledger named."""
        now, held = self._now_s(), waiter.held
        if held is not None and is_known(held) and waiter.until > waiter.deadline:
            return TurnedAway(max(waiter.until - now, self.wait_s(waiter)), held, 0.0)
        if now >= waiter.deadline:
            return TurnedAway(max(UNKNOWN_WAIT_S, self.wait_s(waiter)), self.held_by(waiter), 0.0)
        return None

    def is_unheard(self, waiter: Waiter) -> bool:
        """Tell whether its patience is over without the ledger having said anything that concerns it."""
        return self._now_s() >= waiter.deadline and self.held_by(waiter) is None

    def refusal_by_pace(self, waiter: Waiter) -> TurnedAway:
        """Refuse one whose beat would come too late, or whose scope has closed meanwhile."""
        interval_s = self._metronomes.interval_s(waiter.ask.scopes) or UNKNOWN_WAIT_S
        return TurnedAway(max(interval_s, self.wait_s(waiter)), self.held_by(waiter) or self._paced(waiter.ask, interval_s), 0.0)

    def held_by(self, waiter: Waiter) -> Held | None:
        """Return what holds a request or the head of its line, if only the pace after a window; None where the ledger has said nothing yet."""
        held = waiter.last_held or self._lines.head_of(waiter).last_held
        if held is None and self._metronomes.concern(waiter.ask.scopes):
            return self._paced(waiter.ask, self._metronomes.interval_s(waiter.ask.scopes))
        return held

    def _paced(self, ask: Ask, interval_s: float) -> Held:
        """Return that the pace after a window holds a request, under what had closed it."""
        scope = next((scope for scope in ask.scopes if self._metronomes.concern((scope,))), ask.scopes[0])
        window = self._ledger.book.windows.get(scope)
        cause = window.opening.cause if window is not None else Cause.RATE_LIMIT_AMBIGUOUS
        return Held(int(interval_s * US_PER_S), HeldBy.WINDOW, scope, cause)

    def note_first(self, first: Waiter) -> None:
        """Note by when one who is held must go, whoever goes ahead of it."""
        if first.held is not None and first.held.by is HeldBy.LIMIT and first.latest_at is None:
            claim = _claim_on(first, first.held.key)
            if claim is not None and claim.cost > 1:
                first.latest_at = first.until + claim.window_us / SLOTS / US_PER_S
                self._lines.commit(first)

    def may_pass(self, waiter: Waiter) -> bool:
        """Tell whether the head of a line may go before the first in its row."""
        gap = self._gap_for(waiter)
        return gap is not None and self._ledger.lets_pass(gap.claim, gap.before, int((gap.ends_at - self._now_s()) * US_PER_S))

    def look_again_at(self, waiter: Waiter) -> float:
        """Return when there may be room for one that may go before the first but for room; the end of its patience where nobody knows."""
        gap = self._gap_for(waiter)
        if gap is None:
            return waiter.deadline
        wait_s = self._ledger.forecast_us(gap.claim, gap.claim.cost) / US_PER_S
        look_at = self._now_s() + wait_s
        return look_at if wait_s and look_at < min(gap.ends_at, waiter.deadline) else waiter.deadline

    def _gap_for(self, waiter: Waiter) -> _Gap | None:
        """Return what the head of a line would have to fit into."""
        first = self._lines.first_held_by(waiter.row)
        if first is None or first is waiter or first.latest_at is None or self._lines.head_of(waiter) is not waiter:
            return None
        own, its = _claim_on(waiter, waiter.row), _claim_on(first, waiter.row)
        if own is None or its is None or own.cost >= its.cost:
            return None
        # Charges that moved since it was told may keep it for longer anyway.
        has_enough_at = self._now_s() + self._ledger.forecast_us(its, its.cost) / US_PER_S
        return _Gap(own, its.cost, max(first.latest_at, has_enough_at))


def is_known(held: Held) -> bool:
    """Tell whether it is known when that ends."""
    return held.by is HeldBy.LIMIT or (held.by is HeldBy.WINDOW and not held.probing)


def _claim_on(waiter: Waiter, key: str) -> Claim | None:
    return next((claim for claim in waiter.ask.claims if claim.key == key), None)
