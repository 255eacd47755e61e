"""Limits in words, and those in force as `nylas-proxy check-config` prints them: lines of comments, so that the whole stays a valid configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proxy.core.quota import Limit


def lines(limits: Iterable[Limit], *, enforces: bool) -> Iterator[str]:
    """Yield a line for each limit: what is let through, whose it is, what it counts; `enforces` is false where limits are only observed."""
    force = "in force" if enforces else 'that are only observed (limits.mode = "observe": nothing waits for them)'
    yield f"# limits {force}, less the reserve, but for caps on what goes at a time; periods are taken longer by the headroom"
    for limit in limits:
        yield f"# {limit.name}: {promise(limit)}"


def promise(limit: Limit) -> str:
    """Return in words how much is let through, and whose limit it is."""
    if not limit.enforced:
        return f"not kept: {limit.why}"
    whose = f"for each {'application' if limit.level == 'application' else 'grant or account'}{' and endpoint' if limit.each_family else ''}"
    of = f" at {limit.provider}" if limit.provider else ""
    if limit.in_flight:
        return f"{limit.allowed} at a time {whose}{of}"
    return f"{limit.allowed} {limit.unit.replace('_', ' ')}s in {limit.per_s:g} s {whose}{of}"
