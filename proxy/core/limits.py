"""Reads the table of limits, and what settings change in it."""

from __future__ import annotations

import math
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.core.catalogue import OTHER
from proxy.core.model import Api
from proxy.core.quota import Body, Level, Limit, Unit
from proxy.core.rows import Row

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

_NEVER_COUNTED: Final = frozenset({Unit.BYTE, Unit.RECIPIENT})
_NO_OVERRIDES: Final[Mapping[str, Mapping[str, object]]] = MappingProxyType({})


class Tuning(NamedTuple):
    """What settings say about limits.

    Attributes:
        headroom: How much longer than published a period is taken, as a share of it; caps know no period.
        reserve: The share of every count that is left to what does not pass the proxy; caps keep theirs, they are small enough.
        profile: The generation of Gmail's quotas, "classic" or "2026".
        overrides: By name of the limit: `count`, `per_s`.
    """

    headroom: float = 0.05
    reserve: float = 0.0
    profile: str = "classic"
    overrides: Mapping[str, Mapping[str, object]] = _NO_OVERRIDES


def read_limits(
    rows: Iterable[Mapping[str, object]], families: Mapping[str, Container[str]], sources: Container[str], tuning: Tuning
) -> tuple[Limit, ...]:
    """Return the limits that stand under the profile of `tuning`, in the order of the table.

    Args:
        rows: As `limit` in `facts/limits.toml`.
        families: The endpoint families of each API, under their names.
        sources: The keys that rows may name.
        tuning: What settings say.

    Raises:
        ValueError: A row or an override is incomplete, misspelt or impossible; the text names it.
    """
    tables = [dict(row) for row in rows]
    names = [str(table.get("name")) for table in tables]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"limits: {name!r} is given twice")
    for name in tuning.overrides:
        if name not in names:
            near = get_close_matches(name, names, 1)
            raise ValueError(f"limits: no limit {name!r}" + (f", did you mean {near[0]!r}?" if near else ""))
    read = (_limit(table, families, sources, tuning) for table in tables)
    return tuple(limit for profile, limit in read if profile in {"", tuning.profile})


def _limit(values: dict[str, object], families: Mapping[str, Container[str]], sources: Container[str], tuning: Tuning) -> tuple[str, Limit]:
    label = f"limit {values.get('name')!r}"
    row = Row(_overridden(values, tuning.overrides.get(str(values.get("name")), {}), label), label)
    profile = row.take("profile", str, "")
    api = Api(row.take("api", str)) if row.has("api") else None
    in_flight = row.has("in_flight")
    count = _whole(row, "in_flight" if in_flight else "count", label)
    per_s = _seconds(row, label)
    limit = Limit(
        name=row.take("name", str),
        api=api,
        level=Level(row.take("level", str)),
        provider=row.take("provider", str) if row.has("provider") else None,
        families=_families(row, families, api, label),
        count=count,
        per_s=per_s,
        unit=Unit(row.take("unit", str, Unit.REQUEST)),
        in_flight=in_flight,
        each_family=row.take("each_family", bool, default=False),
        body=Body(row.take("body", str, Body.ANY)),
        enforced=row.take("enforced", bool, default=True),
        why=row.take("why", str, ""),
        source=row.take("source", str),
        allowed=count if in_flight else max(1, math.floor(round(count * (1 - tuning.reserve), 6))),
        window_us=math.ceil(per_s * 1e6 * (1 + tuning.headroom)),
    )
    row.finish()
    _refuse_impossible(limit, sources, label)
    return profile, limit


def _overridden(values: dict[str, object], override: Mapping[str, object], label: str) -> dict[str, object]:
    """Return the row with the numbers of settings. Whoever gives a number wants the limit kept, also one that is not kept otherwise."""
    if not override:
        return values
    if unknown := override.keys() - {"count", "per_s"}:
        raise ValueError(f"{label}: {min(unknown)} cannot be overridden, only count and per_s")
    changed = {**values, **override, "enforced": True, "why": ""}
    if "in_flight" in values and "count" in override:
        changed["in_flight"] = changed.pop("count")
    return changed


def _whole(row: Row, key: str, label: str) -> int:
    value = row.take(key, int, 0)
    if isinstance(value, bool) or value < 0:
        raise ValueError(f"{label}: {key} must be a whole number of at least 1, not {value!r}")
    return value


def _seconds(row: Row, label: str) -> float:
    value = row.take("per_s", object, 0.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{label}: per_s must be a number of seconds above 0, not {value!r}")
    return float(value)


def _families(row: Row, families: Mapping[str, Container[str]], api: Api | None, label: str) -> frozenset[str]:
    named = row.take_texts("families")
    for name in named:
        if name != OTHER and not any(name in families[one] for one in ([api] if api else Api)):
            raise ValueError(f"{label}: no family {name!r} of {api or 'any API'}")
    return frozenset(named)


def _refuse_impossible(limit: Limit, sources: Container[str], label: str) -> None:
    if limit.source not in sources:
        raise ValueError(f"{label}: no source {limit.source!r}")
    if limit.in_flight and limit.per_s:
        raise ValueError(f"{label}: a cap on requests in flight has no per_s")
    if limit.enforced == bool(limit.why):
        raise ValueError(f"{label}: why is told of limits that are not enforced, and of no others")
    if not limit.enforced:
        return
    if limit.unit in _NEVER_COUNTED:
        raise ValueError(f"{label}: nobody counts its unit, {limit.unit}, so that it cannot be enforced")
    if not limit.count or not (limit.in_flight or limit.per_s):
        raise ValueError(f"{label}: needs a count of at least 1 and a per_s above 0, or in_flight")
