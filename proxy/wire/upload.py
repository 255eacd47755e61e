"""A request on its way to upstream: head and first bytes in one write, the rest of the body as it comes."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Final, Protocol

from proxy.wire.flow import unsent_bytes
from proxy.wire.framing import CHUNKED, encode_chunk

if TYPE_CHECKING:
    import asyncio

    from proxy.wire.call import Call
    from proxy.wire.head import Field

_NEVER: Final = float("inf")
_LOOK_S: Final = 0.002
"""How long an upload waits for the loop to read what upstream has said: an iteration or two."""
_KERNEL_TAKES_BYTES: Final = 16_384


class UploadOwner(Protocol):
    """The connection that a request goes out on."""

    def takes_no_more(self) -> bool:
        """Its transport is full for now."""

    def upload_ended(self) -> None:
        """The request is complete."""

    def upload_broken(self, why: object) -> None:
        """The request will never be complete."""


class Upload:
    """Sends one request."""

    __slots__ = ("_call", "_has_looked", "_loop", "_owner", "_sent_at", "_stopped", "_transport")

    def __init__(self, call: Call, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, owner: UploadOwner) -> None:
        self._call = call
        self._transport = transport
        self._loop = loop
        self._owner = owner
        self._sent_at = _NEVER
        self._has_looked = False
        self._stopped = False

    def start(self) -> None:
        """Send the head and what is there of the body, in one write."""
        call, chunked = self._call, self._call.framing is CHUNKED
        parts = [call.head]
        data = call.body.take()
        if data:
            parts.append(encode_chunk(data) if chunked else data)
        if call.body.ended:
            if chunked:
                parts.append(call.last_chunk(call.body.trailers))
            self._sent_at = self._loop.time()
        self._transport.write(b"".join(parts))
        if not call.body.ended:
            call.body.attach(self)

    def stop(self) -> None:
        """Send no more; what still comes of the body is whoever's who sends it again, or answers without."""
        self._stopped = True
        self._call.body.leave(self)

    def has_left(self) -> bool:
        """All of the request has left this process."""
        if self._sent_at == _NEVER or self._transport.get_write_buffer_size():
            return False
        # Upstream may have answered without reading a long body: the next request would wait behind what the kernel still holds of it.
        return self._call.body.received_bytes < _KERNEL_TAKES_BYTES or not unsent_bytes(self._transport)

    def waiting_since(self, otherwise: float) -> float:
        """Since when upstream's answer is waited for: the request's end, `otherwise` while it waits for permission to send a body, else not yet."""
        body = self._call.body
        return self._sent_at if body.ended or body.received_bytes else otherwise

    def body_data(self, data: bytes) -> None:
        """Send the next bytes, unless upstream has something to say: writing to a connection that it resets would lose an early answer unread."""
        if self._stopped or self._transport.is_closing():
            return
        if not self._has_looked and not is_quiet(self._transport):
            self._call.body.detach(data)
            self._loop.call_later(_LOOK_S, self._go_on)
            return
        self._transport.write(encode_chunk(data) if self._call.framing is CHUNKED else data)

    def _go_on(self) -> None:
        """The loop has read what there was; what is there now is no message of HTTP: TLS has messages of its own."""
        if not self._stopped:
            self._has_looked = True
            self._call.body.attach(self)
            self._has_looked = False
            if self._owner.takes_no_more():
                self._call.body.hold()

    def body_end(self, trailers: list[Field]) -> None:
        """The request is complete."""
        if self._stopped or self._transport.is_closing():
            return
        if self._call.framing is CHUNKED:
            self._transport.write(self._call.last_chunk(trailers))
        self._sent_at = self._loop.time()
        self._owner.upload_ended()

    def body_broken(self, why: object) -> None:
        """The request will never be complete."""
        if not self._stopped:
            self._owner.upload_broken(why)


def is_quiet(transport: asyncio.Transport) -> bool:
    """Nothing has arrived that the loop has not seen yet; an end counts, it makes a socket readable."""
    poller = select.poll()
    poller.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return not poller.poll(0)
