"""Who stands where before the ledger.

Requests of one grant with exactly the same claims and scopes form a line. The head of each line may stand in the row of what holds it: a limit, a
cap, a window that other lines meet as well. Only who is first in both asks the ledger.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from itertools import chain, islice, takewhile
from typing import TYPE_CHECKING

from proxy.row import Row
from proxy.waiter import line_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.book import Held
    from proxy.core.quota import Ask
    from proxy.waiter import LineKey, Waiter


class _Line:
    """One line. An ordered dictionary: the first, the last and leaving from the middle cost the same however long it is."""

    __slots__ = ("_units", "_waiters")

    def __init__(self) -> None:
        self._waiters: OrderedDict[Waiter, None] = OrderedDict()
        self._units: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._waiters)

    def join(self, waiter: Waiter) -> None:
        self._waiters[waiter] = None
        _count(self._units, waiter.ask, 1)

    def head(self) -> Waiter:
        return next(iter(self._waiters))

    def all(self) -> Iterator[Waiter]:
        return iter(self._waiters)

    def next_few(self, at_most: int) -> list[Waiter]:
        """Return those behind the head."""
        return list(islice(self._waiters, 1, max(1, at_most)))

    def leave(self, waiter: Waiter) -> None:
        del self._waiters[waiter]
        _count(self._units, waiter.ask, -1)

    def place_of(self, waiter: Waiter) -> int:
        """Return which it is; for the last, who asks most often, without looking at the others."""
        return len(self._waiters) if self._is_last(waiter) else len(self._up_to(waiter))

    def units_to(self, waiter: Waiter, key: str) -> int:
        """Return what a limit is asked for by those up to `waiter`; for the last, who asks most often, without looking at the others."""
        return self._units[key] if self._is_last(waiter) else sum(_cost(other.ask, key) for other in self._up_to(waiter))

    def _is_last(self, waiter: Waiter) -> bool:
        return waiter is next(reversed(self._waiters))

    def _up_to(self, waiter: Waiter) -> list[Waiter]:
        return [*takewhile(lambda other: other is not waiter, self._waiters), waiter]


class Lines:
    """All who wait."""

    def __init__(self) -> None:
        self._lines: dict[LineKey, _Line] = {}
        self._rows: dict[str, Row] = {}
        self._units: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._lines)

    def waiters(self) -> Iterator[Waiter]:
        """Tell all who wait."""
        return chain.from_iterable(line.all() for line in self._lines.values())

    def has_before(self, ask: Ask) -> bool:
        """Tell whether somebody waits whom this request may not overtake."""
        return bool(self._lines) and (line_key(ask) in self._lines or self._row_of_others(ask) is not None)

    def add(self, waiter: Waiter, held: Held | None, until: float) -> None:
        """Stand at the end of the line; the first of a new line, unless the ledger has held it already, behind the heads of others.

        Several of one line may come back from the ledger at the same time: only the first of them stands in the row, or it would wait for the others.
        """
        line = self._lines.get(waiter.line)
        if line is None:
            line = self._lines[waiter.line] = _Line()
        line.join(waiter)
        _count(self._units, waiter.ask, 1)
        if held is not None:
            self.hold(waiter, held, until)
        elif len(line) == 1 and (key := self._row_of_others(waiter.ask)) is not None:
            self._join_row(waiter, key, self._rows[key].first() or waiter)

    def hold(self, waiter: Waiter, held: Held, until: float) -> None:
        """Stand in the row of what holds, unless it stands there already. Who only followed its head goes on standing behind it."""
        waiter.last_held = held
        waiter.until = until
        if self.head_of(waiter) is not waiter:
            return
        waiter.held = held
        if waiter.row != held.key:
            key = waiter.row
            if self._leave_row(waiter, served=False):
                self.wake_first(key)
            waiter.row, waiter.latest_at = held.key, None
            self._rows.setdefault(held.key, Row()).join(waiter)

    def is_first(self, waiter: Waiter) -> bool:
        """Tell whether it is its turn to ask."""
        return self.head_of(waiter) is waiter and (not waiter.row or self._rows[waiter.row].first() is waiter)

    def head_of(self, waiter: Waiter) -> Waiter:
        """Return the head of its line."""
        return self._lines[waiter.line].head()

    def followers(self, head: Waiter, at_most: int) -> list[Waiter]:
        """Return the next few behind a head, unless other lines take turns with it."""
        if head.row and len(self._rows[head.row]) > 1:
            return []
        return self._lines[head.line].next_few(at_most)

    def first_held_by(self, key: str) -> Waiter | None:
        """Return who asks next about what was freed."""
        row = self._rows.get(key)
        return row.first() if row is not None else None

    def wake_first(self, key: str) -> None:
        """Let the first whom `key` holds ask again: something has changed for it."""
        first = self.first_held_by(key)
        if first is not None:
            first.wake()

    def commit(self, first: Waiter) -> None:
        """Let nobody who comes from now on stand before the first in its row."""
        self._rows[first.row].commit(first)

    def next_held_by(self, key: str) -> list[Waiter]:
        """Return some of those who come after the first in a row."""
        row = self._rows.get(key)
        return row.next_few() if row is not None else []

    def units_before(self, waiter: Waiter, key: str) -> int:
        """Return what the limit `key` is asked for by those before it, itself included, if lines take turns; at most what all ask for."""
        units = self._lines[waiter.line].units_to(waiter, key)
        return min(units * len(self._rows[key]), self._units[key]) if key in self._rows else units

    def place_of(self, waiter: Waiter) -> int:
        """Return which in its line it is; 1 is the head."""
        return self._lines[waiter.line].place_of(waiter)

    def leave(self, waiter: Waiter, *, served: bool) -> None:
        """Go from where it stands, admitted or not. Its line's next head takes a place in the row: the other lines' turn first."""
        line, key = self._lines[waiter.line], waiter.row
        was_head = line.head() is waiter
        line.leave(waiter)
        _count(self._units, waiter.ask, -1)
        was_first = self._leave_row(waiter, served=served)
        if not line:
            del self._lines[waiter.line]
        elif was_head:
            following = line.head()
            following.behind = waiter.last_held or waiter.behind
            if key in self._rows:
                self._join_row(following, key, waiter)
            else:
                following.wake()
        if was_first:
            self.wake_first(key)

    def _row_of_others(self, ask: Ask) -> str | None:
        keys = (*(claim.key for claim in ask.claims), *(cap.key for cap in ask.caps), *ask.scopes)
        return next((key for key in keys if key in self._rows), None)

    def _join_row(self, waiter: Waiter, key: str, other: Waiter) -> None:
        """Stand in a row, held by what `other`, who stands or stood there, is held by; who comes before one that was to ask, asks in its place."""
        row = self._rows.setdefault(key, Row())
        first = row.first()
        waiter.held = waiter.last_held = other.last_held
        waiter.until, waiter.row = other.until, key
        row.join(waiter)
        if first is not None and first.held is None and row.first() is waiter:
            waiter.held = None

    def _leave_row(self, waiter: Waiter, *, served: bool) -> bool:
        """Go from the row; tell whether it was this one's turn, so that somebody else is to be woken."""
        key, waiter.row = waiter.row, ""
        row = self._rows.get(key)
        if row is None:
            return False
        was_first = row.first() is waiter
        row.leave(waiter, _cost(waiter.ask, key) if served else 0)
        if not row:
            del self._rows[key]
        return was_first


def _count(units: Counter[str], ask: Ask, times: int) -> None:
    """Add what a request asks of each limit, or take it away."""
    for claim in ask.claims:
        units[claim.key] += times * claim.cost
        if not units[claim.key]:
            del units[claim.key]


def _cost(ask: Ask, key: str) -> int:
    """What a request takes of what a row waits for: units of a limit, or one turn."""
    return sum(claim.cost for claim in ask.claims if claim.key == key) or 1
