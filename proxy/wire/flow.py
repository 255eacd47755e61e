"""Whether a connection may read: it may as long as nobody holds it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

# Who may hold a connection: each reason is a bit, because they come and go independently of each other.
TAKER_FULL: Final = 1
REQUESTS_WAITING: Final = 2


class Flow:
    """Counts who holds a connection, and pauses its transport while anybody does."""

    __slots__ = ("_holders", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._holders = 0

    @property
    def is_held(self) -> bool:
        """Reading is paused."""
        return self._holders != 0

    def hold(self, holder: int) -> None:
        """Stop reading on behalf of `holder`."""
        if not self._holders and not self._transport.is_closing():
            self._transport.pause_reading()
        self._holders |= holder

    def release(self, holder: int) -> None:
        """`holder` has no objection any more."""
        if not self._holders & holder:
            return
        self._holders &= ~holder
        if not self._holders and not self._transport.is_closing():
            self._transport.resume_reading()
