"""What is known about mailboxes beside their limits: the provider of each, and which names are one mailbox.

Settings tell it, or Nylas when it is asked, or other proxies that have learned it, or answers that pass by: those are guesses. Names that turn out
to be one mailbox in an application are counted as one there from then on, under its id. A throttle window that somebody has opened under any of them
holds still: it is asked for under each. Two ids are two mailboxes, whatever else they share: an address of both stays with the first one.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from proxy.core.bounded import forget_oldest
from proxy.core.identity import folded
from proxy.core.model import Cause
from proxy.ledger.learned import Known

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from proxy.core.identity import Identity
    from proxy.core.model import Api
    from proxy.core.quota import Ask
    from proxy.errand import Errand
    from proxy.wire.head import ResponseHead

KNOWN_MAX: Final = 10_000
ASKED_AGAIN_AFTER_S: Final = 300.0

_TOLD_BY_HEADER: Final = {b"nylas-gmail-quota-usage": "google"}
_TOLD_BY_CAUSE: Final = {
    Cause.RATE_LIMIT_PROVIDER_GOOGLE: "google",
    Cause.RATE_LIMIT_PROVIDER_MICROSOFT: "microsoft",
    Cause.EXCHANGE_THROTTLE: "ews",
}


class Stranger(NamedTuple):
    """A mailbox of which nothing is known, and the credential that somebody reaches it with.

    Attributes:
        application: Whose it is, as a hash.
        subject: Which it is, as a hash.
        api: In which API it was met.
        name: What it was called, as in the path: an id, an address, `me`; nothing in v2, where the credential is the account.
        authorization: The value of the Authorization field.
    """

    application: str
    subject: str
    api: Api
    name: bytes
    authorization: bytes


class Others(Protocol):
    """What other proxies have learned."""

    def ask(self, application: str, subject: str, then: Callable[[Known], None]) -> None:
        """Ask about a mailbox."""

    def tell(self, application: str, subject: str, known: Known, then: Callable[[Known], None], *, is_sure: bool = True) -> None:
        """Tell about a mailbox."""


class Mailboxes:
    """Knows them.

    Args:
        identity: Who is who.
        given: The provider of each grant or account that settings tell, by its subject.
        others: What other proxies have learned; None where there are none.
        now_s: The loop's time.

    Attributes:
        look_up: Told of each request of a mailbox that nobody knows; None where Nylas is not asked.
    """

    def __init__(self, identity: Identity, given: Mapping[str, str], others: Others | None, now_s: Callable[[], float]) -> None:
        self.look_up: Callable[[Stranger], None] | None = None
        self._identity = identity
        self._given = given
        self._others = others
        self._now_s = now_s
        self._learned: dict[str, str] = {}
        self._asked_at: dict[tuple[str, str], float] = {}

    def provider_of(self, subject: str) -> str | None:
        """Return the provider of a mailbox, None where it is not known."""
        return self._given.get(subject) or self._learned.get(subject)

    def met(self, errand: Errand, ask: Ask) -> None:
        """Find out about a mailbox whose provider is not known, beside its request, which goes on with what is known."""
        if (self._others is None and self.look_up is None) or f"grant:{ask.subject}" not in ask.scopes:
            return
        context = errand.context
        authorization = errand.head.index.get(b"authorization", b"")
        self._find_out(Stranger(ask.application, ask.subject, context.route.api, context.grant or b"", authorization))

    def _find_out(self, stranger: Stranger) -> None:
        of = (stranger.application, stranger.subject)
        now_s = self._now_s()
        if self._others is None or now_s < self._asked_at.get(of, -ASKED_AGAIN_AFTER_S) + ASKED_AGAIN_AFTER_S:
            self._look_up(stranger)
            return
        self._asked_at[of] = now_s
        forget_oldest(self._asked_at, KNOWN_MAX)
        self._others.ask(*of, partial(self._heard, stranger))

    def under_all_names(self, ask: Ask) -> Ask:
        """Have a request held by the windows as well that may be open under other names of its mailbox. Its own come last: answers close those."""
        others = self._identity.others(ask.application, ask.subject)
        if not others:
            return ask
        kinds = [kind for kind, _, of in (scope.partition(":") for scope in ask.scopes) if of == ask.subject]
        return ask._replace(scopes=(*(f"{kind}:{other}" for other in others for kind in kinds), *ask.scopes))

    def learn(self, stranger: Stranger, provider: str, names: Sequence[bytes]) -> None:
        """Take in what Nylas says of a mailbox: its provider and its names, first its id, which stands for it."""
        application = stranger.application
        stands, *others = [self._identity.grant(name) for name in names] or [stranger.subject]
        for subject in (stands, *others, stranger.subject):
            if subject == stands or self._identity.resolved(application, subject) == subject:
                self._identity.learn(application, subject, stands)
        others = [other for other in others if other != stands and self._identity.resolved(application, other) == stands]
        provider = next((self._given[subject] for subject in (stands, *others) if subject in self._given), provider)
        self._know(stands, provider)
        asked = self._identity.resolved(application, stranger.subject)
        if self.provider_of(asked) is None:
            self._know(asked, provider)
        if self._others is not None:
            # Not under a token, which will be another one tomorrow. Of an address only what it stands for counts.
            self._others.tell(application, stands, Known(provider, stands), _nothing_more)
            for other in others:
                self._others.tell(application, other, Known(provider, stands), partial(self._agreed, application, other))

    def told_by(self, errand: Errand, ask: Ask, head: ResponseHead) -> None:
        """An answer shows at times whose mailbox it is."""
        for name, provider in _TOLD_BY_HEADER.items():
            if name in head.index:
                self._guess(errand, ask, provider)

    def told_by_cause(self, errand: Errand, ask: Ask, cause: Cause) -> None:
        """So does what went wrong."""
        if cause in _TOLD_BY_CAUSE:
            self._guess(errand, ask, _TOLD_BY_CAUSE[cause])

    def _guess(self, errand: Errand, ask: Ask, provider: str) -> None:
        if self.provider_of(ask.subject) is None:
            self._know(ask.subject, provider)
            if self._others is not None and folded(errand.context.grant or b"") != b"me":
                self._others.tell(ask.application, ask.subject, Known(provider), _nothing_more, is_sure=False)

    def _heard(self, stranger: Stranger, known: Known) -> None:
        stands = known.stands or stranger.subject
        if stands != stranger.subject:
            self._identity.learn(stranger.application, stranger.subject, stands)
            if self.provider_of(stands) is None:
                self._find_out(stranger._replace(subject=stands))
        elif known.provider:
            self._know(stands, known.provider)
        else:
            self._look_up(stranger)

    def _agreed(self, application: str, subject: str, known: Known) -> None:
        """All proxies take an address for the same mailbox: the one that was told first."""
        if known.stands:
            self._identity.learn(application, subject, known.stands)

    def _know(self, subject: str, provider: str) -> None:
        self._learned[subject] = provider
        forget_oldest(self._learned, KNOWN_MAX)

    def _look_up(self, stranger: Stranger) -> None:
        if self.look_up is not None:
            self.look_up(stranger)


def _nothing_more(_known: Known) -> None:
    """Told, and no more to do."""
