"""Chooses the words for an error: the most exact text that is known, and never one that contradicts the class of the answer.

First what only this answer says (a known situation, by its path or by the longest phrase found in the body), then its error type, then its
status, then its class. An entry counts only where its class is that of the answer, so that a general type does not hide what a text or a
header told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.core.entries import Entry, Kind, Said

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.core.model import Api, Cause, CauseText


OF_THE_PROXY: Final = "proxy"
"""The source of what the proxy itself answers."""

_NO_ERROR: Final = "Nothing: successful answers pass unchanged, and events that come by webhook do not pass here."
_PATH_TELLS_MOST: Final = 10_000
_NEVER_PASSES: Final = "Nothing: it happens on Nylas' side, and stands in the log of the Nylas Dashboard alone."


class Symptoms(NamedTuple):
    """What an error shows of itself.

    Attributes:
        cause: Its class.
        api: The API that was asked.
        status: The HTTP status; None where it is not known (a body without its head).
        type: The error type in lower case, or empty.
        words: What the body says, in lower case.
        path: The path that was asked, or empty.
    """

    cause: Cause
    api: Api
    status: int | None
    type: str
    words: str
    path: str = ""


class Handbook:
    """All that can be told.

    Args:
        entries: Of `facts/errors`.
        causes: The text of each cause.

    Attributes:
        entries: These, and one for each cause.
        causes: As given.
    """

    def __init__(self, entries: Iterable[Entry], causes: Mapping[Cause, CauseText]) -> None:
        of_causes = {cause: _cause_entry(cause, text) for cause, text in causes.items()}
        self.entries = (*entries, *of_causes.values())
        self.causes = causes
        self._of_causes = of_causes
        self._situations = [entry for entry in self.entries if entry.phrases or entry.path_holds]
        self._named: dict[tuple[Kind, str], list[Entry]] = {}
        for entry in self.entries:
            self._named.setdefault((entry.kind, entry.name.lower()), []).append(entry)

    def entry_for(self, symptoms: Symptoms) -> Entry:
        """Return the entry that describes the error best; that of its class where nothing more exact is known."""
        known = max(self._situations, key=lambda entry: _likeness(entry, symptoms), default=None)
        if known and _likeness(known, symptoms):
            return known
        kind = symptoms.type
        # OAuth answers name the error as RFC 6749 5.2 does, the event codes the same with a prefix.
        names = ((Kind.TYPE, kind), (Kind.TYPE, f"oauth2.{kind}"), (Kind.STATUS, str(symptoms.status)))
        candidates = [entry for name in names for entry in self._named.get(name, ()) if _may_be(entry, symptoms)]
        # A number as the type is a status of Nylas' own, 701, whatever the HTTP status says.
        numbered = [entry for entry in self._named.get((Kind.STATUS, kind), ()) if _may_be(entry, symptoms._replace(status=None))]
        return next(iter([*numbered, *candidates]), self._of_causes[symptoms.cause])

    def retryable(self, entry: Entry) -> bool:
        """Tell whether the same request can succeed later."""
        if entry.retryable is not None or entry.cause is None:
            return bool(entry.retryable)
        return self.causes[entry.cause].retryable

    def handling(self, entry: Entry) -> str:
        """Return what the proxy does about what `entry` describes."""
        if entry.cause:
            return self.causes[entry.cause].handling
        return _NEVER_PASSES if entry.kind is Kind.SYNC_EVENT else _NO_ERROR


def _cause_entry(cause: Cause, text: CauseText) -> Entry:
    said = (Said(OF_THE_PROXY, (text.status,)),) if text.status else ()
    return Entry(Kind.CAUSE, str(cause), None, "", "", said, "", (), (), cause, None, text.meaning, text.reason, text.solution)


def _may_be(entry: Entry, symptoms: Symptoms) -> bool:
    return (
        entry.cause is symptoms.cause
        and entry.api in {None, symptoms.api}
        # Of an entry for which no source knows a status, any may come.
        and (symptoms.status is None or not entry.all_statuses or symptoms.status in entry.all_statuses)
    )


def _likeness(entry: Entry, symptoms: Symptoms) -> int:
    """Return how much of the answer the entry knows, in characters; 0 where it does not fit."""
    if not _may_be(entry, symptoms):
        return 0
    if any(part in symptoms.path for part in entry.path_holds):
        return _PATH_TELLS_MOST
    return max((len(phrase) for phrase in entry.phrases if phrase in symptoms.words), default=0)
