"""What passed in the last minute, second by second: rates and percentiles for the status page. A few hundred numbers, whatever the traffic."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from proxy.core import events
from proxy.core.outcome import THROTTLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from proxy.core.model import Cause, Origin

SECONDS: Final = 60

_FIRST_S: Final = 20e-6
_GROWTH: Final = 1.15
BOUNDS_S: Final = tuple(_FIRST_S * _GROWTH**step for step in range(112))
"""From 20 microseconds to 110 seconds; a percentile is at most 15 % too high."""

_FIRST_ERROR_STATUS: Final = 400


class _Second:
    """What passed in one second."""

    __slots__ = ("attempts", "errors", "failing", "own", "refused", "requests", "retries", "second", "throttled", "upstream")

    def __init__(self, second: int) -> None:
        self.second = second
        self.requests = self.errors = self.attempts = self.retries = self.throttled = self.refused = 0
        self.failing: Counter[tuple[Cause, Origin]] = Counter()
        self.own: Counter[int] = Counter()
        self.upstream: Counter[int] = Counter()


class Minute:
    """Counts.

    Args:
        now_s: The monotonic clock.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._began_at = int(now_s())
        self._seconds: deque[_Second] = deque(maxlen=SECONDS + 1)
        self._current = _Second(self._began_at)
        self._seconds.append(self._current)

    def takers(self) -> Mapping[type[Any], Callable[[Any], None]]:
        """Return what is done with each kind of event."""
        return {
            events.RequestEnded: self._request,
            events.AttemptEnded: self._attempt,
            events.Retried: self._retried,
            events.Refused: self._refused,
            events.Throttled: self._throttled,
        }

    def _at(self, second: int) -> _Second:
        current = self._current
        if second > current.second:
            current = self._current = _Second(second)
            self._seconds.append(current)
        return current

    def _request(self, ended: events.RequestEnded) -> None:
        at = self._at(int(ended.ended_at))
        at.requests += 1
        if ended.own_s:
            at.own[bisect_left(BOUNDS_S, ended.own_s)] += 1
        if ended.status >= _FIRST_ERROR_STATUS:
            at.errors += 1
            if ended.cause is not None and ended.origin is not None:
                at.failing[ended.cause, ended.origin] += 1

    def _attempt(self, attempt: events.AttemptEnded) -> None:
        at = self._at(int(self._now_s()))
        at.attempts += 1
        if attempt.status:
            at.upstream[bisect_left(BOUNDS_S, attempt.upstream_s)] += 1

    def _retried(self, _retried: events.Retried) -> None:
        self._at(int(self._now_s())).retries += 1

    def _refused(self, _refused: events.Refused) -> None:
        self._at(int(self._now_s())).refused += 1

    def _throttled(self, throttled: events.Throttled) -> None:
        if throttled.cause in THROTTLES:
            self._at(int(self._now_s())).throttled += 1

    def last(self) -> LastMinute:
        """Return what passed in the last full seconds, 60 at most."""
        now = int(self._now_s())
        return LastMinute([each for each in self._seconds if now - SECONDS <= each.second < now], now, max(1, min(SECONDS, now - self._began_at)))


class LastMinute:
    """The sums over some seconds.

    Attributes:
        over_s: How many seconds they cover.
    """

    def __init__(self, seconds: Sequence[_Second], now: int, over_s: int) -> None:
        self._seconds = seconds
        self._now = now
        self.over_s = over_s

    def per_s(self, what: str) -> float:
        """Return how often a second `requests`, `errors`, `attempts`, `retries`, `throttled` or `refused` were counted."""
        counted: int = sum(getattr(each, what) for each in self._seconds)
        return counted / self.over_s

    def history(self) -> list[int]:
        """Return the requests of each of the last 60 seconds, the oldest first."""
        requests = {each.second: each.requests for each in self._seconds}
        return [requests.get(second, 0) for second in range(self._now - SECONDS, self._now)]

    def failing(self) -> list[tuple[Cause, Origin, float]]:
        """Return causes and origins of errors, and how often a second they were told: the most frequent first."""
        counted: Counter[tuple[Cause, Origin]] = Counter()
        for each in self._seconds:
            counted.update(each.failing)
        return [(cause, origin, times / self.over_s) for (cause, origin), times in counted.most_common()]

    def percentiles(self, what: str, *shares: float) -> list[float | None]:
        """Return percentiles of `own` or `upstream`, in seconds; None where nothing passed."""
        counted: Counter[int] = Counter()
        for each in self._seconds:
            counted.update(getattr(each, what))
        steps = sorted(counted)
        sums = list(accumulate(counted[step] for step in steps))
        if not sums:
            return [None for _ in shares]
        found = (steps[bisect_left(sums, share * sums[-1])] for share in shares)
        return [BOUNDS_S[min(step, len(BOUNDS_S) - 1)] for step in found]
