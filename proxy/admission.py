"""A request before the ledger: who asks, what it counts against, whether it goes, and what came of it."""

from __future__ import annotations

import itertools
import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.core.book import Admitted, HeldBy
from proxy.core.model import Cause, Origin, Problem
from proxy.core.quota import Unit
from proxy.ledger import LedgerAwayError
from proxy.turnstile import Entered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.core.book import Held
    from proxy.core.claims import Claims
    from proxy.core.identity import Identity
    from proxy.core.model import Verdict
    from proxy.core.quota import Ask
    from proxy.core.throttle import Throttles
    from proxy.errand import Errand
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
_US: Final = 1e6


class Rules(NamedTuple):
    """What admission goes by.

    Attributes:
        identity: Who is who.
        claims: What counts against what.
        throttles: Which answers close which doors.
        limit_providers: The provider of each limit, by its name; None for limits of Nylas.
        now_s: The loop's time.
        headroom: By how much windows are stretched, as a share.
        enforces: False only observes: nothing waits, nothing is refused.
    """

    identity: Identity
    claims: Claims
    throttles: Throttles
    limit_providers: Mapping[str, str | None]
    now_s: Callable[[], float]
    headroom: float
    enforces: bool


class Admission:
    """Asks for each attempt, and settles what it cost.

    Args:
        ledger: Who counts.
        turnstile: Who may ask.
        rules: What it goes by.
        providers: The provider of each grant or account that is known, by its subject; learned ones join it.
    """

    def __init__(self, ledger: Ledger, turnstile: Turnstile, rules: Rules, providers: dict[str, str]) -> None:
        self._ledger = ledger
        self._turnstile = turnstile
        self._identity = rules.identity
        self._claims = rules.claims
        self._throttles = rules.throttles
        self._limit_providers = rules.limit_providers
        self._now_s = rules.now_s
        self._late_share = rules.headroom / (1 + rules.headroom)
        self.enforces = rules.enforces
        self._providers = providers
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
                errand.would_hold_s = max(errand.would_hold_s, result.wait_us / _US)
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
            provider=self._providers.get(subject),
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
        late_us = (self._now_s() - errand.admitted_at) * _US
        if any(late_us > receipt.window_us * self._late_share for receipt in admitted.receipts):
            receipts = (
                self._ledger.move(receipt) if late_us > receipt.window_us * self._late_share else receipt for receipt in admitted.receipts
            )
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
        return self._ledger.open_window(throttle.scope, throttle.opening) / _US

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
        for scope in admitted.probes:
            self._ledger.end_probe(scope, ask.lease_id, succeeded=succeeded)
            if succeeded:
                self._turnstile.reopened(scope)
            else:
                self._turnstile.wake(scope)

    def probed(self, errand: Errand) -> None:
        """An answer has come that is no throttle: what the attempt probed is open again, before its body is over."""
        ask, admitted = errand.ask, errand.admitted
        if ask is None or admitted is None or not admitted.probes:
            return
        for scope in admitted.probes:
            self._ledger.end_probe(scope, ask.lease_id, succeeded=True)
            self._turnstile.reopened(scope)
        errand.admitted = admitted._replace(probes=())

    def renew(self) -> None:
        """Keep the places of all that is under way; to be called every `RENEW_S`."""
        for errand in self._in_flight:
            if errand.ask is not None:
                self._ledger.renew(errand.ask)

    def _learn(self, subject: str, provider: str) -> None:
        if subject not in self._providers:
            while len(self._providers) >= _PROVIDERS_MAX:
                del self._providers[next(iter(self._providers))]
            self._providers[subject] = provider

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
