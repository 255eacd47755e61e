"""A request that is not admitted within its patience, and what it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.core.book import HeldBy
from proxy.core.model import Cause, Origin, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.core.book import Held

_WORTH_TELLING_S: Final = 0.05
_CAUSE_OF_PROVIDER: Final = {"google": Cause.RATE_LIMIT_PROVIDER_GOOGLE, "microsoft": Cause.RATE_LIMIT_PROVIDER_MICROSOFT}
_WHAT_HOLDS: Final = {
    HeldBy.LIMIT: "this request would go over the limit {}",
    HeldBy.IN_FLIGHT: "as many requests as the cap {} allows are under way",
    HeldBy.WINDOW: "nothing is sent while a throttle lasts ({})",
}


class TurnedAway(NamedTuple):
    """The wait would outlast the request's patience.

    Attributes:
        wait_s: How long it would be, as far as known.
        held: What holds it; None where too many wait already.
        waited_s: How long it waited before that was clear.
        is_ending: The proxy ends, and nobody waits any more.
    """

    wait_s: float
    held: Held | None
    waited_s: float
    is_ending: bool = False


def refusal(away: TurnedAway, providers: Mapping[str, str | None]) -> Problem:
    """Return what to tell; `providers` says of each limit, by its name, whose it is: None for limits of Nylas."""
    if away.is_ending:
        message = "this proxy is shutting down, and nobody waits here any more; it was not sent"
        return Problem(503, Cause.SHUTTING_DOWN, message, retry_after_s=away.wait_s)
    if away.held is None:
        return Problem(503, Cause.OVERLOADED, "too many requests wait for admission", retry_after_s=away.wait_s)
    what = _WHAT_HOLDS[away.held.by].format(away.held.name)
    waited = f"it has waited {away.waited_s:.1f} s and would have to wait {away.wait_s:.1f} s more" if away.waited_s >= _WORTH_TELLING_S else ""
    message = f"{what}: {waited or f'it would have to wait {away.wait_s:.1f} s'}, longer than it may; it was not sent"
    return Problem(429, _cause_of(away.held, providers), message, Origin.PROXY, away.wait_s)


def _cause_of(held: Held, providers: Mapping[str, str | None]) -> Cause:
    if held.by is HeldBy.WINDOW:
        return Cause(held.name)
    provider = providers.get(held.name)
    return Cause.RATE_LIMIT_NYLAS if provider is None else _CAUSE_OF_PROVIDER.get(provider, Cause.RATE_LIMIT_PROVIDER)
