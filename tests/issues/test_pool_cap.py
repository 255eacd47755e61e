"""The cap on upstream connections once bounded the busy ones only."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from proxy.wire.limits import UpstreamLimits
from proxy.wire.pool import Pool
from proxy.wire.upstream_connection import UpstreamConnection

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from proxy.wire.dial import Dialer

NEVER_KEPT = -1.0


class Wire:
    """A transport that can be closed."""

    def __init__(self) -> None:
        self.closed = False

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


class Lines:
    """Connects to nowhere."""

    def __init__(self) -> None:
        self.wires: list[Wire] = []

    async def dial(self, factory: Callable[[], UpstreamConnection]) -> UpstreamConnection:
        connection = factory()
        self.wires.append(Wire())
        connection.connection_made(cast("asyncio.Transport", self.wires[-1]))
        return connection


async def test_an_idle_connection_makes_room_for_a_new_one_at_the_cap() -> None:
    lines = Lines()
    pool = Pool(cast("Dialer", lines), UpstreamLimits(max_connections=2, max_connections_per_key=2))
    kept = [await pool.acquire(b"a", NEVER_KEPT) for _ in range(2)]
    for connection in kept:
        assert isinstance(connection, UpstreamConnection)
        pool.give_back(connection)
    assert isinstance(await pool.acquire(b"a", NEVER_KEPT), UpstreamConnection)
    assert [wire.closed for wire in lines.wires] == [True, False, False]
