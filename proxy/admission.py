"""A request before the ledger: who asks, what it counts against, whether it goes, and what came of it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from proxy.asking import Asking
from proxy.core.book import Admitted
from proxy.core.events import GmailSpent
from proxy.core.model import Cause, Problem
from proxy.core.outcome import THROTTLES
from proxy.core.quota import Level, Unit
from proxy.core.recovery import SPACING
from proxy.entrance import Entered
from proxy.forecast import US_PER_S
from proxy.ledger import LedgerAwayError
from proxy.report import hold_ended, refused, refused_unasked, throttled
from proxy.turned_away import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.asking import Rules
    from proxy.core.book import Receipt
    from proxy.core.events import Event
    from proxy.core.model import Verdict
    from proxy.core.quota import Ask, Claim
    from proxy.errand import Errand
    from proxy.ledger import Ledger
    from proxy.mailboxes import Mailboxes
    from proxy.turned_away import TurnedAway
    from proxy.turnstile import Turnstile
    from proxy.wire.head import ResponseHead

RENEW_S: Final = 10.0
"""How often a place in flight is renewed: a third of what it lasts without."""

_ACTUAL_COSTS: Final = {Unit.GMAIL_UNIT: b"nylas-gmail-quota-usage", Unit.PROVIDER_REQUEST: b"nylas-provider-request-count"}
_LEDGER_AWAY: Final = Problem(503, Cause.LEDGER_AWAY, "the shared ledger is away, and redis.on_loss says to refuse", retry_after_s=1.0)


class Admission:
    """Asks for each attempt, and settles what it cost.

    Args:
        ledger: Who counts.
        turnstile: Who may ask.
        rules: What it goes by.
        mailboxes: What is known about grants and accounts.
        tell: Told what happens.

    Attributes:
        enforces: As in its rules.
        rulebook: The same.
    """

    def __init__(self, ledger: Ledger, turnstile: Turnstile, rules: Rules, mailboxes: Mailboxes, tell: Callable[[Event], None]) -> None:
        self._ledger = ledger
        self._turnstile = turnstile
        self._now_s = rules.now_s
        self._mailboxes = mailboxes
        self._tell = tell
        self._in_flight: set[Errand] = set()
        self._limit_providers: dict[str, str | None] = {SPACING: "google"}
        self._asking = Asking(rules.identity, mailboxes, rules.now_s, rules.rulebook)
        self.adopt(rules)

    def adopt(self, rules: Rules) -> None:
        """Go by these rules from now on. Who waits goes on with what it has asked; who is who stays as it was."""
        before, rulebook = self._asking.rulebook, rules.rulebook
        if rulebook is not before:
            rulebook.recovery.go_on_from(before.recovery)
        self.rulebook = self._asking.rulebook = rulebook
        self._limit_providers |= {limit.name: limit.provider for limit in rulebook.limits}  # who asked before may be held by one of another profile
        self._late_share = rules.headroom / (1 + rules.headroom) / 2  # the other half is for the journey
        self.enforces = rules.enforces

    async def enter(self, errand: Errand, patience_s: float) -> Problem | None:
        """Wait until the request may go; a problem says why it may not within its patience."""
        ask = errand.ask = self._asking.ask_now(errand)
        try:
            problem = await self._enter(errand, ask, patience_s)
        except LedgerAwayError:
            problem = _LEDGER_AWAY
            self._tell(refused_unasked(errand.context.route, ask, problem))
        self._asking.advise(errand, ask)
        return problem

    async def _enter(self, errand: Errand, ask: Ask, patience_s: float) -> Problem | None:
        if not self.enforces:
            asked_at = self._now_s()
            result = await self._ledger.admit(ask)
            if isinstance(result, Admitted):
                self._take(errand, result, asked_at)
            else:
                would_hold_s = result.wait_us / US_PER_S
                errand.would_hold_s = max(errand.would_hold_s, would_hold_s)
                self._tell(hold_ended(ask, result, would_hold_s, enforced=False))
            return None
        began_at = self._now_s()
        try:
            entered = await self._turnstile.enter(ask, patience_s, errand.body.held_max_bytes())
        except asyncio.CancelledError:
            errand.waited_s += self._now_s() - began_at  # its caller has left
            raise
        if entered.waited_s:
            self._note_hold(errand, ask, entered)
        if not isinstance(entered, Entered):
            problem = refusal(entered, self._limit_providers)
            self._tell(refused(errand.context.route, ask, problem, entered))
            return problem
        self._take(errand, entered.admitted, entered.asked_at)
        now_asked = self._asking.ask_now(errand) if entered.waited_s else ask
        if now_asked is ask:
            return None
        # Meanwhile the mailbox began to recover, or its provider was learned: it gives back what it got, and asks for that as well.
        for receipt in entered.admitted.receipts:
            self._settle(receipt, 0)
        self.leave(errand, succeeded=False)
        errand.ask = now_asked
        return await self.enter(errand, max(0.0, patience_s - entered.waited_s))

    def _note_hold(self, errand: Errand, ask: Ask, entered: Entered | TurnedAway) -> None:
        errand.waited_s += entered.waited_s
        hold = hold_ended(ask, entered.held, entered.waited_s)
        self._tell(hold)
        if errand.steps is not None:
            now = time.monotonic()
            errand.note("hold", now - entered.waited_s, now, hold.name)

    def _take(self, errand: Errand, admitted: Admitted, asked_at: float) -> None:
        errand.admitted = admitted
        errand.asked_at = asked_at
        if errand.ask is not None and errand.ask.caps:
            self._in_flight.add(errand)

    def left(self, errand: Errand) -> None:
        """The request's head leaves now: what was booked too long ago for that is booked again."""
        admitted = errand.admitted
        if admitted is None:
            return
        late_us = (self._now_s() - errand.asked_at) * US_PER_S
        late = [late_us > receipt.window_us * self._late_share for receipt in admitted.receipts]
        if any(late):
            receipts = (self._ledger.move(receipt) if is_late else receipt for receipt, is_late in zip(admitted.receipts, late, strict=True))
            errand.admitted = admitted._replace(receipts=tuple(receipts))

    def answered(self, errand: Errand, head: ResponseHead) -> None:
        """An answer tells what the attempt cost, and at times whose mailbox it is."""
        ask, admitted = errand.ask, errand.admitted
        if ask is None:
            return
        self._mailboxes.told_by(errand, ask, head)
        units = 0
        receipts = admitted.receipts if admitted is not None else (None,) * len(ask.claims)  # where limits are only observed
        for claim, receipt in zip(ask.claims, receipts, strict=True):
            told = head.index.get(_ACTUAL_COSTS.get(claim.unit, b""), b"")
            cost = min(int(told[:9]), _most_of(ask, claim)) if told.isdigit() else claim.cost
            if receipt is not None and cost != claim.cost:
                self._settle(receipt, cost)
            if claim.unit is Unit.GMAIL_UNIT:
                units = cost  # the same for each of its limits
        if units:
            self._tell(GmailSpent(units))

    def _settle(self, receipt: Receipt, cost: int) -> None:
        """Correct an estimate; who waits for what comes back may ask."""
        self._ledger.settle(receipt, cost)
        if cost < receipt.cost:
            self._turnstile.wake(receipt.key)

    def throttled(self, errand: Errand, verdict: Verdict, status: int, roll: float) -> float | None:
        """Close the door that a throttling answer names; returns for how many seconds it is closed now, None where it names none."""
        ask = errand.ask
        if ask is None:
            return None
        self._mailboxes.told_by_cause(errand, ask, verdict.cause)
        throttle = self.rulebook.throttles.throttle_for(verdict, errand.context, status=status, scopes=ask.scopes, roll=roll)
        if throttle is None:
            if verdict.cause in THROTTLES:
                self._tell(throttled(ask, verdict, status, None, 0.0))
            return None
        self._turnstile.closed(throttle.scope)
        closed_s = self._ledger.open_window(throttle.scope, throttle.opening) / US_PER_S
        self._tell(throttled(ask, verdict, status, throttle, closed_s))
        self.rulebook.recovery.begin(verdict.cause, errand.context, throttle.scope, self._now_s() + closed_s)
        self._asking.advise(errand, ask)
        return closed_s

    async def announced(self) -> None:
        """Return when all who share the limits know of the doors that were closed here, or cannot be told."""
        await self._ledger.announced()

    def suspend(self, errand: Errand) -> Callable[[], None]:
        """Hold the mailbox, or the application where there is none, while a throttling answer is read; returns what ends that."""
        scopes = errand.ask.scopes if errand.ask is not None else ()
        scope = next((scope for scope in scopes if scope.startswith("grant:")), next(iter(scopes), ""))
        if not scope:
            return lambda: None
        self._turnstile.suspend(scope)
        return lambda: self._turnstile.resume(scope)

    def leave(self, errand: Errand, *, succeeded: bool) -> None:
        """The attempt is over: give its places back, and say what its probes have brought; `succeeded` is an answer that is no throttle."""
        ask, admitted = errand.ask, errand.admitted
        errand.admitted = None
        self._in_flight.discard(errand)
        if ask is None or admitted is None:
            return
        if ask.caps:
            self._ledger.release(ask)
            for cap in ask.caps:
                self._turnstile.wake(cap.key)
        self._end_probes(ask, admitted, succeeded=succeeded)

    def probed(self, errand: Errand) -> None:
        """An answer has come that is no throttle: what the attempt probed is open again, before its body is over."""
        ask, admitted = errand.ask, errand.admitted
        if ask is not None and admitted is not None and admitted.probes:
            self._end_probes(ask, admitted, succeeded=True)
            errand.admitted = admitted._replace(probes=())

    def _end_probes(self, ask: Ask, admitted: Admitted, *, succeeded: bool) -> None:
        for probe in admitted.probes:
            self._ledger.end_probe(probe.scope, ask.lease_id, succeeded=succeeded)
            if succeeded:
                self._turnstile.reopened(probe)
            else:
                self._turnstile.wake(probe.scope)

    def renew(self) -> None:
        """Keep the places of all that is under way; to be called every `RENEW_S`."""
        for errand in self._in_flight:
            if errand.ask is not None:
                self._ledger.renew(errand.ask)


def _most_of(ask: Ask, claim: Claim) -> int:
    """Return what a mailbox has of a unit at all: no answer may say of one that it took more, or it would hold the application's other mailboxes."""
    return max((one.count for one in ask.claims if one.unit is claim.unit and one.level is Level.GRANT), default=claim.count)
