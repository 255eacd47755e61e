"""What is known about Nylas' errors and events, one entry a row of `facts/errors`: error types, statuses, situations known by their words,
rules of the API, events of the mail sync.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.core.model import Api, Cause
from proxy.core.rows import Row

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

NO_STATUS: Final = "none"
_STATUSES: Final = range(100, 1000)  # Nylas has one number beyond HTTP: 701


class Kind(StrEnum):
    """What an entry describes, in the order in which to tell them; the values name the arrays of `facts/errors`."""

    STATUS = "status"
    RULE = "rule"
    SITUATION = "situation"
    TYPE = "type"
    SYNC_EVENT = "sync_event"
    CAUSE = "cause"


class Said(NamedTuple):
    """The statuses that one source gives; none where it says that there is none."""

    source: str
    statuses: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be explained.

    Attributes:
        kind: What it is.
        name: How it is looked up: the error type, the status, a slug.
        api: The API that it belongs to; None for both.
        title: A heading, where the name is none.
        category: The vendor's, or empty.
        said: What each source says about the status, the newest first.
        says: The vendor's text as it stands in answers, or empty.
        phrases: Texts in lower case that mean this wherever they stand in the body of an error.
        path_holds: Parts of the request's path that mean this.
        cause: The class of an answer that says this; None for what is no error.
        retryable: Whether a later repetition of the same request can succeed, where that differs from what its class says; else None.
        meaning: What happened.
        reason: What leads to it.
        solution: What the reader can do.
    """

    kind: Kind
    name: str
    api: Api | None
    title: str
    category: str
    said: tuple[Said, ...]
    says: str
    phrases: tuple[str, ...]
    path_holds: tuple[str, ...]
    cause: Cause | None
    retryable: bool | None
    meaning: str
    reason: str
    solution: str

    @property
    def statuses(self) -> tuple[int, ...]:
        """What the newest source says."""
        return self.said[0].statuses if self.said else ()

    @property
    def all_statuses(self) -> frozenset[int]:
        """What any source says: servers of all ages answer."""
        return frozenset(status for source in self.said for status in source.statuses)


def read_entries(tables: Mapping[str, Iterable[Mapping[str, object]]], sources: Collection[str]) -> tuple[Entry, ...]:
    """Return the entries of `facts/errors`.

    Args:
        tables: The rows of each kind, under its name.
        sources: The keys that rows may name, newest first.

    Raises:
        ValueError: A row is incomplete, misspelt, names an unknown source or is given twice; the text names it.
    """
    ranks = {source: rank for rank, source in enumerate(sources)}
    entries = tuple(_entry(Kind(kind), values, ranks) for kind, rows in tables.items() for values in rows)
    seen: set[tuple[Kind, str, Api | None]] = set()
    for entry in entries:
        key = (entry.kind, entry.name, entry.api)
        if key in seen:
            raise ValueError(f"{entry.kind} {entry.name!r} is given twice")
        seen.add(key)
    return entries


def _entry(kind: Kind, values: Mapping[str, object], ranks: Mapping[str, int]) -> Entry:
    label = f"{kind} {values.get('name')!r}"
    row = Row(values, label)
    entry = Entry(
        kind=kind,
        name=row.take("name", str),
        api=Api(row.take("api", str)) if row.has("api") else None,
        title=row.take("title", str, ""),
        category=row.take("category", str, ""),
        said=_said(label, row.take("status", dict), ranks),
        says=row.take("says", str, ""),
        phrases=row.take_texts("phrases"),
        path_holds=row.take_texts("path_holds"),
        cause=Cause(row.take("cause", str)) if row.has("cause") else None,
        retryable=row.take("retryable", bool) if row.has("retryable") else None,
        meaning=row.take("meaning", str),
        reason=row.take("reason", str),
        solution=row.take("solution", str),
    )
    row.finish()
    if any(phrase != phrase.lower() for phrase in entry.phrases):
        raise ValueError(f"{label}: phrases must be in lower case")
    return entry


def _said(label: str, status: Mapping[str, object], ranks: Mapping[str, int]) -> tuple[Said, ...]:
    if not status or not status.keys() <= ranks.keys():
        raise ValueError(f"{label}: status must name its sources, of {', '.join(ranks)}")
    said = (Said(source, _statuses(label, values)) for source, values in status.items())
    return tuple(sorted(said, key=lambda one: ranks[one.source]))


def _statuses(label: str, values: object) -> tuple[int, ...]:
    if values == NO_STATUS:
        return ()
    statuses = values if isinstance(values, list) else [values]
    if not statuses or not all(isinstance(status, int) and status in _STATUSES for status in statuses):
        raise ValueError(f'{label}: a status is a number from 100 to 999, a list of them, or "{NO_STATUS}"; not {values!r}')
    return tuple(statuses)
