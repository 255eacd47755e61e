"""Which way bytes may flow on a connection: in, as long as nobody holds it; out, as long as the other side takes them."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import ssl
import struct
import termios
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

# Who may hold a connection: each reason is a bit, because they come and go independently of each other.
TAKER_FULL: Final = 1
REQUESTS_WAITING: Final = 2

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


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


class Outflow:
    """Whether the other side takes what is written to it."""

    __slots__ = ("_since", "_transport", "_unsent_bytes")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._since: float | None = None
        self._unsent_bytes = 0

    @property
    def is_paused(self) -> bool:
        """The transport's buffer is full."""
        return self._since is not None

    def pause(self, now: float) -> None:
        """The transport takes no more for now."""
        self._since = now
        self._unsent_bytes = unsent_bytes(self._transport)

    def resume(self) -> None:
        """It takes more."""
        self._since = None

    def is_stalled(self, now: float, timeout_s: float) -> bool:
        """Tell whether the other side has taken no byte for so long."""
        if self._since is None:
            return False
        left_bytes = unsent_bytes(self._transport)
        if left_bytes != self._unsent_bytes:
            self._unsent_bytes = left_bytes
            self._since = now
        return now - self._since > timeout_s


def unsent_bytes(transport: asyncio.Transport) -> int:
    """What the other side has not acknowledged: in our buffer, and in the kernel's, which takes megabytes before it says that it is full."""
    in_kernel = bytearray(4)
    with contextlib.suppress(OSError, AttributeError):  # no socket any more: it is all over
        fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, in_kernel)
    return transport.get_write_buffer_size() + int(struct.unpack("i", in_kernel)[0])


def reset(transport: asyncio.Transport) -> None:
    """End a connection with a reset, which nobody takes for the end of a message (RFC 9112 section 8)."""
    with contextlib.suppress(OSError, AttributeError):  # no socket any more: it is all over
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()


def was_closed_properly(transport: asyncio.Transport) -> bool:
    """Tell whether an end of stream is the other side's word: over TLS an end without a closure alert may be anybody's."""
    tls = transport.get_extra_info("ssl_object")
    if tls is None:
        return True
    try:
        rest: bytes = tls.read(1)
    except ssl.SSLZeroReturnError:
        return True
    except ssl.SSLError:
        return False
    return rest == b""
