"""Which throttle windows this process knows of, since when, and who named their time: tells when one opens and when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from proxy.core import events
from proxy.core.bounded import forget_oldest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.core.book import Book
    from proxy.core.window import ThrottleWindow

ELSEWHERE: Final = "elsewhere"
OPERATOR: Final = "operator"
PAST_MAX: Final = 1000
_US_PER_S: Final = 1e6
_SAME_S: Final = 0.05


class Known(NamedTuple):
    """What is known of an open window.

    Attributes:
        cause: The class of the last answer that made it longer.
        source: Who named that.
        since: When this process heard of it first, in seconds of the monotonic clock.
        until: When it ends, by the same clock.
    """

    cause: str
    source: str
    since: float
    until: float


class WindowsKnown:
    """Watches them.

    Args:
        book: Where they stand.
        now_s: The monotonic clock.
        tell: Told of each that opens, and of each that is over.

    Attributes:
        known: Those that are open, by their scopes.
        past: Those that were open lately.
    """

    def __init__(self, book: Book, now_s: Callable[[], float], tell: Callable[[events.Event], None]) -> None:
        self.known: dict[str, Known] = {}
        self.past: dict[str, Known] = {}
        self._book = book
        self._now_s = now_s
        self._tell = tell

    def takers(self) -> Mapping[type[Any], Callable[[Any], None]]:
        """Return what is done with each kind of event."""
        return {events.Throttled: self._throttled}

    def _throttled(self, throttled: events.Throttled) -> None:
        if throttled.scope:
            self._note(throttled.scope, throttled.cause, throttled.source, throttled.closed_s)

    def closed_by_hand(self, scope: str, cause: str, closed_s: float) -> None:
        """An operator has closed a scope, or closed it for longer."""
        self._note(scope, cause, OPERATOR, closed_s)

    def sweep(self, _now: float) -> None:
        """Look which have opened elsewhere, and which are over; to be called when the ledger has swept."""
        windows = self._book.windows
        for scope, window in windows.items():
            if scope not in self.known and is_open(window):
                self._note(scope, window.opening.cause, ELSEWHERE, (window.closes_at_us - window.seen_us) / _US_PER_S)
        for scope, known in list(self.known.items()):
            if scope not in windows or not is_open(windows[scope]):
                self.past[scope] = self.known.pop(scope)
                forget_oldest(self.past, PAST_MAX)
                level, _, grant = scope.partition(":")
                self._tell(events.WindowClosed(level, grant, known.cause, self._now_s() - known.since))

    def _note(self, scope: str, cause: str, source: str, closed_s: float) -> None:
        before, now_s = self.known.get(scope), self._now_s()
        if before is None or now_s + closed_s > before.until + _SAME_S:  # what is no longer than the window says nothing about it
            self.known[scope] = Known(str(cause), source, now_s if before is None else before.since, now_s + closed_s)
        if before is None or now_s >= before.until:
            level, _, grant = scope.partition(":")
            self._tell(events.WindowOpened(level, grant, str(cause), source, closed_s, again=before is not None))


def holds_back(window: ThrottleWindow, now_us: int) -> bool:
    """Tell whether a window holds requests back now: it is closed, or somebody probes. One that waits for its probe lets the next request go."""
    return is_open(window) and (now_us < window.closes_at_us or (bool(window.probe_id) and now_us < window.probe_until_us))


def is_open(window: ThrottleWindow) -> bool:
    """Tell whether a window has not reopened yet; as things were when the ledger looked at it last."""
    return window.reopened_at_us is None and not window.is_over()
