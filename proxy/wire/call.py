"""What a call upstream ends with: a response whose body still comes, or a failure. Values, never exceptions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from proxy.wire.framing import last_chunk

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.wire.body import Body, Sink
    from proxy.wire.framing import Framing
    from proxy.wire.head import Field, ResponseHead
    from proxy.wire.limits import CallLimits


class CallEnd(Enum):
    """Why a call ended without a response."""

    UNREACHABLE = "no connection"
    FULL = "no connection is free"
    CLOSED = "the connection ended before a response"
    UNREADABLE = "the response is not readable"
    TIMEOUT = "no response in time"
    REQUEST_BROKEN = "the request's body broke off"


@dataclass(frozen=True, slots=True)
class CallFailure:
    """A call without a response.

    Attributes:
        end: Why.
        detail: One sentence that quotes nothing of the request.
        sent: Bytes of the request have left.
        reused: The connection had served a request before, so upstream may have closed it before it saw this one.
        got_bytes: Something of a response had arrived.
        broken_by: What broke the request's body, where that is the end.
    """

    end: CallEnd
    detail: str
    sent: bool = False
    reused: bool = False
    got_bytes: bool = False
    broken_by: object = None


class Outgoing(Protocol):
    """A request's body as a call takes it: the client's as it comes, or one that is kept to be sent again."""

    @property
    def received_bytes(self) -> int:
        """What came so far."""

    @property
    def ended(self) -> bool:
        """What was taken is all there is."""

    @property
    def trailers(self) -> list[Field]:
        """The trailer fields of a chunked body that has ended."""

    def take(self) -> bytes:
        """What is there now; a call takes once, before it attaches itself."""

    def attach(self, sink: Sink) -> None:
        """Hand over the rest, now and as it comes."""

    def detach(self, data: bytes) -> None:
        """Take back a piece that the sink cannot use now; it attaches itself again."""

    def leave(self, sink: Sink) -> None:
        """This sink takes no more."""

    def hold(self) -> None:
        """Upstream takes nothing for now."""

    def release(self) -> None:
        """It takes bytes again."""


class Call(NamedTuple):
    """A request as it goes upstream.

    Attributes:
        head: Its rendered head.
        method: Its method, which decides about the response's body.
        framing: How its body is delimited.
        body: Its body.
        limits: Its time-outs.
        on_interim: Told each interim (1xx) answer.
        private_prefix: Trailers whose lower-case name begins so are not sent.
    """

    head: bytes
    method: bytes
    framing: Framing
    body: Outgoing
    limits: CallLimits
    on_interim: Callable[[ResponseHead], None]
    private_prefix: bytes

    def last_chunk(self, trailers: list[Field]) -> bytes:
        """The end of a chunked body."""
        return last_chunk([field for field in trailers if not field[0].lower().startswith(self.private_prefix)])


class Response:
    """A response: its head, its body as it comes, and the way to let go of it."""

    __slots__ = ("abandon", "body", "head")

    def __init__(self, head: ResponseHead, body: Body, abandon: Callable[[], None]) -> None:
        self.head = head
        self.body = body
        self.abandon = abandon
