"""What holds for a Gmail mailbox for some time after Google has said that its resources are exhausted.

Changes of it keep a distance: they make one claim more, so that whatever waits for limits waits for that as well. Long lists get an advice. What such
an answer is, which requests are changes and which are lists, is data. Times are seconds of one clock, given as arguments.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.core.bounded import forget_oldest
from proxy.core.catalogue import OTHER
from proxy.core.model import Api, Cause
from proxy.core.quota import Claim, Level, Unit
from proxy.core.rows import Row

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from proxy.core.costs import Lists
    from proxy.core.model import RequestContext, Route
    from proxy.core.quota import Ask

SPACING: Final = "gmail_recovery_spacing"
"""The name of the limit that spaces changes out, for errors and metrics."""

RECOVERING_MAX: Final = 10_000
_READS: Final = frozenset({"GET", "HEAD"})


class Care(NamedTuple):
    """What settings say.

    Attributes:
        lasts_s: For how long a mailbox recovers, from the end of its throttle window on.
        spacing_s: At least so long passes between two changes of it; 0 for no distance.
        list_items: Lists of more items get the advice; 0 gives none.
        headroom: How much longer than told a period is taken, as a share of it.
    """

    lasts_s: float = 60.0
    spacing_s: float = 1.0
    list_items: int = 20
    headroom: float = 0.05


class _Concerned(NamedTuple):
    """One row of the table."""

    causes: frozenset[Cause]
    families: frozenset[str]
    lists: frozenset[str]


class Recovery:
    """Knows which mailboxes recover.

    Args:
        rows: As `recovery` in `facts/limits.toml`.
        routes: The catalogue's.
        sources: The keys that rows may name.
        lists: How the number of items is read.
        care: What settings say.

    Raises:
        ValueError: A row is incomplete, misspelt, or names what is not there; the text names it.
    """

    def __init__(self, rows: Iterable[Mapping[str, object]], routes: Iterable[Route], sources: Container[str], lists: Lists, care: Care) -> None:
        known = tuple(routes)
        self._concerned = dict(_concerned(values, known, sources) for values in rows)
        self._lists = lists
        self._lasts_s = care.lasts_s
        self._list_items = care.list_items
        self._window_us = math.ceil(care.spacing_s * 1e6 * (1 + care.headroom))
        self._advice = (
            f"list_limit: ask for limit={care.list_items} or lower and filter more, by starred=true for instance;"
            " Gmail's quota for this mailbox is exhausted (error 429, Resource exhausted)"
        )
        self._until_s: dict[str, float] = {}

    def begin(self, cause: Cause, context: RequestContext, scope: str, reopens_at_s: float) -> None:
        """An answer of the class `cause` has closed a scope until `reopens_at_s`; most such answers mean no recovery."""
        concerned = self._concerned.get(context.route.api)
        if concerned is None or cause not in concerned.causes or context.route.family not in concerned.families:
            return
        until_s = reopens_at_s + self._lasts_s
        self._until_s[scope] = max(until_s, self._until_s.pop(scope, until_s))  # at the end: the last to be forgotten
        forget_oldest(self._until_s, RECOVERING_MAX)

    def go_on_from(self, before: Recovery) -> None:
        """Take over which mailboxes recover: the settings have changed, they have not."""
        self._until_s.update(before._until_s)

    def advice_for(self, ask: Ask, context: RequestContext, now_s: float) -> str:
        """Return what the caller should be told, in ASCII and without any name; empty where there is nothing."""
        concerned = self._concerned_by(ask, context, now_s)
        if concerned is None or not self._list_items or context.method not in _READS or context.route.name not in concerned.lists:
            return ""
        return self._advice if self._lists.items_of(context.target) > self._list_items else ""

    def spaced(self, ask: Ask, context: RequestContext, now_s: float) -> Ask:
        """Return what a request asks, with the distance between changes where that is due; `ask` itself where it is not, or is in it already."""
        concerned = self._concerned_by(ask, context, now_s)
        if concerned is None or not self._window_us or context.method in _READS or context.route.family not in concerned.families:
            return ask
        if any(claim.name == SPACING for claim in ask.claims):
            return ask
        claim = Claim(f"{SPACING}:-:{ask.subject}", SPACING, Level.GRANT, 1, self._window_us, 1, Unit.REQUEST)
        return ask._replace(claims=(*ask.claims, claim))

    def _concerned_by(self, ask: Ask, context: RequestContext, now_s: float) -> _Concerned | None:
        """Return the row for a request whose mailbox recovers, under whichever of its names."""
        if not self._until_s:
            return None
        for scope in ask.scopes:
            until_s = self._until_s.get(scope, now_s)
            if now_s < until_s:
                return self._concerned.get(context.route.api)
            self._until_s.pop(scope, None)
        return None


def _concerned(values: Mapping[str, object], routes: tuple[Route, ...], sources: Container[str]) -> tuple[Api, _Concerned]:
    label = f"recovery of {values.get('api')}"
    row = Row(values, label)
    api = Api(row.take("api", str))
    causes = frozenset(map(Cause, row.take_texts("causes")))
    families, lists = (frozenset(row.take_texts(key)) for key in ("families", "lists"))
    source = row.take("source", str)
    row.finish()
    known = [route for route in routes if route.api is api]
    strange = (families - {OTHER, *(route.family for route in known)}) | (lists - {route.name for route in known if "GET" in route.methods})
    if strange or source not in sources:
        raise ValueError(f"{label}: does not know {', '.join(sorted(strange)) or source}")
    return api, _Concerned(causes, families, lists)
