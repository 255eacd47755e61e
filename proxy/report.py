"""What admission tells of a request: that it was held, refused or throttled, and by what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.core.book import HeldBy
from proxy.core.events import HoldEnded, Refused, Throttled
from proxy.core.retry_after import whole_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.core.book import Held
    from proxy.core.model import Problem, Route, Verdict
    from proxy.core.quota import Ask, Cap, Claim
    from proxy.core.throttle import Throttle
    from proxy.turned_away import TurnedAway

_NOBODY: Final = "-"
_BY_TURN: Final = ("turn", _NOBODY, _NOBODY)
_BY_ROOM: Final = ("room", _NOBODY, _NOBODY)
_BY_ENDING: Final = ("ending", _NOBODY, _NOBODY)


def what_holds(ask: Ask, held: Held) -> tuple[str, str, str]:
    """Return by what kind of thing a request is held, its name, and whose it is."""
    if held.by is HeldBy.WINDOW:
        return str(held.by), held.name, held.key.partition(":")[0]
    on: Iterable[Claim | Cap] = (*ask.claims, *ask.caps)
    level = next((each.level for each in on if each.key == held.key), _NOBODY)
    return str(held.by), held.name, str(level)


def hold_ended(ask: Ask, held: Held | None, wait_s: float, *, enforced: bool = True) -> HoldEnded:
    """Return that a request waits no longer; `held` is None where it only waited behind others of its line."""
    return HoldEnded(*(_BY_TURN if held is None else what_holds(ask, held)), wait_s, enforced)


def refused(route: Route, ask: Ask, problem: Problem, away: TurnedAway) -> Refused:
    """Return that a request was refused."""
    if away.is_ending:
        by, name, level = _BY_ENDING
    else:
        by, name, level = _BY_ROOM if away.held is None else what_holds(ask, away.held)
    return Refused(route, problem.status, problem.cause, by, name, level, ask.subject, _told_s(problem))


def refused_unasked(route: Route, ask: Ask, problem: Problem) -> Refused:
    """Return that a request was refused because nobody counts."""
    return Refused(route, problem.status, problem.cause, "ledger", _NOBODY, _NOBODY, ask.subject, _told_s(problem))


def throttled(ask: Ask, verdict: Verdict, status: int, throttle: Throttle | None, closed_s: float) -> Throttled:
    """Return that a throttling answer has come, and what it has closed, if anything."""
    cause, origin = verdict.cause, verdict.origin
    if throttle is None:
        return Throttled(cause, origin, "", _NOBODY, ask.subject, status, _NOBODY, 0.0)
    scope = throttle.scope
    return Throttled(cause, origin, scope, scope.partition(":")[0], scope.partition(":")[2], status, str(throttle.source), closed_s)


def _told_s(problem: Problem) -> int:
    return 0 if problem.retry_after_s is None else whole_seconds(problem.retry_after_s)
