"""One request of a client and its answer, as whoever handles requests sees them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, Protocol

from proxy.wire.body import Body
from proxy.wire.framing import CHUNKED, UNTIL_CLOSE, encode_chunk, last_chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from proxy.wire.framing import Framing
    from proxy.wire.head import Field, Refusal, RequestHead, ResponseHead

_CONTINUE: Final = 100
_CLOSE: Final = b"Connection: close\r\n\r\n"


class ClientSide(Protocol):
    """What an exchange needs of the connection that it belongs to."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def exchange_finished(self, exchange: Exchange) -> None:
        """The answer is complete: the next request's turn, or the end."""

    def reset(self) -> None:
        """End the connection so that nothing sent before looks complete."""

    def wants_close(self) -> bool:
        """The connection takes no further request."""

    def hold_body(self) -> None:
        """Stop reading."""

    def release_body(self) -> None:
        """Go on reading."""


class Exchange:
    """One request, to be answered exactly once: by `answer` or by `cut_off`.

    Attributes:
        head: The request, or None where none could be read.
        body: Its body.
        refusal: Why the request is not accepted, or None.
        started_at: When its head was complete, in seconds of the monotonic clock (a loop's own time may be rounded to milliseconds).
        gone: The client has left, nobody reads the answer.
        on_gone: Called once when the client leaves before the answer is complete.
        informed: An interim answer was passed on.
        answering: The answer's head has been given.
        answered_at: When, as `started_at`; 0 before.
        closes: The connection ends after the answer.
        finished: The answer is complete, or will never be.
        cut: It will never be.
        sent_bytes: Body bytes given to the client.
    """

    __slots__ = (
        "_answer_body", "_chunked", "_connection", "_may_continue", "_waiter", "answered_at", "answering", "body", "closes", "cut", "finished",
        "gone", "head", "informed", "on_gone", "refusal", "sent_bytes", "started_at",
    )  # fmt: skip

    def __init__(self, connection: ClientSide, head: RequestHead | None, refusal: Refusal | None, started_at: float) -> None:
        self._connection = connection
        self._answer_body: Body | None = None
        self._chunked = False
        self._may_continue = False
        self._waiter: asyncio.Future[None] | None = None
        self.head = head
        self.body = Body(connection)
        self.refusal = refusal
        self.started_at = started_at
        self.gone = False
        self.on_gone: Callable[[], None] | None = None
        self.answering = False
        self.answered_at = 0.0
        self.finished = False
        self.cut = False
        self.closes = refusal is not None
        self.informed = False
        self.sent_bytes = 0

    def awaits_permission(self) -> bool:
        """The client waits for an interim answer before it sends its body (RFC 9110 section 10.1.1): it is not its turn."""
        return self.head is not None and b"expect" in self.head.index and not self.informed and not self.body.received_bytes

    def inform(self, head: ResponseHead) -> None:
        """Relay an interim answer, which only HTTP/1.1 knows (RFC 9110 section 15.2)."""
        if self.gone or self.answering or self.head is None or self.head.is_http_10:
            return
        if head.status == _CONTINUE and self._may_continue:
            return  # a repeated call was told so again
        self._may_continue |= head.status == _CONTINUE
        self.informed = True
        self._connection.write(b"".join(_render(head.status, head.reason, head.end_to_end())) + b"\r\n")

    def answer(self, status: int, reason: bytes, fields: Iterable[Field], framing: Framing, body: Body | bytes) -> None:
        """Give the answer: its head now, its body as it comes.

        `fields` hold the framing fields that `framing` stands for; of chunked coding nothing reaches an HTTP/1.0 client
        (RFC 9112 section 6.1).
        """
        if self.finished or self.answering:
            raise RuntimeError("an exchange is answered once")
        self.answering = True
        self.answered_at = time.monotonic()
        if self.gone:
            self._finish()
            if isinstance(body, Body):
                body.discard()
            return
        is_http_10 = self.head is not None and self.head.is_http_10
        self._chunked = framing is CHUNKED and not is_http_10
        if framing is CHUNKED and is_http_10:
            fields = [field for field in fields if field[0].lower() not in {b"transfer-encoding", b"trailer"}]
        self.closes |= self._must_close(framing)
        parts = _render(status, reason, fields)
        parts.append(_CLOSE if self.closes else b"\r\n")
        self._send(parts, body)

    def _must_close(self, framing: Framing) -> bool:
        if self.head is None or self.head.is_http_10 or framing is UNTIL_CLOSE:
            return True
        return not self.body.ended or b"close" in self.head.connection_options() or self._connection.wants_close()

    def _send(self, parts: list[bytes], body: Body | bytes) -> None:
        """One write for the head and what is there of the body."""
        if isinstance(body, Body):
            self._answer_body = body
        data = body if isinstance(body, bytes) else body.take()
        if data:
            self.sent_bytes += len(data)
            parts.append(encode_chunk(data) if self._chunked else data)
        if isinstance(body, bytes) or body.ended:
            if self._chunked and not isinstance(body, bytes):
                parts.append(last_chunk(body.trailers))
            self._connection.write(b"".join(parts))
            self._finish()
            return
        self._connection.write(b"".join(parts))
        body.attach(self)

    def cut_off(self) -> None:
        """End the exchange so that the client cannot take it for complete."""
        if self.finished:
            return
        self.cut = True
        self.closes = True
        self._answer_body = None
        if not self.gone:
            self._connection.reset()
        self._finish()

    def client_left(self) -> None:
        """The client's connection is gone, or going."""
        if self.gone or self.finished:
            return
        self.gone = True
        self.body.abort("the client has left")
        if self.on_gone is not None:
            self.on_gone()
        if self._answer_body is not None:
            self._answer_body.discard()
            self._answer_body = None
            self.cut = True
            self._finish()

    async def wait_finished(self) -> None:
        """Return when the answer is complete, or will never be."""
        if not self.finished:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def hold(self) -> None:
        """The client takes no more for now."""
        if self._answer_body is not None:
            self._answer_body.hold()

    def release(self) -> None:
        """The client takes more."""
        if self._answer_body is not None:
            self._answer_body.release()

    def _finish(self) -> None:
        self.finished = True
        self._answer_body = None
        self.on_gone = None  # or every request would leave a cycle for the garbage collector: a fifth of all CPU time
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._connection.exchange_finished(self)

    # the answer's body, from upstream

    def body_data(self, data: bytes) -> None:
        """Send the next bytes on."""
        self.sent_bytes += len(data)
        self._connection.write(encode_chunk(data) if self._chunked else data)

    def body_end(self, trailers: list[Field]) -> None:
        """The answer is complete."""
        if self._chunked:
            self._connection.write(last_chunk(trailers))
        self._finish()

    def body_broken(self, why: object) -> None:  # noqa: ARG002 - a Sink is told why; what the client sees is the same
        """The answer will never be complete."""
        self.cut_off()


def _render(status: int, reason: bytes, fields: Iterable[Field]) -> list[bytes]:
    parts = [b"HTTP/1.1 %d %b\r\n" % (status, reason)]
    for name, value in fields:
        parts += (name, b": ", value, b"\r\n")
    return parts
