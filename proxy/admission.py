"""A request before the ledger: who asks, what it counts against, whether it goes, and what came of it."""

from __future__ import annotations

import itertools
import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.core.book import Admitted, HeldBy
from proxy.core.bounded import forget_oldest
from proxy.core.model import Cause, Origin, Problem
from proxy.core.quota import Unit
from proxy.forecast import US_PER_S
from proxy.ledger import LedgerAwayError
from proxy.turnstile import Entered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.core.book import Held
    from proxy.core.identity import Identity
    from proxy.core.model import Verdict
    from proxy.core.quota import Ask
    from proxy.errand import Errand
    from proxy.known import Rulebook
    from proxy.ledger import Ledger
    from proxy.turnstile import TurnedAway, Turnstile
    from proxy.wire.head import ResponseHead

RENEW_S: Final = 10.0
"""How often a place in flight is renewed: a third of what it lasts without."""

_ACTUAL_COSTS: Final = {Unit.GMAIL_UNIT: b"nylas-gmail-quota-usage", Unit.PROVIDER_REQUEST: b"nylas-provider-request-count"}
_PROVIDERS_MAX: Final = 10_000
_TOLD_BY_HEADER: Final = {b"nylas-gmail-quota-usage": "google"}
_TOLD_BY_CAUSE: Final = {
    Cause.RATE_LIMIT_PROVIDER_GOOGLE: "google",
    Cause.RATE_LIMIT_PROVIDER_MICROSOFT: "microsoft",
    Cause.EXCHANGE_THROTTLE: "ews",
}
_CAUSE_OF_PROVIDER: Final = {"google": Cause.RATE_LIMIT_PROVIDER_GOOGLE, "microsoft": Cause.RATE_LIMIT_PROVIDER_MICROSOFT}
_LEDGER_AWAY: Final = Problem(503, Cause.OVERLOADED, "the shared ledger is away, and redis.on_loss says to refuse", retry_after_s=1.0)


class Rules(NamedTuple):
    """What admission goes by.

    Attributes:
        identity: Who is who.
        rulebook: What counts against what, which answers close which doors.
        now_s: The loop's time.
        headroom: By how much windows are stretched, as a share.
        enforces: False only observes: nothing waits, nothing is refused.
    """

    identity: Identity
    rulebook: Rulebook
    now_s: Callable[[], float]
    headroom: float
    enforces: bool


class Admission:
    """Asks for each attempt, and settles what it cost.

    Args:
        ledger: Who counts.
        turnstile: Who may ask.
        rules: What it goes by.
        providers: The provider of each grant or account that is known, by its subject.
    """

    def __init__(self, ledger: Ledger, turnstile: Turnstile, rules: Rules, providers: Mapping[str, str]) -> None:
        self._ledger = ledger
        self._turnstile = turnstile
        self._identity = rules.identity
        self._claims = rules.rulebook.claims
        self._throttles = rules.rulebook.throttles
        self._limit_providers = {limit.name: limit.provider for limit in rules.rulebook.limits}
        self._now_s = rules.now_s
        self._late_share = rules.headroom / (1 + rules.headroom)
        self.enforces = rules.enforces
        self._providers = providers
        self._learned_providers: dict[str, str] = {}
        self._lease_prefix = secrets.token_hex(8)
        self._lease_numbers = itertools.count(1)
        self._in_flight: set[Errand] = set()

    async def enter(self, errand: Errand, patience_s: float) -> Problem | None:
        """Wait until the request may go; a problem says why it may not within its patience."""
        if errand.ask is None:
            self._identify(errand)
        ask = errand.ask
        assert ask is not None  # noqa: S101 - made above
        try:
            return await self._enter(errand, ask, patience_s)
        except LedgerAwayError:
            return _LEDGER_AWAY

    async def _enter(self, errand: Errand, ask: Ask, patience_s: float) -> Problem | None:
        if not self.enforces:
            result = await self._ledger.admit(ask)
            if isinstance(result, Admitted):
                self._take(errand, result)
            else:
                errand.would_hold_s = max(errand.would_hold_s, result.wait_us / US_PER_S)
            return None
        entered = await self._turnstile.enter(ask, patience_s)
        errand.waited_s += entered.waited_s
        if isinstance(entered, Entered):
            self._take(errand, entered.admitted)
            return None
        return self._refusal(entered)

    def _identify(self, errand: Errand) -> None:
        index = errand.head.index
        application, subject = self._identity.who(errand.context, index.get(b"authorization", b""))
        errand.ask = self._claims.ask_for(
            errand.context,
            content_type=index.get(b"content-type", b""),
            application=application,
            subject=subject,
            provider=self._providers.get(subject) or self._learned_providers.get(subject),
            lease_id=f"{self._lease_prefix}-{next(self._lease_numbers):x}",
        )

    def _take(self, errand: Errand, admitted: Admitted) -> None:
        errand.admitted = admitted
        errand.admitted_at = self._now_s()
        if errand.ask is not None and errand.ask.caps:
            self._in_flight.add(errand)

    def left(self, errand: Errand) -> None:
        """The request's head leaves now: what was booked too long ago for that is booked again."""
        admitted = errand.admitted
        if admitted is None:
            return
        late_us = (self._now_s() - errand.admitted_at) * US_PER_S
        late = [late_us > receipt.window_us * self._late_share for receipt in admitted.receipts]
        if any(late):
            receipts = (self._ledger.move(receipt) if is_late else receipt for receipt, is_late in zip(admitted.receipts, late, strict=True))
            errand.admitted = admitted._replace(receipts=tuple(receipts))

    def answered(self, errand: Errand, head: ResponseHead) -> None:
        """An answer tells what the attempt cost, and at times whose mailbox it is."""
        ask, admitted = errand.ask, errand.admitted
        if ask is None:
            return
        for name, provider in _TOLD_BY_HEADER.items():
            if name in head.index:
                self._learn(ask.subject, provider)
        if admitted is None:
            return
        for claim, receipt in zip(ask.claims, admitted.receipts, strict=True):
            told = head.index.get(_ACTUAL_COSTS.get(claim.unit, b""), b"")
            if told.isdigit():
                self._ledger.settle(receipt, int(told[:9]))

    def throttled(self, errand: Errand, verdict: Verdict, status: int, roll: float) -> float | None:
        """Close the door that a throttling answer names; returns for how many seconds it is closed now, None where it names none."""
        ask = errand.ask
        if ask is None:
            return None
        provider = _TOLD_BY_CAUSE.get(verdict.cause)
        if provider is not None:
            self._learn(ask.subject, provider)
        throttle = self._throttles.throttle_for(verdict, errand.context, status=status, scopes=ask.scopes, roll=roll)
        if throttle is None:
            return None
        self._turnstile.closed(throttle.scope)
        return self._ledger.open_window(throttle.scope, throttle.opening) / US_PER_S

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
        for scope in admitted.probes:
            self._ledger.end_probe(scope, ask.lease_id, succeeded=succeeded)
            if succeeded:
                self._turnstile.reopened(scope)
            else:
                self._turnstile.wake(scope)

    def renew(self) -> None:
        """Keep the places of all that is under way; to be called every `RENEW_S`."""
        for errand in self._in_flight:
            if errand.ask is not None:
                self._ledger.renew(errand.ask)

    def _learn(self, subject: str, provider: str) -> None:
        self._learned_providers.setdefault(subject, provider)
        forget_oldest(self._learned_providers, _PROVIDERS_MAX)

    def _refusal(self, away: TurnedAway) -> Problem:
        if away.held is None:
            return Problem(503, Cause.OVERLOADED, "too many requests wait for admission", retry_after_s=away.wait_s)
        what = _WHAT_HOLDS[away.held.by].format(away.held.name)
        message = f"{what}: it would have to wait {away.wait_s:.1f} s, longer than it may; it was not sent"
        return Problem(429, self._cause_of(away.held), message, Origin.PROXY, away.wait_s)

    def _cause_of(self, held: Held) -> Cause:
        if held.by is HeldBy.WINDOW:
            return Cause(held.name)
        provider = self._limit_providers.get(held.name)
        return Cause.RATE_LIMIT_NYLAS if provider is None else _CAUSE_OF_PROVIDER.get(provider, Cause.RATE_LIMIT_PROVIDER)


_WHAT_HOLDS: Final = {
    HeldBy.LIMIT: "this request would go over the limit {}",
    HeldBy.IN_FLIGHT: "as many requests as the cap {} allows are under way",
    HeldBy.WINDOW: "nothing is sent while a throttle lasts ({})",
}
