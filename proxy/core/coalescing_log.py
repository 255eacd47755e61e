"""What was charged against one limit: a log of arrivals in at most some sixty entries, whatever the rate.

It promises that no window, wherever it starts, holds more than the limit's count of units as they were booked. A token bucket lets almost twice the
count through such a window, GCRA keeps it only by giving up the burst; here the full burst goes at once, and the wait falls out of the same list.

- An arrival joins the newest entry while that began less than a slot ago, else it begins an entry. A slot is a 32nd of the window; while there are
  fewer than 32 entries, a 256th: a burst then comes back as it went, not all with its last unit.
- An entry expires one window after its newest arrival, all of it at once: units come back at most a slot late.
- What was spent some time ago and is told only now stands where it belongs, or up to a slot later; that may double the number of entries.
- A cost over the count is admitted into an empty log alone, at its full cost.
- The log remembers the last time that it saw; a clock that steps back shifts the whole log, so that a wait stays as long as it was.

Times and windows are whole microseconds; `now_us` never comes from here.
"""

from __future__ import annotations

from collections import deque
from typing import Final

SLOTS: Final = 32
FINE_SLOTS: Final = 256

_FIRST, _NEWEST, _COST, _ID = range(4)


class CoalescingLog:
    """The arrivals of one limit's last window.

    Attributes:
        used: The units that they cost together.
        window_us: The window that `advance` was last given.
    """

    __slots__ = ("_entries", "_seen_us", "used", "window_us")

    def __init__(self) -> None:
        self._entries: deque[list[int]] = deque()
        self._seen_us = 0
        self.used = 0
        self.window_us = 0

    def advance(self, now_us: int, window_us: int) -> None:
        """Forget what lies a window back. Every other method speaks of the time and the window that were last given here."""
        entries = self._entries
        self.window_us = window_us
        if now_us < self._seen_us:
            self._shift(now_us - self._seen_us)
        self._seen_us = now_us
        while entries and now_us - entries[0][_NEWEST] >= window_us:
            self.used -= entries.popleft()[_COST]

    def used_at(self, now_us: int) -> int:
        """Return what is used at a time not before that of `advance`; changes nothing."""
        return sum(cost for _, newest_us, cost, _ in self._entries if now_us - newest_us < self.window_us)

    def wait_us(self, cost: int, count: int) -> int:
        """Return how long until `cost` units fit; 0 where they fit now. A cost over the count fits when nothing is left that was charged."""
        surplus = min(self.used + cost - count, self.used)
        return self._freed_in_us(surplus) if surplus > 0 else 0

    def forecast_us(self, units: int, count: int) -> int:
        """Return how long until the last of `units` (at least 1), a queue of any length, has its turn: what is free is taken at once."""
        rounds, before = divmod(units - 1, count)
        surplus = self.used + before + 1 - count
        return rounds * self.window_us + (self._freed_in_us(surplus) if surplus > 0 else 0)

    def lets_pass(self, cost: int, before: int, within_us: int, count: int) -> bool:
        """Tell whether `cost` units fit now, and `before` units would fit within `within_us` all the same."""
        if self.used + cost > count:
            return False
        surplus = self.used + cost + before - count
        if surplus <= 0:
            return within_us >= 0
        steady = self.used - (self._entries[-1][_COST] if self._joins_newest(self._seen_us) else 0)
        return (self._freed_in_us(surplus) if surplus <= steady else self.window_us) <= within_us

    def _freed_in_us(self, units: int) -> int:
        """How long until so many of the used units have expired."""
        entries = iter(self._entries)
        entry = next(entries)
        while (units := units - entry[_COST]) > 0:
            entry = next(entries)
        return entry[_NEWEST] + self.window_us - self._seen_us

    def charge(self, cost: int, entry_id: int) -> int:
        """Book `cost` units now, whether they fit or not; return the id of their entry: `entry_id` where they begin one."""
        return self._append(self._seen_us, cost, entry_id)

    def recall(self, cost: int, age_us: int, entry_id: int) -> None:
        """Book `cost` units that were spent so long ago, whether they fit or not; nothing where they would count no more.

        They join the next arrival after them where that came less than a slot later, or the entry before them that began less than a slot earlier;
        else they stand by themselves, under `entry_id`.
        """
        if age_us >= self.window_us:
            return
        entries, at_us = self._entries, self._seen_us - age_us
        i = len(entries)
        while i and entries[i - 1][_NEWEST] >= at_us:
            i -= 1
        if i == len(entries):
            self._append(at_us, cost, entry_id)
            return
        later = entries[i]
        if later[_NEWEST] - at_us < self._slot_us():
            later[_FIRST] = min(later[_FIRST], at_us)  # so that it stays open for no longer than a slot
            later[_COST] += cost
        elif i and at_us - entries[i - 1][_FIRST] < self._slot_us():
            entries[i - 1][_NEWEST] = at_us
            entries[i - 1][_COST] += cost
        else:
            entries.insert(i, [at_us, at_us, cost, entry_id])
        self.used += cost

    def _append(self, at_us: int, cost: int, entry_id: int) -> int:
        """Book units as the newest."""
        entries = self._entries
        self.used += cost
        if self._joins_newest(at_us):
            tail = entries[-1]
            tail[_NEWEST] = at_us
            tail[_COST] += cost
            return tail[_ID]
        entries.append([at_us, at_us, cost, entry_id])
        return entry_id

    def _joins_newest(self, at_us: int) -> bool:
        """Tell whether what is charged at that time joins the newest entry."""
        entries = self._entries
        return bool(entries) and at_us - entries[-1][_FIRST] < self._slot_us()

    def _slot_us(self) -> int:
        slots = FINE_SLOTS if len(self._entries) < SLOTS else SLOTS
        return -(-self.window_us // slots)

    def give_back(self, entry_id: int, cost: int) -> None:
        """Take `cost` units out of an entry, or what is left of it; nothing where it has expired. Times stay, so nobody's wait grows."""
        for entry in self._entries:
            if entry[_ID] == entry_id:
                given = min(cost, entry[_COST])
                entry[_COST] -= given
                self.used -= given
                return

    def is_empty(self) -> bool:
        """Tell whether there is nothing left to remember."""
        return not self._entries

    def entries(self) -> list[tuple[int, int, int, int]]:
        """Return a copy of the entries, the oldest first: age of the first and of the newest arrival in microseconds, cost, id."""
        return [(self._seen_us - first, self._seen_us - newest, cost, entry_id) for first, newest, cost, entry_id in self._entries]

    def _shift(self, by_us: int) -> None:
        for entry in self._entries:
            entry[_FIRST] += by_us
            entry[_NEWEST] += by_us
