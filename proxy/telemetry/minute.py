"""What passed in the last minute: rates and percentiles for the status page, from what the tallies hold each second. No request pays for it."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from proxy.core import events
from proxy.core.outcome import THROTTLES
from proxy.telemetry.tallies import OWN, REQUEST, added

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.core.model import Cause, Origin
    from proxy.telemetry.tallies import Tallies

SECONDS: Final = 60
_EVERY_S: Final = 0.95
"""Sweeps come about once a second, at times more often: each second is looked at once."""

_FIRST_ERROR_STATUS: Final = 400


class Totals(NamedTuple):
    """Everything so far, at one moment.

    Attributes:
        at: That moment, in seconds of the monotonic clock.
        counts: Of `requests`, `errors`, `attempts`, `retries`, `throttled`, `refused`.
        failing: Errors by cause and origin.
        own: Requests by the proxy's own time: the places of `OWN`.
        upstream: Attempts by their time: the places of `REQUEST`.
    """

    at: float
    counts: Counter[str]
    failing: Counter[tuple[Cause, Origin]]
    own: Counter[int]
    upstream: Counter[int]


class Minute:
    """Looks at the tallies.

    Args:
        tallies: What is counted of every request.
        now_s: The monotonic clock.
    """

    def __init__(self, tallies: Tallies, now_s: Callable[[], float]) -> None:
        self._tallies = tallies
        self._now_s = now_s
        self._rare: Counter[str] = Counter()
        self._seen: deque[Totals] = deque([self._totals()], maxlen=SECONDS + 1)

    def takers(self) -> Mapping[type[Any], Callable[[Any], None]]:
        """Return what is done with each kind of event."""
        return {events.Retried: self._retried, events.Refused: self._refused, events.Throttled: self._throttled}

    def _retried(self, _retried: events.Retried) -> None:
        self._rare["retries"] += 1

    def _refused(self, _refused: events.Refused) -> None:
        self._rare["refused"] += 1

    def _throttled(self, throttled: events.Throttled) -> None:
        self._rare["throttled"] += throttled.cause in THROTTLES

    def sweep(self, _now: float) -> None:
        """Look, once a second."""
        if self._now_s() - self._seen[-1].at >= _EVERY_S:
            self._seen.append(self._totals())

    def last(self) -> LastMinute:
        """Return what passed since the look of about a minute ago."""
        return LastMinute([*self._seen, self._totals()])

    def _totals(self) -> Totals:
        counts, failing = self._rare.copy(), Counter[tuple["Cause", "Origin"]]()
        for of in self._tallies.routes:
            counts["attempts"] += sum(of.attempts.values())
            for (_, status, cause, origin), times in of.requests.items():
                counts["requests"] += times
                if status >= _FIRST_ERROR_STATUS:
                    counts["errors"] += times
                    if cause is not None and origin is not None:
                        failing[cause, origin] += times
        own, upstream = list(self._tallies.own.values()), [of.upstream for of in self._tallies.routes]
        return Totals(self._now_s(), counts, failing, added(own), added(upstream))


class LastMinute:
    """What passed between the first look and the last.

    Attributes:
        over_s: How long that is.
    """

    def __init__(self, looks: list[Totals]) -> None:
        self._looks = looks
        self._first, self._last = looks[0], looks[-1]
        self.over_s = max(1.0, self._last.at - self._first.at)

    def per_s(self, what: str) -> float:
        """Return how often a second `requests`, `errors`, `attempts`, `retries`, `throttled` or `refused` were counted."""
        return (self._last.counts[what] - self._first.counts[what]) / self.over_s

    def history(self) -> list[int]:
        """Return the requests between each two looks, about a second apart: 60 numbers, the oldest first."""
        passed = [after.counts["requests"] - before.counts["requests"] for before, after in pairwise(self._looks[:-1])]
        return [0] * (SECONDS - len(passed)) + passed

    def failing(self) -> list[tuple[Cause, Origin, float]]:
        """Return causes and origins of errors, and how often a second they were told: the most frequent first."""
        counted = self._last.failing - self._first.failing
        return [(cause, origin, times / self.over_s) for (cause, origin), times in counted.most_common()]

    def own_s(self, share: float) -> float | None:
        """Return a percentile of the proxy's own time; None where nothing passed."""
        return _percentile(self._last.own - self._first.own, OWN.bounds_s, share)

    def upstream_s(self, share: float) -> float | None:
        """Return a percentile of upstream's time; None where nothing was asked."""
        return _percentile(self._last.upstream - self._first.upstream, REQUEST.bounds_s, share)


def _percentile(counted: Counter[int], bounds_s: tuple[float, ...], share: float) -> float | None:
    places = sorted(counted)
    sums = list(accumulate(counted[place] for place in places))
    if not sums:
        return None
    return bounds_s[min(places[bisect_left(sums, share * sums[-1])], len(bounds_s) - 1)]
