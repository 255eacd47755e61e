"""Listens, keeps count of connections, sweeps their time-outs, drains."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from proxy.wire.allow_list import AllowList
from proxy.wire.head import Refusal, RefusalReason
from proxy.wire.renewable_tls import RenewableTls
from proxy.wire.server_connection import ServerConnection

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from proxy.wire.exchange import Exchange
    from proxy.wire.limits import ServerLimits

_HANDSHAKE_MAX_S: Final = 10.0
LAST_REQUEST_S: Final = 1.0
"""For so long a connection without a request stays open when the proxy drains; a quarter of the time for draining at most."""
_FOREIGN: Final = Refusal(RefusalReason.CLIENT_NOT_ALLOWED, "this proxy serves no clients of this address")
_NO_PLACE: Final = Refusal(RefusalReason.OVERLOADED, "more connections than this proxy accepts")


class Server:
    """The listening side.

    Args:
        limits: The bounds towards clients.
        handle: Answers a request.
        clients: Who may connect.

    Attributes:
        limits: The bounds towards clients.
        draining: No connection takes a further request.
    """

    def __init__(self, limits: ServerLimits, handle: Callable[[Exchange], None], clients: AllowList | None = None) -> None:
        self.limits = limits
        self._handle = handle
        self._clients = clients or AllowList()
        self.draining = False
        self._connections: set[ServerConnection] = set()
        self._places = 0
        self._listener: asyncio.Server | None = None
        self._tls: RenewableTls | None = None
        self._empty: asyncio.Future[None] | None = None

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None, inherited: socket.socket | None = None) -> int:
        """Accept connections, at the address or on a socket that listens already; returns the port. Raises OSError where it cannot."""
        loop = asyncio.get_running_loop()
        # A connection in its handshake takes no place yet, and costs plain asyncio 300 KB: it does not get the time of a whole head.
        handshake_s = min(self.limits.head_timeout_s, _HANDSHAKE_MAX_S) if tls else None
        self._tls = RenewableTls(tls) if tls else None
        where: dict[str, Any] = {"host": host, "port": port} if inherited is None else {"sock": inherited}
        self._listener = await loop.create_server(
            lambda: ServerConnection(self, loop), ssl=self._tls, backlog=1024, ssl_handshake_timeout=handshake_s, **where
        )
        return int(self._listener.sockets[0].getsockname()[1])

    def renew_tls(self, tls: ssl.SSLContext) -> None:
        """Shake hands by `tls` from now on, where there is TLS; connections that are there keep what they have."""
        if self._tls is not None:
            self._tls.current = tls

    def handle(self, exchange: Exchange) -> None:
        """A request's turn has come."""
        self._handle(exchange)

    def opened(self, connection: ServerConnection, peername: object) -> Refusal | None:
        """A connection is there: it takes a place, or is told why not, and is cut at once where even those that are told so are too many."""
        self._connections.add(connection)
        is_foreign = not self._clients.admits(peername)
        if not is_foreign and self._places < self.limits.max_connections:
            self._places += 1
            return None
        if len(self._connections) - self._places > self.limits.max_connections:
            connection.end()
        return _FOREIGN if is_foreign else _NO_PLACE

    def closed(self, connection: ServerConnection) -> None:
        """A connection is gone."""
        self._connections.discard(connection)
        if connection.has_place:
            self._places -= 1
        if not self._connections and self._empty is not None and not self._empty.done():
            self._empty.set_result(None)

    def connections(self) -> dict[str, int]:
        """Return how many connections are open, by whether they carry a request now."""
        busy = sum(connection.is_busy for connection in self._connections)
        return {"busy": busy, "idle": len(self._connections) - busy}

    def sweep(self, now: float) -> None:
        """End what has taken too long."""
        for connection in list(self._connections):
            connection.check(now)

    def begin_drain(self) -> None:
        """Let each connection end with the answer to its next request; new ones are taken as before."""
        self.draining = True

    async def drain(self, timeout_s: float) -> None:
        """Take no new connection, and let the requests at hand finish, for as long.

        A connection that is kept for a next request stays open for a moment: its client may be sending that just now. The answer ends it.
        """
        self.draining = True
        if self._listener is not None:
            self._listener.close()
        last_s = min(timeout_s / 4, LAST_REQUEST_S)
        await self._wait_until_empty(last_s)
        for connection in list(self._connections):
            connection.close_if_idle()
        await self._wait_until_empty(timeout_s - last_s)

    async def close(self, *, linger: bool = True) -> int:
        """Give what was answered last the time to leave, then end every connection; returns how many had to be ended."""
        if linger:
            await self._wait_until_empty(self.limits.linger_s)
        left = len(self._connections)
        for connection in list(self._connections):
            connection.end()
        return left

    async def _wait_until_empty(self, timeout_s: float) -> None:
        if self._connections:
            self._empty = asyncio.get_running_loop().create_future()
            await asyncio.wait([self._empty], timeout=timeout_s)
