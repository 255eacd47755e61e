"""TLS of a listener whose certificate is renewed while it listens."""

from __future__ import annotations

import ssl


class RenewableTls(ssl.SSLContext):
    """A context for a listener, by which nobody shakes hands: each connection does by the one that was given last.

    A context of its own for every renewal has no memory of sessions of the one before, by which a client could come back whose certificate is
    accepted no longer; and nothing has to be closed, so that no connection is lost on the way.

    Args:
        current: The first.

    Attributes:
        current: The one that counts for new connections.
    """

    def __new__(cls, current: ssl.SSLContext) -> RenewableTls:  # noqa: D102, PYI034 - as the base class has it
        del current
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, current: ssl.SSLContext) -> None:
        self.current = current

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Begin one connection; both event loops do so by this method."""
        return self.current.wrap_bio(incoming, outgoing, server_side, server_hostname, session)
