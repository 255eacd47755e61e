"""Ledgers as proxies have them, with the time-outs of the settings."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

from ledger.asks import MS, SCOPE, admitted, ask, claim
from proxy.core.book import Admitted
from proxy.ledger.failover import FailoverLedger, State
from proxy.ledger.local import now_us
from proxy.ledger.pipe import Pipe
from proxy.ledger.shared import SharedLedger

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND = 1000 * MS
CONNECT_S = 0.03
COMMAND_S = 0.05


class Reachable(Protocol):
    """A server, or a way to it."""

    @property
    def url(self) -> str: ...


class Proxy:
    """A ledger as a proxy has it, and what it said of itself."""

    def __init__(self, url: str, *, replicas: int = 1, refuses: bool = False) -> None:
        self.pipe = Pipe(url, CONNECT_S, COMMAND_S)
        self.shared = SharedLedger(self.pipe, now_us)
        self.ledger = FailoverLedger(self.shared, replicas=replicas, refuses=refuses, probe_every_s=0.01)
        self.states: list[State] = []
        self.reasons: list[str] = []
        self.changed = asyncio.Event()
        self.on_rejoining: Callable[[], None] = lambda: None
        self.ledger.on_state_change = self._note
        self.pipe.on_away = self.ledger.lose

    def _note(self, state: State, why: str) -> None:
        self.states.append(state)
        if state is State.REJOINING:
            self.on_rejoining()
        self.reasons += [why] if why else []
        self.changed.set()

    async def becomes(self, state: State) -> None:
        async with asyncio.timeout(5):
            while self.ledger.state is not state:
                self.changed.clear()
                await self.changed.wait()


async def a_proxy(server: Reachable, proxies: list[Proxy], *, replicas: int = 1, refuses: bool = False) -> Proxy:
    """One that has been asked."""
    proxies.append(Proxy(server.url, replicas=replicas, refuses=refuses))
    await admitted(proxies[-1].ledger, ask(claim(key="warm-up"), scopes=(SCOPE,)))
    return proxies[-1]


def another_proxy(server: Reachable, proxies: list[Proxy]) -> Proxy:
    """One that has not been asked."""
    proxies.append(Proxy(server.url))
    return proxies[-1]


async def crowd(proxy: Proxy, people: int, count: int) -> tuple[int, float]:
    """Return how many of them were admitted, and how long the last had to wait for its answer."""
    began = time.monotonic()
    results = await asyncio.gather(*(proxy.ledger.admit(ask(claim(count=count, window_us=60 * SECOND))) for _ in range(people)))
    return sum(isinstance(result, Admitted) for result in results), time.monotonic() - began
