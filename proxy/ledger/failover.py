"""A shared ledger that its server may leave.

    shared ── no answer ──► local-safe ── server runs scripts ──► rejoining ── it has all it missed ──► shared
                                ▲                                     │
                                └────────────── no answer ────────────┘

One time-out is paid, by all who wait at that moment together. Alone, a process admits from what it knows itself, and keeps to its part of each
limit and cap: the count divided by the number of proxies, rounded down, but at least 1, so that where there are more proxies than units they may
exceed it together. A single cost over the part goes alone.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar

from proxy.core.quota import Cap, Claim
from proxy.ledger.away import AwayError

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.book import Admitted, Held
    from proxy.core.quota import Ask
    from proxy.ledger.shared import SharedLedger

PROBE_EVERY_S: Final = 0.1

_ClaimOrCap = TypeVar("_ClaimOrCap", Claim, Cap)


class State(StrEnum):
    """Who counts."""

    SHARED = "shared"
    LOCAL_SAFE = "local-safe"
    REJOINING = "rejoining"


class FailoverLedger:
    """Asks the shared ledger while it answers.

    Args:
        shared: It.
        replicas: How many proxies share it.
        refuses: Admit nobody while it is away: `admit` raises AwayError.
        probe_every_s: How often to look whether it is back.

    Attributes:
        state: Who counts now.
        book: What this process knows.
        on_state_change: Told the new state and, where the server was lost, why.
    """

    def __init__(self, shared: SharedLedger, *, replicas: int, refuses: bool, probe_every_s: float = PROBE_EVERY_S) -> None:
        self.state = State.SHARED
        self.book = shared.book
        self.on_state_change: Callable[[State, str], None] = lambda _state, _why: None
        self._shared = shared
        self._replicas = replicas
        self._refuses = refuses
        self._probe_every_s = probe_every_s
        self._returning: asyncio.Task[None] | None = None
        self.settle = shared.settle
        self.move = shared.move
        self.renew = shared.renew
        self.release = shared.release
        self.open_window = shared.open_window
        self.announced = shared.announced
        self.end_probe = shared.end_probe
        self._asked = False
        self._looking: asyncio.Task[None] | None = None

    async def admit(self, ask: Ask) -> Admitted | Held:
        """Book all that is asked, or nothing."""
        if self.state is State.SHARED:
            self._asked = True
            try:
                return await self._shared.admit(ask)
            except AwayError as away:
                self.lose(str(away))
        if self._refuses:
            raise AwayError("nobody counts while the shared ledger is away")
        return self._shared.admit_alone(self._part_of(ask))

    def forecast_us(self, claim: Claim, units: int) -> int:
        """Return how long until the last of `units` that queue for a limit has its turn, as far as this process knows."""
        return self._shared.forecast_us(claim if self.state is State.SHARED else self._part(claim), units)

    def lets_pass(self, claim: Claim, before: int, within_us: int) -> bool:
        """Tell whether a claim fits now, and `before` units of its limit would fit within `within_us` all the same, as far as this process knows."""
        return self._shared.lets_pass(claim if self.state is State.SHARED else self._part(claim), before, within_us)

    def sweep(self) -> None:
        """Forget what holds nothing back any more; where nobody has asked since the last sweep, look whether the server is there."""
        self._shared.sweep()
        if not self._asked and self.state is State.SHARED and self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look())
        self._asked = False

    async def _look(self) -> None:
        try:
            await self._shared.touch()
        except AwayError as away:
            self.lose(str(away))
        finally:
            self._looking = None

    def lose(self, why: str) -> None:
        """The server does not answer."""
        if self.state is not State.SHARED:
            return
        self._shared.leave()
        self._become(State.LOCAL_SAFE, why)
        self._returning = asyncio.get_running_loop().create_task(self._return())

    def close(self) -> None:
        """Look for the server no longer."""
        for task in (self._returning, self._looking):
            if task is not None:
                task.cancel()

    async def _return(self) -> None:
        while self.state is not State.SHARED:
            await asyncio.sleep(self._probe_every_s)
            try:
                await self._shared.touch()
                self._become(State.REJOINING, "")
                await self._shared.give_back()
            except AwayError as away:
                if self.state is State.REJOINING:
                    self._become(State.LOCAL_SAFE, str(away))
            else:
                self._shared.come_back()
                self._become(State.SHARED, "")

    def _become(self, state: State, why: str) -> None:
        self.state = state
        self.on_state_change(state, why)

    def _part_of(self, ask: Ask) -> Ask:
        if self._replicas == 1:
            return ask
        return ask._replace(claims=tuple(self._part(claim) for claim in ask.claims), caps=tuple(self._part(cap) for cap in ask.caps))

    def _part(self, of: _ClaimOrCap) -> _ClaimOrCap:
        return of._replace(count=max(1, of.count // self._replicas))
