"""The latest requests that the proxy itself refused, those of one kind and one grant in a row as one."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from proxy.core import events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

KEPT_MAX: Final = 50


class Refusals:
    """Keeps them.

    Args:
        now_s: The monotonic clock.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._kept: deque[tuple[events.Refused, int, float]] = deque(maxlen=KEPT_MAX)

    def takers(self) -> Mapping[type[Any], Callable[[Any], None]]:
        """Return what is done with each kind of event."""
        return {events.Refused: self._refused}

    def latest(self) -> Iterator[tuple[events.Refused, int, float]]:
        """Tell each, the latest first: the last of its kind, how many there were, and when the last was."""
        return reversed(self._kept)

    def _refused(self, refused: events.Refused) -> None:
        times = 1
        if self._kept and _kind(self._kept[-1][0]) == _kind(refused):
            times += self._kept.pop()[1]
        self._kept.append((refused, times, self._now_s()))


def _kind(refused: events.Refused) -> tuple[str, ...]:
    return refused.cause, refused.by, refused.name, refused.grant
