"""A throttle window: nothing is admitted for its scope until it closes; then one probe goes, whose success reopens it, whose failure prolongs it.

    closed ── time over ──► waiting for a probe ── one admission ──► probing ── success ──► reopened, forgotten after a while
       ▲                            ▲                                   │
       └────── throttled again ─────┴───── no answer: next probe ───────┘

A window is never shortened by a later, shorter answer. What a throttle within the probe, or soon after it, opens is longer than the one before.
Times are whole microseconds; `now_us` never comes from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

PROBE_MAX_US: Final = 120_000_000
"""How long a probe may be under way before another one may go: longer than any time-out of an attempt."""

FORGOTTEN_US: Final = 86_400_000_000
"""A window that waits for its probe for so long is forgotten."""

REMEMBERED_US: Final = 60_000_000
"""For so long after its reopening a scope counts as shaky: paced at most so long, and a new throttle as a failure of the reopening."""


class Opening(NamedTuple):
    """What a throttling answer asks for.

    Attributes:
        wait_us: How long to leave the scope alone.
        cap_us: The longest that growth makes of it; a longer `wait_us` stays.
        growth_percent: What a failed reopening makes of the window before: 200 doubles it.
        cause: The class of the answer.
        probes: Whether to ask at the end, by one request. Where not, the scope just reopens.
    """

    wait_us: int
    cap_us: int
    growth_percent: int
    cause: str
    probes: bool = True


class Probe(NamedTuple):
    """A scope that a request tries out.

    Attributes:
        scope: It.
        length_us: How long its window was.
    """

    scope: str
    length_us: int


class Reopened(NamedTuple):
    """A scope that a probe has reopened lately.

    Attributes:
        scope: It.
        age_us: How long ago.
        length_us: How long its window was.
    """

    scope: str
    age_us: int
    length_us: int


@dataclass(slots=True)
class ThrottleWindow:
    """One scope's window. Every method speaks of the time that `advance` was last given.

    Attributes:
        opening: The last opening that made it longer.
        seen_us: The last time that it saw; a clock that steps back shifts the window, so that it stays as long as it was.
        closes_at_us: When it ends.
        length_us: The longest that one answer has closed it for: what a failed reopening grows from.
        probe_id: Who probes, or empty.
        probe_until_us: When that probe is given up.
        reopened_at_us: When a probe succeeded, or None.
    """

    opening: Opening
    seen_us: int
    closes_at_us: int
    length_us: int
    probe_id: str = ""
    probe_until_us: int = 0
    reopened_at_us: int | None = None

    def advance(self, now_us: int) -> None:
        """Let time pass."""
        back_us = self.seen_us - now_us
        if back_us > 0:
            self.closes_at_us -= back_us
            self.probe_until_us -= back_us
            if self.reopened_at_us is not None:
                self.reopened_at_us -= back_us
        self.seen_us = now_us

    def wait_us(self) -> int:
        """Return how long nobody is admitted; 0 where someone may be (see `needs_probe`). Behind a probe: until it is given up."""
        if self.reopened_at_us is not None:
            return 0
        if self.seen_us < self.closes_at_us:
            return self.closes_at_us - self.seen_us
        return max(0, self.probe_until_us - self.seen_us) if self.probe_id else 0

    def needs_probe(self) -> bool:
        """Tell whether the one who is admitted now is the probe."""
        return self.reopened_at_us is None and self.opening.probes

    def is_over(self) -> bool:
        """Tell whether there is nothing left to remember."""
        if self.reopened_at_us is not None:
            return self.seen_us - self.reopened_at_us >= REMEMBERED_US
        return not self.opening.probes and self.seen_us >= self.closes_at_us

    def is_forgotten(self) -> bool:
        """Tell whether nobody has asked for the scope since its window ended a day ago."""
        return self.seen_us - self.closes_at_us >= FORGOTTEN_US

    def begin_probe(self, probe_id: str) -> None:
        """Let one go."""
        self.probe_id = probe_id
        self.probe_until_us = self.seen_us + PROBE_MAX_US

    def end_probe(self, probe_id: str, *, succeeded: bool) -> None:
        """Reopen after the present probe's success; let the next one go where it brought no answer."""
        if self.probe_id != probe_id:
            return
        self.probe_id = ""
        if succeeded and self.seen_us >= self.closes_at_us:
            self.reopened_at_us = self.seen_us

    def prolong(self, opening: Opening) -> None:
        """Take in another throttling answer."""
        length_us = opening.wait_us
        if self.reopened_at_us is not None or self.seen_us >= self.closes_at_us:
            # The scope was being tried out: whatever the answer asks for, it gets more than last time.
            length_us = max(length_us, min(opening.cap_us, self.length_us * opening.growth_percent // 100))
            self.probe_id = ""
            self.reopened_at_us = None
        if self.seen_us + length_us > self.closes_at_us:
            self.opening = opening
            self.length_us = max(self.length_us, length_us)
            self.closes_at_us = self.seen_us + length_us


def opened(opening: Opening, now_us: int) -> ThrottleWindow:
    """Return a new window."""
    return ThrottleWindow(opening, now_us, now_us + opening.wait_us, opening.wait_us)
