"""Which grants ask the most, and which were throttled; known by keyed hashes, in bounded memory however many there are.

The heaviest are found much as Misra and Gries did it (1982): when there are too many counts, the smaller half is dropped. What comes back begins
where the dropped ones ended, so that a count may be too high, by as much as was dropped, and never too low. Counts fade: what was asked a minute ago
counts half.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from proxy.core import events
from proxy.core.bounded import forget_oldest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

COUNTED_MAX: Final = 2000
THROTTLED_MAX: Final = 500
FADES_S: Final = 60.0
_LEAST: Final = 1 / FADES_S


class Throttles(NamedTuple):
    """How often a grant was throttled, when last, and by what."""

    times: int
    last_at: float
    cause: str


class Grants:
    """Counts.

    Args:
        now_s: The monotonic clock.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._counts: dict[str, float] = {}
        self._floor = 0.0
        self._fadings = 0
        self._faded_at = now_s()
        self.throttled: dict[str, Throttles] = {}

    def takers(self) -> Mapping[type[Any], Callable[[Any], None]]:
        """Return what is done with each kind of event."""
        return {events.RequestEnded: self._request, events.Throttled: self._throttled}

    def _request(self, ended: events.RequestEnded) -> None:
        grant = ended.grant
        if not grant:
            return
        counts = self._counts
        if grant in counts:
            counts[grant] += 1
        else:
            counts[grant] = self._floor + 1
            if len(counts) > COUNTED_MAX:
                self._drop()

    def _throttled(self, throttled: events.Throttled) -> None:
        before = self.throttled.pop(throttled.grant, None)
        times = 1 if before is None else before.times + 1
        self.throttled[throttled.grant] = Throttles(times, self._now_s(), str(throttled.cause))  # at the end: the last to be forgotten
        forget_oldest(self.throttled, THROTTLED_MAX)

    def sweep(self, _now: float) -> None:
        """Let counts fade, once a minute."""
        now_s = self._now_s()
        if now_s - self._faded_at >= FADES_S:
            self._faded_at = now_s
            self._fadings += 1
            self._floor /= 2
            self._counts = {grant: count / 2 for grant, count in self._counts.items() if count >= 1}

    def heaviest(self, at_most: int) -> list[tuple[str, float]]:
        """Return the grants that ask the most, with their requests a minute."""
        # What is asked evenly, a minute's worth at a time, and halved each minute adds up to between one and two minutes' worth.
        # Less of it in the first minutes, before as much has been asked.
        share = max(_LEAST, 1 - 0.5**self._fadings + min(1.0, (self._now_s() - self._faded_at) / FADES_S))
        ranked = sorted(self._counts.items(), key=lambda item: -item[1])
        return [(grant, count / share) for grant, count in ranked[:at_most]]

    def _drop(self) -> None:
        ranked = sorted(self._counts.items(), key=lambda item: -item[1])
        kept = ranked[: COUNTED_MAX // 2]
        self._floor = ranked[len(kept)][1]
        self._counts = dict(kept)
