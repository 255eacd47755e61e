"""What the gate hands out and what it counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proxy.simulator.sliding_log import Arrived, InFlight, SlidingLog

if TYPE_CHECKING:
    from proxy.simulator.limit_rows import Limit
    from proxy.simulator.windows import Window

Counted = SlidingLog | InFlight


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request may not pass: the limit, and when it would have room."""

    limit: Limit
    wait_s: float


@dataclass(slots=True)
class Ticket:
    """What was decided about a request, and what it took.

    Attributes:
        refused: Over this limit; None: it was not over any.
        window: It came inside this window, or opened it.
        queued: It was accepted for later.
    """

    refused: Refused | None = None
    window: Window | None = None
    queued: bool = False
    charges: list[tuple[Limit, Counted, Arrived]] = field(default_factory=list)

    @property
    def passes(self) -> bool:
        """Whether it goes on."""
        return self.refused is None and self.window is None


@dataclass(slots=True)
class Tally:
    """What happened at one limit.

    Attributes:
        admitted: Requests that it let through.
        refused: Requests that it did not.
        most: The most that any window held.
        most_asked: The most that was asked for within any window, refused or not.
    """

    admitted: int = 0
    refused: int = 0
    most: int = 0
    most_asked: int = 0

    def note_admitted(self, held: int) -> None:
        """Count one that passed."""
        self.admitted += 1
        self.note_held(held)

    def note_held(self, held: int) -> None:
        """Keep the peaks."""
        self.most = max(self.most, held)
        self.most_asked = max(self.most_asked, held)

    def note_refused(self, asked: int) -> None:
        """Count one that did not."""
        self.refused += 1
        self.most_asked = max(self.most_asked, asked)
