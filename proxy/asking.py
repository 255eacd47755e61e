"""What a request asks of the ledger as things are now: who asks, at which provider, whether its mailbox recovers."""

from __future__ import annotations

import itertools
import secrets
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.identity import Identity
    from proxy.core.quota import Ask
    from proxy.errand import Errand
    from proxy.known import Rulebook
    from proxy.mailboxes import Mailboxes


class Rules(NamedTuple):
    """What admission goes by.

    Attributes:
        identity: Who is who.
        rulebook: What counts against what, which answers close which doors, what holds for mailboxes that recover.
        now_s: The loop's time.
        headroom: By how much windows are stretched, as a share.
        enforces: False only observes: nothing waits, nothing is refused.
    """

    identity: Identity
    rulebook: Rulebook
    now_s: Callable[[], float]
    headroom: float
    enforces: bool


class Asking:
    """Makes the asks.

    Args:
        identity: Who is who.
        mailboxes: What is known about grants and accounts.
        now_s: The loop's time.

    Attributes:
        rulebook: What counts against what; may be replaced at any time.
    """

    def __init__(self, identity: Identity, mailboxes: Mailboxes, now_s: Callable[[], float], rulebook: Rulebook) -> None:
        self.rulebook = rulebook
        self._identity = identity
        self._mailboxes = mailboxes
        self._now_s = now_s
        self._lease_prefix = secrets.token_hex(8)
        self._lease_numbers = itertools.count(1)

    def ask_now(self, errand: Errand) -> Ask:
        """Return what a request asks as things are now: the same object as before where nothing has changed."""
        ask = errand.ask
        if ask is None or (errand.provider is None and self._mailboxes.provider_of(ask.subject) is not None):
            ask = self._ask_of(errand)
        return self.rulebook.recovery.spaced(ask, errand.context, self._now_s())

    def advise(self, errand: Errand, ask: Ask) -> None:
        """Note what its caller should know about its mailbox."""
        errand.advice = self.rulebook.recovery.advice_for(ask, errand.context, self._now_s())

    def _ask_of(self, errand: Errand) -> Ask:
        index = errand.head.index
        application, subject = self._identity.who(errand.context, index.get(b"authorization", b""))
        provider = errand.provider = self._mailboxes.provider_of(subject)
        ask = self.rulebook.claims.ask_for(
            errand.context,
            content_type=index.get(b"content-type", b""),
            application=application,
            subject=subject,
            provider=provider,
            lease_id=f"{self._lease_prefix}-{next(self._lease_numbers):x}",
        )
        if provider is None:
            self._mailboxes.met(errand, ask)
        return self._mailboxes.under_all_names(ask)
