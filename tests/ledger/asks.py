"""Asks with all that does not matter left out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from proxy.core.book import Admitted, Held
from proxy.core.quota import Ask, Cap, Claim, Level, Unit
from proxy.core.window import Opening

if TYPE_CHECKING:
    from proxy.ledger import Ledger

MS = 1000
SCOPE = "grant:5b1f"
EXCHANGE = Opening(40 * MS, 400 * MS, 200, "exchange")
MAILBOX = Cap("microsoft in flight:-:5b1f", "microsoft in flight", Level.GRANT, 1)


def claim(cost: int = 1, *, count: int = 2, key: str = "messages", window_us: int = 60 * MS) -> Claim:
    return Claim(key, f"limit {key}", Level.GRANT, count, window_us, cost, Unit.REQUEST)


def ask(*claims: Claim, caps: tuple[Cap, ...] = (), scopes: tuple[str, ...] = (), lease_id: str = "a", application: str = "app") -> Ask:
    return Ask(application, claims, caps, scopes, lease_id)


async def admitted(ledger: Ledger, asked: Ask) -> Admitted:
    result = await ledger.admit(asked)
    assert isinstance(result, Admitted), result
    return result


async def held(ledger: Ledger, asked: Ask) -> Held:
    result = await ledger.admit(asked)
    assert isinstance(result, Held), result
    return result


async def passed(us: int) -> None:
    """A little more than that: the server's clock, which a window opened here reaches a moment later, counts as well."""
    await asyncio.sleep((us + 2 * MS) / 1e6)
