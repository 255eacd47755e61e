"""Which limits are kept, how large, and how fast their clock runs: the table `[limits]` of a scenario file.

[limits]                                       # its presence switches the limits on, like --limits
speed = 60                                     # periods of more than a second, and Exchange windows, pass so much faster
gmail_profile = "2026"                         # else "classic"
exchange_window_s = 8                          # length of a window that a limit opened
v3_messages = { count = 20, per_s = 0.05 }     # any limit: another count, another period, or both
v2_account = false                             # not kept
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from proxy.simulator.limit_rows import LIMITS, Limit

if TYPE_CHECKING:
    from collections.abc import Mapping

PROFILES = ("classic", "2026")
EXCHANGE_WINDOW_S = 1200.0
MAX_SPEED = 1_000_000.0
MAX_PERIOD_S = 1e7
_LONG_FROM_S = 1.0
"""Longer periods follow the speed; limits per second stay limits per second."""

_OWN_KEYS = ("speed", "gmail_profile", "exchange_window_s")
_KNOWN = {limit.name: limit for limit in LIMITS}


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """How limits are kept.

    Attributes:
        enforced: Whether any is. Exchange windows opened on cue hold in any case.
        speed: So much faster than real time do long periods and windows pass.
        gmail_profile: Google's prices: `classic` or `2026`.
        exchange_window_s: Length of a window that a limit opened.
        changed: Limits that differ from the table, by name; None: not kept.
    """

    enforced: bool = False
    speed: float = 1.0
    gmail_profile: str = PROFILES[0]
    exchange_window_s: float = EXCHANGE_WINDOW_S
    changed: Mapping[str, Limit | None] = field(default_factory=dict)

    def sped(self, seconds: float) -> float:
        """A length of time as this simulator's clock has it."""
        return seconds / self.speed if seconds > _LONG_FROM_S else seconds

    def limits(self) -> tuple[Limit, ...]:
        """What is kept, in order."""
        if not self.enforced:
            return ()
        limits = (self.changed.get(limit.name, limit) for limit in LIMITS)
        return tuple(replace(limit, per_s=self.sped(limit.per_s)) for limit in limits if limit and limit.count and self._has_profile(limit))

    def _has_profile(self, limit: Limit) -> bool:
        return limit.profile in {"", self.gmail_profile}


def read_limits(table: object) -> LimitSettings | list[str]:
    """Read the table, or say all that is wrong with it."""
    if not isinstance(table, dict):
        return ["'limits' must be written as a table: [limits]"]
    mistakes = [f"unknown key {key!r}; allowed are {', '.join((*_OWN_KEYS, *_KNOWN))}" for key in table if key not in {*_OWN_KEYS, *_KNOWN}]
    speed, window_s = table.get("speed", 1), table.get("exchange_window_s", EXCHANGE_WINDOW_S)
    profile = table.get("gmail_profile", PROFILES[0])
    if not _is_number(speed, MAX_SPEED):
        mistakes.append(f"key 'speed' must be a number above 0, up to {MAX_SPEED:g}")
    if not _is_number(window_s, MAX_PERIOD_S):
        mistakes.append(f"key 'exchange_window_s' must be a number of seconds above 0, up to {MAX_PERIOD_S:g}")
    if profile not in PROFILES:
        mistakes.append(f"key 'gmail_profile' must be one of {', '.join(PROFILES)}")
    changed = {name: _changed(_KNOWN[name], value) for name, value in table.items() if name in _KNOWN}
    mistakes += [f"key {name!r} {wrong}" for name, wrong in changed.items() if isinstance(wrong, str)]
    if mistakes:
        return mistakes
    kept = {name: limit for name, limit in changed.items() if not isinstance(limit, str)}
    return LimitSettings(enforced=True, speed=float(speed), gmail_profile=profile, exchange_window_s=float(window_s), changed=kept)


def _is_number(value: object, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= high


def _changed(limit: Limit, value: object) -> Limit | str | None:
    if value is False:
        return None
    if not isinstance(value, dict) or not value or not {"count", "per_s"}.issuperset(value):
        return "must be { count = N, per_s = SECONDS }, one of the two, or false"
    count, per_s = value.get("count", limit.count), value.get("per_s", limit.per_s)
    if type(count) is not int or count < 1:
        return "must have a count that is a whole number from 1"
    if not limit.per_s and "per_s" in value:
        return "counts requests at once: it has no per_s"
    if limit.per_s and not _is_number(per_s, MAX_PERIOD_S):
        return f"must have a per_s above 0, up to {MAX_PERIOD_S:g}"
    return replace(limit, count=count, per_s=float(per_s))
