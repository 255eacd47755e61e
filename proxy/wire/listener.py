"""What a client's connection needs of the server that it came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from proxy.wire.exchange import Exchange
    from proxy.wire.head import Refusal
    from proxy.wire.limits import ServerLimits
    from proxy.wire.server_connection import ServerConnection


class Listener(Protocol):
    """The server, as its connections see it."""

    limits: ServerLimits
    draining: bool

    def handle(self, exchange: Exchange) -> None:
        """Answer a request."""

    def opened(self, connection: ServerConnection, peername: object) -> Refusal | None:
        """A connection is there, from an address as its transport names it; returns why it is not served, or None."""

    def closed(self, connection: ServerConnection) -> None:
        """A connection is gone."""
