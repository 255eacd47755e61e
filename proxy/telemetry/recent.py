"""What has happened lately, for the status page: in bounded memory, and gone with the process."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from proxy.telemetry.grants import Grants
from proxy.telemetry.minute import Minute
from proxy.telemetry.refusals import Refusals
from proxy.telemetry.windows_known import WindowsKnown

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.book import Book
    from proxy.telemetry.observers import Observers
    from proxy.telemetry.tallies import Tallies


class Recent(NamedTuple):
    """It.

    Attributes:
        minute: What passed in the last minute.
        grants: Which ask the most, and which were throttled.
        windows: Which are open, and since when.
        refusals: The latest.
    """

    minute: Minute
    grants: Grants
    windows: WindowsKnown
    refusals: Refusals

    def sweep(self, now: float) -> None:
        """To be called every second or so, when the ledger has swept."""
        self.minute.sweep(now)
        self.windows.sweep(now)
        self.grants.sweep(now)


def watch(observers: Observers, tallies: Tallies, book: Book, now_s: Callable[[], float]) -> Recent:
    """Begin to watch.

    Args:
        observers: Where events are told.
        tallies: What is counted of every request.
        book: Where windows stand.
        now_s: The monotonic clock.
    """
    recent = Recent(Minute(tallies, now_s), Grants(now_s), WindowsKnown(book, now_s, observers.tell), Refusals(now_s))
    for each in (recent.minute, recent.grants, recent.windows, recent.refusals):
        observers.add(each.takers())
    return recent
