"""Exchange throttle windows: a mailbox that answers nothing but refusals for a while, and for longer when it is asked meanwhile.

A request that comes inside is early, once the first refusal has been sent: from then on its sender could know. Each early request begins the
window anew. Requests that had no chance to know are refused all the same, and counted apart. Time is an argument.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.simulator.replies import Json

MAX_WINDOWS = 10_000
MAX_ENDED = 100
MAX_KNOCKS = 100


@dataclass(slots=True)
class Window:
    """A window of one grant (in v2: one access token).

    Attributes:
        subject: Whose.
        opened_s: When it opened.
        length_s: How long it is without early requests.
        closes_s: When it ends, as far as is known now.
        names_wait: The refusals carry Retry-After.
        told_s: When the first refusal was sent; None: not yet.
        early: Requests inside whose sender could know.
        unaware: Requests inside, sent before anybody could know.
        knocks: The last early ones: number of the arrival, seconds since the first refusal was sent.
    """

    subject: str
    opened_s: float
    length_s: float
    closes_s: float
    names_wait: bool
    told_s: float | None = None
    early: int = 0
    unaware: int = 0
    knocks: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=MAX_KNOCKS))

    def knock(self, now_s: float, arrival: int) -> None:
        """Count a request inside; an early one begins the window anew."""
        if self.told_s is None or now_s < self.told_s:
            self.unaware += 1
            return
        self.early += 1
        self.knocks.append((arrival, now_s - self.told_s))
        self.closes_s = max(self.closes_s, now_s + self.length_s)

    def report(self, now_s: float) -> Json:
        """What the window has seen."""
        return {
            "subject": self.subject,
            "open": now_s < self.closes_s,
            "opened_s": self.opened_s,
            "closes_s": self.closes_s,
            "length_s": self.length_s,
            "early": self.early,
            "unaware": self.unaware,
            "knocks": [{"arrival": arrival, "after_told_s": after_s} for arrival, after_s in self.knocks],
        }


class Windows:
    """All windows that are open, the last that ended, and how many requests came inside any."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Window] = OrderedDict()
        self._ended: deque[Window] = deque(maxlen=MAX_ENDED)
        self.early = 0
        self.unaware = 0

    def open(self, subject: str, now_s: float, length_s: float, *, names_wait: bool) -> Window:
        """Open a window; one that is open already becomes longer, never shorter."""
        window = self.around(subject, now_s)
        if window is None:
            window = self._open[subject] = Window(subject, now_s, length_s, now_s + length_s, names_wait)
        window.closes_s = max(window.closes_s, now_s + length_s)
        window.length_s = max(window.length_s, length_s)
        while len(self._open) > MAX_WINDOWS:
            self._ended.append(self._open.popitem(last=False)[1])
        return window

    def around(self, subject: str, now_s: float) -> Window | None:
        """The window that is open for `subject`, if one is."""
        window = self._open.get(subject)
        if window is not None and now_s >= window.closes_s:
            self._ended.append(self._open.pop(subject))
            return None
        return window

    def knock(self, window: Window, now_s: float, arrival: int) -> None:
        """Count a request inside `window`."""
        early = window.early
        window.knock(now_s, arrival)
        self.early += window.early - early
        self.unaware += 1 - (window.early - early)

    def report(self, now_s: float) -> list[Json]:
        """The last windows that ended, and those that are open."""
        return [window.report(now_s) for window in (*self._ended, *self._open.values())]
