"""Log lines of what happens besides requests: windows, the ledger, bursts of refusals, settings.

A burst is told at once and then, as long as it lasts, every ten seconds with a count: the log must not become the load.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from proxy.core import events

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.telemetry.logs import Log

BURST_S: Final = 10.0


class _Burst:
    """Refusals of one kind: how many were not told yet, and when the last ones were."""

    __slots__ = ("last", "told_at", "untold")

    def __init__(self, last: events.Refused, told_at: float) -> None:
        self.last = last
        self.told_at = told_at
        self.untold = 0


class EventLines:
    """Writes them.

    Args:
        log: Where to.
        now_s: The loop's time.
    """

    def __init__(self, log: Log, now_s: Callable[[], float]) -> None:
        self._log = log
        self._now_s = now_s
        self._bursts: dict[tuple[str, str, str], _Burst] = {}

    def takers(self) -> Mapping[type[Any], Callable[[Any], None]]:
        """Return what is done with each kind of event."""
        return {
            events.RequestEnded: self._log.request,
            events.Retried: self._retried,
            events.Refused: self._refused,
            events.WindowOpened: self._opened,
            events.WindowClosed: self._closed,
            events.LedgerChanged: lambda it: self._log.warning("ledger.state", state=it.state, why=it.why),
            events.Reloaded: self._reloaded,
        }

    def finish(self) -> None:
        """Tell what bursts have added, at the end."""
        self.sweep(math.inf)

    def sweep(self, now: float) -> None:
        """Tell what bursts have added; forget those that are over."""
        for kind, burst in list(self._bursts.items()):
            if now - burst.told_at < BURST_S:
                continue
            if burst.untold:
                self._tell(burst, burst.untold)
                burst.untold, burst.told_at = 0, now
            else:
                del self._bursts[kind]

    def _refused(self, refused: events.Refused) -> None:
        kind = (refused.by, refused.name, refused.level)
        burst = self._bursts.get(kind)
        if burst is None:
            burst = self._bursts[kind] = _Burst(refused, self._now_s())
            self._tell(burst, 1)
        else:
            burst.last = refused
            burst.untold += 1

    def _tell(self, burst: _Burst, times: int) -> None:
        last = burst.last
        facts = {"cause": last.cause, "by": last.by, "limit": last.name, "scope": last.level, "route": last.route.name, "grant": last.grant}
        self._log.warning("requests.refused", times=times, **facts, wait_s=round(last.wait_s, 3))

    def _retried(self, retried: events.Retried) -> None:
        facts = {"route": retried.route.name, "cause": retried.cause, "wait_s": round(retried.wait_s, 3)}
        self._log.detail("request.retried", **facts, counts=retried.counts)

    def _opened(self, opened: events.WindowOpened) -> None:
        facts = {"scope": opened.level, "grant": opened.grant, "cause": opened.cause, "source": opened.source}
        self._log.warning("window.prolonged" if opened.again else "window.opened", **facts, closed_s=round(opened.closed_s, 3))

    def _closed(self, closed: events.WindowClosed) -> None:
        facts = {"scope": closed.level, "grant": closed.grant, "cause": closed.cause}
        self._log.event("window.closed", **facts, lasted_s=round(closed.lasted_s, 3))

    def _reloaded(self, reloaded: events.Reloaded) -> None:
        if reloaded.mistakes:
            self._log.warning("settings.refused", mistakes=list(reloaded.mistakes))
        else:
            self._log.event("settings.reloaded", applied=list(reloaded.applied), at_restart=list(reloaded.at_restart))
