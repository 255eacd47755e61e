"""Which door a throttling answer closes, and for how long: the rows of `facts/windows.toml`.

The wait is the one that upstream named, else the default of its row, between the floor and the cap of the row. What becomes of an open window is
`proxy.core.window`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.core.backoff import JITTER_MAX_S, JITTER_SHARE
from proxy.core.model import Api, Cause
from proxy.core.rows import Row
from proxy.core.window import Opening

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from proxy.core.model import RequestContext, Verdict


class Scope(StrEnum):
    """What a window holds; the key of a scope begins with it."""

    APPLICATION = "application"
    GRANT = "grant"
    SENDS = "sends"


class Source(StrEnum):
    """Where a wait comes from."""

    RETRY_AFTER = "retry_after"
    DEFAULT = "default"


class Throttle(NamedTuple):
    """A door to close.

    Attributes:
        scope: The key, one of those that the request asked admission for.
        opening: The window.
        source: Who named its length.
    """

    scope: str
    opening: Opening
    source: Source

    @property
    def wait_s(self) -> float:
        """How long the scope is left alone."""
        return self.opening.wait_us / 1e6


@dataclass(frozen=True, slots=True)
class WindowRow:
    """One row of `facts/windows.toml`, whose head describes the columns."""

    causes: frozenset[Cause]
    api: Api | None
    statuses: tuple[int, ...]
    families: tuple[str, ...]
    routes: tuple[str, ...]
    closes: Mapping[Scope, Scope]
    default_s: float
    floor_s: float
    cap_s: float
    growth: float
    margin_s: float
    spread: float
    probes: bool

    def fits(self, status: int, context: RequestContext) -> bool:
        """Tell whether an answer of one of its causes, with this status and to this request, meets the further conditions."""
        route = context.route
        return (
            (self.api is None or self.api is route.api)
            and (not self.statuses or status in self.statuses)
            and (not self.families or route.family in self.families)
            and (not self.routes or route.name in self.routes)
        )

    def wait_s(self, named_s: float | None, *, roll: float) -> float:
        """Return how long to wait after an answer that named `named_s`."""
        wait_s = self.default_s if named_s is None else named_s + min(self.margin_s, named_s)
        wait_s = max(wait_s, self.floor_s)
        return min(wait_s + roll * min(self.spread * wait_s, JITTER_MAX_S), self.cap_s)

    def with_default(self, seconds: float) -> WindowRow:
        """Return the row with another default; floor and cap move along where it lies beyond them."""
        return replace(self, default_s=seconds, floor_s=min(self.floor_s, seconds), cap_s=max(self.cap_s, seconds))


_NO_SECONDS: Final[Mapping[Cause, float]] = MappingProxyType({})
_COLUMNS: Final = {
    "send": (Scope.SENDS, frozenset({Scope.SENDS, Scope.GRANT})),
    "grant": (Scope.GRANT, frozenset({Scope.GRANT})),
    "application": (Scope.APPLICATION, frozenset({Scope.APPLICATION})),
}
"""The columns that say what is closed: the narrowest scope that such a request asks for, and what it can close."""


class Throttles:
    """Knows the rows.

    Args:
        rows: As `window` in `facts/windows.toml`.
        sources: The keys that rows may name.
        default_s: What settings say, in seconds, in place of the rows' defaults.

    Raises:
        ValueError: A row or a setting is misspelt or impossible; the text names it.
    """

    def __init__(self, rows: Iterable[Mapping[str, object]], sources: Container[str], default_s: Mapping[Cause, float] = _NO_SECONDS) -> None:
        self.rows = tuple(_window_row(values, sources, f"window {number} ({values.get('causes')})") for number, values in enumerate(rows, start=1))
        self._by_cause = {cause: [row for row in self.rows if cause in row.causes] for cause in Cause}
        for cause, seconds in default_s.items():
            if not self._by_cause[cause]:
                raise ValueError(f"windows: {cause} opens none, so that it has no seconds")
            if not 0 < seconds < math.inf:
                raise ValueError(f"windows: {cause} must be a number of seconds above 0, not {seconds!r}")
            self._by_cause[cause] = [row.with_default(seconds) for row in self._by_cause[cause]]

    def throttle_for(self, verdict: Verdict, context: RequestContext, *, status: int, scopes: Iterable[str], roll: float) -> Throttle | None:
        """Return what an answer closes, if anything.

        Args:
            verdict: What the answer means.
            context: The request.
            status: Of the answer.
            scopes: The keys of the scopes that the request asked admission for.
            roll: The dice, from 0 up to 1.
        """
        row = next((row for row in self._by_cause[verdict.cause] if row.fits(status, context)), None)
        keys = {key.partition(":")[0]: key for key in scopes}
        asks_for = next((scope for scope, _ in _COLUMNS.values() if scope in keys), None)
        if row is None or asks_for is None or asks_for not in row.closes:
            return None
        wait_us = math.ceil(row.wait_s(verdict.retry_after_s, roll=roll) * 1e6)
        opening = Opening(wait_us, math.ceil(row.cap_s * 1e6), round(row.growth * 100), str(verdict.cause), row.probes)
        return Throttle(keys[row.closes[asks_for]], opening, Source.DEFAULT if verdict.retry_after_s is None else Source.RETRY_AFTER)


def _window_row(values: Mapping[str, object], sources: Container[str], label: str) -> WindowRow:
    row = Row(values, label)
    default_s = _number(row, "default_s", 0.0, label)
    read = WindowRow(
        causes=frozenset(Cause(cause) for cause in row.take_texts("causes")),
        api=Api(row.take("api", str)) if row.has("api") else None,
        statuses=tuple(row.take("statuses", list, [])),
        families=row.take_texts("families"),
        routes=row.take_texts("routes"),
        closes={asks_for: Scope(row.take(column, str)) for column, (asks_for, _) in _COLUMNS.items() if row.has(column)},
        default_s=default_s,
        floor_s=_number(row, "floor_s", default_s, label),
        cap_s=_number(row, "cap_s", default_s, label),
        growth=_number(row, "growth", 1.0, label),
        margin_s=_number(row, "margin_s", 0.0, label),
        spread=_number(row, "spread", JITTER_SHARE, label),
        probes=row.take("probes", bool, default=True),
    )
    source = row.take("source", str)
    row.finish()
    if source not in sources:
        raise ValueError(f"{label}: no source {source!r}")
    _refuse_impossible(read, label)
    return read


def _refuse_impossible(row: WindowRow, label: str) -> None:
    if any(row.closes[asks_for] not in closable for asks_for, closable in _COLUMNS.values() if asks_for in row.closes):
        raise ValueError(f"{label}: a request closes only what it asks admission for")
    if not row.causes or not all(isinstance(status, int) for status in row.statuses):
        raise ValueError(f"{label}: needs causes, and statuses that are numbers")
    if row.closes and not 0 < row.floor_s <= row.default_s <= row.cap_s < math.inf:
        raise ValueError(f"{label}: needs 0 < floor_s <= default_s <= cap_s")
    if not (row.growth >= 1 and row.margin_s >= 0 and row.spread >= 0):
        raise ValueError(f"{label}: needs growth of at least 1; margin_s and spread are not negative")


def _number(row: Row, key: str, default: float, label: str) -> float:
    value = row.take(key, object, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{label}: {key} must be a number, not {value!r}")  # noqa: TRY004 - the row is misspelt, no argument is
    return float(value)
