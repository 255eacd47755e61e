"""Connections to one upstream: kept alive, capped in all and per caller, newest first."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from proxy.wire.call import CallEnd, CallFailure
from proxy.wire.dial import DialError
from proxy.wire.upstream_connection import UpstreamConnection

if TYPE_CHECKING:
    from collections.abc import Hashable

    from proxy.wire.dial import Dialer
    from proxy.wire.limits import UpstreamLimits


NO_MATTER_HOW_LONG: Final = float("inf")
"""For calls that may be repeated: they take a kept connection without a further look at it."""


class Pool:
    """Hands out connections and takes them back.

    A place under the caps is held from `acquire` to the end of the call. Waiting for one is bounded by the connect time-out,
    and nobody waits behind a caller whose own cap is what binds.
    """

    def __init__(self, dialer: Dialer, limits: UpstreamLimits) -> None:
        self.limits = limits
        self.dialer = dialer
        self._idle: dict[UpstreamConnection, None] = {}
        self._open: set[UpstreamConnection] = set()
        self._busy = 0
        self._busy_by_key: dict[Hashable, int] = {}
        self._waiting: deque[tuple[Hashable, asyncio.Future[None]]] = deque()

    async def acquire(self, key: Hashable, idle_max_s: float) -> UpstreamConnection | CallFailure:
        """A connection to send on: a kept one that was idle for at most `idle_max_s`, else a new one."""
        if not self._take_place(key):
            try:
                await self._wait_for_place(key)
            except TimeoutError:
                return CallFailure(CallEnd.FULL, "every connection to upstream that this caller may use is busy")
        return self._take_idle(key, idle_max_s) or await self._connect(key)

    def acquire_now(self, key: Hashable, idle_max_s: float) -> UpstreamConnection | None:
        """The same, where nothing has to be waited for; else None."""
        if not self._idle or not self._take_place(key):
            return None
        connection = self._take_idle(key, idle_max_s)
        if connection is None:
            self._free(key)
        return connection

    def give_back(self, connection: UpstreamConnection) -> None:
        """The call is over and the connection can take another."""
        self._idle[connection] = None
        self._leave_place(connection)

    def forget(self, connection: UpstreamConnection) -> None:
        """The connection is gone, from whichever state."""
        self._idle.pop(connection, None)
        self._open.discard(connection)
        self._leave_place(connection)

    def connections(self) -> dict[str, int]:
        """Return how many connections are open, by whether they carry a request now."""
        return {"busy": len(self._open) - len(self._idle), "idle": len(self._idle)}

    def sweep(self, now: float) -> None:
        """End what has taken too long."""
        for connection in list(self._open):
            connection.check(now)

    def close(self) -> None:
        """Close what is idle; calls at hand keep their connections."""
        for connection in list(self._idle):
            connection.close()

    async def _connect(self, key: Hashable) -> UpstreamConnection | CallFailure:
        loop = asyncio.get_running_loop()
        if len(self._open) >= self.limits.max_connections and self._idle:
            oldest = next(iter(self._idle))  # the cap is on open connections, and this one is the least likely to be of use
            del self._idle[oldest]
            oldest.close()
        try:
            connection = await self.dialer.dial(lambda: UpstreamConnection(self, loop))
        except DialError as error:
            self._free(key)
            return CallFailure(CallEnd.UNREACHABLE, str(error))
        except BaseException:
            self._free(key)
            raise
        connection.key = key
        self._open.add(connection)
        return connection

    def _take_idle(self, key: Hashable, idle_max_s: float) -> UpstreamConnection | None:
        """The newest kept connection, which is least likely to have been closed by upstream meanwhile."""
        while self._idle:
            connection, _ = self._idle.popitem()
            if not connection.is_usable():
                continue
            if asyncio.get_running_loop().time() - connection.idle_since > idle_max_s:
                self._idle[connection] = None
                return None
            if idle_max_s != NO_MATTER_HOW_LONG and not connection.is_quiet():
                continue
            connection.key = key
            return connection
        return None

    # places under the caps

    def _may_take(self, key: Hashable) -> bool:
        return self._busy < self.limits.max_connections and self._busy_by_key.get(key, 0) < self.limits.max_connections_per_key

    def _take_place(self, key: Hashable) -> bool:
        if not self._may_take(key):
            return False
        self._busy += 1
        self._busy_by_key[key] = self._busy_by_key.get(key, 0) + 1
        return True

    def _leave_place(self, connection: UpstreamConnection) -> None:
        key, connection.key = connection.key, None
        if key is not None:
            self._free(key)

    def _free(self, key: Hashable) -> None:
        self._busy -= 1
        if self._busy_by_key[key] == 1:
            del self._busy_by_key[key]
        else:
            self._busy_by_key[key] -= 1
        self._wake_one()

    def _wake_one(self) -> None:
        """Give the free place to the first in line who may have it."""
        for waiting in self._waiting:
            key, place = waiting
            if not place.done() and self._take_place(key):
                place.set_result(None)
                self._waiting.remove(waiting)
                return

    async def _wait_for_place(self, key: Hashable) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = (key, place)
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(self.limits.connect_timeout_s):
                await place
        except BaseException:
            if place.done() and not place.cancelled():
                self._free(key)
            else:
                self._waiting.remove(waiting)
            raise
