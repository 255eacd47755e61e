"""Request bodies that can be sent again: what goes upstream is kept meanwhile, up to a cap and within what the process may keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from proxy.wire.body import Body, Sink
    from proxy.wire.head import Field

_JOINED_MAX_BYTES: Final = 4096
"""Smaller pieces are kept as one: a body in chunks of one byte would take forty times its size."""
_AT_ONCE_BYTES: Final = 65_536
"""How much of a repeated body leaves in one write with its head: longer ones go piece by piece, which copies nothing."""


class KeptMemory:
    """How much of request bodies the process keeps, and how much it may.

    Attributes:
        max_bytes: The bound.
        used_bytes: What is kept now.
        bodies_unkept: How many found no room, and went on without being kept.
    """

    __slots__ = ("bodies_unkept", "max_bytes", "used_bytes")

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.used_bytes = 0
        self.bodies_unkept = 0

    def take(self, size_bytes: int) -> bool:
        """Book so much more of one body, unless it would be too much: then nothing of that body is kept."""
        if self.used_bytes + size_bytes > self.max_bytes:
            self.bodies_unkept += 1
            return False
        self.used_bytes += size_bytes
        return True

    def give_back(self, size_bytes: int) -> None:
        """So much is kept no longer."""
        self.used_bytes -= size_bytes


class Replay:
    """A client's body for one call upstream after the other: each gets it from its first byte, and its framing is the client's.

    Between two calls, and before the first, the client's body holds what comes and soon stops reading, as any body without a
    taker does. Whoever makes one lets it go when no further call will come.
    """

    __slots__ = ("_body", "_cap_bytes", "_has_begun", "_kept", "_kept_bytes", "_memory", "_pending", "_sink")

    def __init__(self, body: Body, memory: KeptMemory, cap_bytes: int) -> None:
        self._body = body
        self._memory = memory
        self._cap_bytes = cap_bytes
        self._kept: list[bytes] | None = []
        self._kept_bytes = 0
        self._pending: list[bytes] = []
        self._sink: Sink | None = None
        self._has_begun = False

    @property
    def replayable(self) -> bool:
        """Another call can have all of it: nothing that came was lost, and nothing broke it."""
        return self._kept is not None and self._body.broken is None

    def let_go(self) -> None:
        """Keep nothing any more; a call under way still gets the rest."""
        if self._kept is not None:
            self._kept = None
            self._memory.give_back(self._kept_bytes)

    # what a call takes

    @property
    def received_bytes(self) -> int:
        """What came so far."""
        return self._body.received_bytes

    @property
    def ended(self) -> bool:
        """What this call took is all there is."""
        return self._body.ended and not self._pending

    @property
    def trailers(self) -> list[Field]:
        """The trailer fields of a chunked body that has ended."""
        return self._body.trailers

    def take(self) -> bytes:
        """A call begins: the first bytes, so that they can leave with its head."""
        if self._has_begun:
            return self._take_again()
        self._has_begun = True
        data = self._body.take()
        if data:
            self._keep(data)
        return data

    def _take_again(self) -> bytes:
        if self._kept is None:
            raise RuntimeError("what came of this body is kept no longer")
        if self._sink is not None:
            raise RuntimeError("a body goes to one call at a time")
        self._pending = pending = list(self._kept)
        data = self._body.take()
        if data:
            self._keep(data)
            pending.append(data)
        count = size_bytes = 0
        while count < len(pending) and size_bytes < _AT_ONCE_BYTES:
            size_bytes += len(pending[count])
            count += 1
        first = b"".join(pending[:count])
        del pending[:count]
        return first

    def attach(self, sink: Sink) -> None:
        """Hand over what was kept at once, then the rest as it comes."""
        self._sink = sink
        while self._pending:
            sink.body_data(self._pending.pop(0))
            if self._sink is not sink:
                return
        self._body.attach(self)

    def detach(self, data: bytes) -> None:
        """Take back a piece that the sink cannot use now; it attaches itself again."""
        self._sink = None
        self._pending.insert(0, data)
        self._body.leave(self)

    def leave(self, sink: Sink) -> None:
        """The call is over; what still comes is held for the next one."""
        if self._sink is sink:
            self._sink = None
            self._body.leave(self)

    def hold(self) -> None:
        """Upstream takes nothing for now."""
        self._body.hold()

    def release(self) -> None:
        """It takes bytes again."""
        self._body.release()

    # what the client sends

    def body_data(self, data: bytes) -> None:
        """Keep the next bytes and pass them on."""
        self._keep(data)
        if self._sink is not None:
            self._sink.body_data(data)

    def body_end(self, trailers: list[Field]) -> None:
        """The body is complete."""
        if self._sink is not None:
            self._sink.body_end(trailers)

    def body_broken(self, why: object) -> None:
        """The body will never be complete, for no call."""
        self.let_go()
        if self._sink is not None:
            self._sink.body_broken(why)

    def _keep(self, data: bytes) -> None:
        kept = self._kept
        if kept is None:
            return
        size_bytes = len(data)
        if self._kept_bytes + size_bytes > self._cap_bytes or not self._memory.take(size_bytes):
            self.let_go()
            return
        self._kept_bytes += size_bytes
        if kept and len(kept[-1]) + size_bytes <= _JOINED_MAX_BYTES:
            kept[-1] += data
        else:
            kept.append(data)
