"""The limits in force, as `nylas-proxy check-config` prints them: lines of comments, so that the whole stays a valid configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy import facts
from proxy.core.limits import Tuning, read_limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proxy.core.quota import Limit
    from proxy.settings import Limits


def effective_limits(settings: Limits) -> tuple[Limit, ...]:
    """Return the limits as the settings have them.

    Raises:
        ValueError: An override is impossible; the text names it.
    """
    tuning = Tuning(settings.headroom, settings.reserve, settings.gmail_profile, settings.overrides)
    return read_limits(facts.load("limits")["limit"], facts.load("routes")["families"], facts.load("sources"), tuning)


def lines(limits: Iterable[Limit]) -> Iterator[str]:
    """Yield a line for each limit: what is let through, whose it is, what it counts."""
    yield "# limits in force, less the reserve; periods are taken longer by the headroom"
    for limit in limits:
        yield f"# {limit.name}: {_promise(limit)}"


def _promise(limit: Limit) -> str:
    if not limit.enforced:
        return f"not kept: {limit.why}"
    whose = f"for each {'application' if limit.level == 'application' else 'grant or account'}{' and endpoint' if limit.each_family else ''}"
    of = f" at {limit.provider}" if limit.provider else ""
    if limit.in_flight:
        return f"{limit.allowed} at a time {whose}{of}"
    return f"{limit.allowed} {limit.unit.replace('_', ' ')}s in {limit.per_s:g} s {whose}{of}"
