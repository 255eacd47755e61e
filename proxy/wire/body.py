"""Body bytes on their way from the connection that reads them to whoever takes them, with back-pressure."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from proxy.wire.head import Field

HELD_MAX_BYTES: Final = 65_536
"""What is held for a taker that has not come yet before the source stops reading."""


class Source(Protocol):
    """Where a body comes from."""

    def hold_body(self) -> None:
        """Stop reading: the taker is full."""

    def release_body(self) -> None:
        """Go on reading."""


class Sink(Protocol):
    """Where a body goes."""

    def body_data(self, data: bytes) -> None:
        """The next bytes, never empty."""

    def body_end(self, trailers: list[Field]) -> None:
        """The body is complete."""

    def body_broken(self, why: object) -> None:
        """The body will never be complete."""


class Body:
    """One body. Its source feeds it; one taker attaches itself, reads it up to a cap, or discards it.

    Attributes:
        received_bytes: What came so far.
        ended: It is complete.
        broken: Why it will never be complete, or None.
        trailers: The trailer fields of a chunked body.
    """

    __slots__ = ("_held", "_held_bytes", "_holding", "_sink", "_source", "_waiter", "broken", "ended", "received_bytes", "trailers")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._sink: Sink | None = None
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._holding = False
        self._waiter: asyncio.Future[None] | None = None
        self.received_bytes = 0
        self.ended = False
        self.broken: object | None = None
        self.trailers: list[Field] = []

    def feed(self, data: bytes) -> None:
        """The source's next bytes."""
        self.received_bytes += len(data)
        if self._sink is not None:
            self._sink.body_data(data)
            return
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > HELD_MAX_BYTES:
            self.hold()
        self._wake()

    def end(self, trailers: list[Field]) -> None:
        """The source has seen the end."""
        self.ended = True
        self.trailers = trailers
        self.release()
        if self._sink is not None:
            self._sink.body_end(trailers)
        self._wake()

    def abort(self, why: object) -> None:
        """The source will not see the end; a body that is complete stays so."""
        if self.ended or self.broken is not None:
            return
        self.broken = why
        self.release()
        if self._sink is not None:
            self._sink.body_broken(why)
        self._wake()

    def hold(self) -> None:
        """The taker is full. A complete body holds nobody: its source may be busy with the next one."""
        if not self._holding and not self.ended:
            self._holding = True
            self._source.hold_body()

    def release(self) -> None:
        """The taker has room again."""
        if self._holding:
            self._holding = False
            self._source.release_body()

    def held_max_bytes(self) -> int:
        """How much is held, or may come to be, while nobody takes it."""
        return self._held_bytes if self.ended or self._holding else max(self._held_bytes, HELD_MAX_BYTES)

    def take(self) -> bytes:
        """What is held now, so that a head and the first bytes can leave in one write."""
        if not self._held:
            return b""
        data = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        self._held = []
        self._held_bytes = 0
        self.release()
        return data

    def attach(self, sink: Sink) -> None:
        """Hand over what is held, then everything that comes."""
        self._sink = sink
        data = self.take()
        if data:
            sink.body_data(data)
        if self._sink is not sink:
            return
        if self.ended:
            sink.body_end(self.trailers)
        elif self.broken is not None:
            sink.body_broken(self.broken)

    def detach(self, data: bytes) -> None:
        """Take back a piece that the sink cannot use now; it attaches itself again."""
        self._sink = None
        self._held.append(data)
        self._held_bytes += len(data)
        self.hold()

    def leave(self, sink: Sink) -> None:
        """This sink takes no more: what still comes is held, as it was before the sink came, until somebody else takes or discards it."""
        if self._sink is sink:
            self._sink = None
            self.release()

    def discard(self) -> None:
        """Let the rest run into nothing."""
        self.attach(_NOWHERE)

    async def wait_for_first(self) -> None:
        """Return when there is a byte, an end or a break."""
        while not (self._held or self.ended or self.broken is not None):
            await self._progress()

    async def read(self, cap_bytes: int) -> tuple[bytes, bool]:
        """Read up to `cap_bytes`; returns the bytes and whether the body was cut there, or broke off before its end."""
        pieces: list[bytes] = []
        read_bytes = 0
        while True:
            piece = self.take()
            pieces.append(piece)
            read_bytes += len(piece)
            if read_bytes > cap_bytes:
                return b"".join(pieces)[:cap_bytes], True
            if self.ended or self.broken is not None:
                return b"".join(pieces), not self.ended
            await self._progress()

    async def _progress(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _Nowhere:
    """Takes a body that nobody wants."""

    def body_data(self, data: bytes) -> None: ...
    def body_end(self, trailers: list[Field]) -> None: ...
    def body_broken(self, why: object) -> None: ...


_NOWHERE: Final = _Nowhere()
