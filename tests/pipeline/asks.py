"""What requests ask, with sensible defaults."""

from __future__ import annotations

import itertools

from proxy.core.quota import Ask, Cap, Claim, Level, Unit
from proxy.core.window import Opening

SECOND_US = 1_000_000
_lease_ids = itertools.count(1)


def a_claim(key: str = "limit", count: int = 2, window_us: int = SECOND_US, cost: int = 1) -> Claim:
    return Claim(key, f"name of {key}", Level.GRANT, count, window_us, cost, Unit.REQUEST)


def a_cap(key: str = "cap", count: int = 1) -> Cap:
    return Cap(key, f"name of {key}", Level.GRANT, count)


def an_ask(*claims: Claim, caps: tuple[Cap, ...] = (), scopes: tuple[str, ...] = ()) -> Ask:
    return Ask("app", claims, caps, scopes, f"lease-{next(_lease_ids)}")


def an_opening(wait_s: float = 8.0, *, probes: bool = True, growth_percent: int = 200) -> Opening:
    return Opening(int(wait_s * SECOND_US), 3600 * SECOND_US, growth_percent, "exchange_throttle", probes)
