"""The client's side of the proxy: one connection, its requests in order, its time-outs (RFC 9112 section 9)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING, Final, cast

from proxy.wire.exchange import Exchange
from proxy.wire.flow import REQUESTS_WAITING, TAKER_FULL, Flow, Outflow, reset
from proxy.wire.head import Field, Refusal, RefusalReason, RequestHead
from proxy.wire.request_reader import RequestReader

if TYPE_CHECKING:
    from proxy.wire.listener import Listener

_NEVER: Final = float("inf")


class ServerConnection(asyncio.Protocol):
    """Reads requests, hands them out one at a time, writes the answers in order.

    Attributes:
        served: How many requests it has answered.
        has_place: It counts towards the cap on connections.
    """

    _transport: asyncio.Transport
    _flow: Flow
    _outflow: Outflow

    def __init__(self, server: Listener, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._reader = RequestReader(server.limits, self)
        self._queue: deque[Exchange] = deque()
        self._running: Exchange | None = None
        self._waiting_since = self._last_read_at = loop.time()
        self._linger_until = _NEVER
        self._lost = False
        self.served = 0
        self.has_place = False

    @property
    def is_busy(self) -> bool:
        """It carries a request now."""
        return bool(self._queue)

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._transport = cast("asyncio.Transport", transport)
        self._flow = Flow(self._transport)
        self._outflow = Outflow(self._transport)
        refusal = self._server.opened(self, transport.get_extra_info("peername"))
        self.has_place = refusal is None
        if refusal is not None:
            self._reader.refuse(refusal)

    def data_received(self, data: bytes) -> None:
        """Bytes of the client: read them, or let them run into nothing while lingering."""
        if self._linger_until != _NEVER:
            return
        self._last_read_at = self._loop.time()
        was_in_head = self._reader.in_head
        self._reader.feed(data)
        if self._reader.in_head and not was_in_head:
            self._waiting_since = self._last_read_at

    def eof_received(self) -> bool:
        """The client has closed its half. That counts as leaving: nothing tells it from a client that is gone."""
        self._client_left()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        del exc  # a reset and an end are the same here: nobody reads any more
        self._lost = True
        self._server.closed(self)
        self._client_left()

    def pause_writing(self) -> None:
        """The client takes nothing for now."""
        self._outflow.pause(self._loop.time())
        if self._running is not None:
            self._running.hold()

    def resume_writing(self) -> None:
        """The client takes bytes again."""
        self._outflow.resume()
        if self._running is not None:
            self._running.release()
        self._advance()

    # what the reader finds

    def request_head(self, head: RequestHead) -> None:
        """A request begins."""
        self._append(Exchange(self, head, None, time.monotonic()))

    def request_data(self, data: bytes) -> None:
        """Bytes of the request that is being read."""
        self._queue[-1].body.feed(data)

    def request_end(self, trailers: list[Field]) -> None:
        """The request that is being read is complete."""
        self._queue[-1].body.end(trailers)

    def request_refused(self, refusal: Refusal) -> None:
        """Nothing is read any more: the refusal belongs to the request that is being read, or stands in a request's place."""
        if self._reader.in_body and self._queue and not self._queue[-1].finished:
            self._queue[-1].closes = True
            self._queue[-1].body.abort(refusal)
        elif self._linger_until == _NEVER:
            self._append(Exchange(self, None, refusal, time.monotonic()))

    def _append(self, exchange: Exchange) -> None:
        self._queue.append(exchange)
        if len(self._queue) > 1:
            self._flow.hold(REQUESTS_WAITING)
        self._advance()

    def _advance(self) -> None:
        """Hand out the first request, unless one is being answered or the client does not take what it was answered before."""
        if self._running is None and self._queue and not self._outflow.is_paused:
            self._running = self._queue[0]
            self._server.handle(self._running)

    # what an exchange needs

    def write(self, data: bytes) -> None:
        """Send bytes."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def wants_close(self) -> bool:
        """The proxy is draining, or the connection has carried as many requests as one may."""
        return self._server.draining or self.served + 1 >= self._server.limits.requests_per_connection

    def hold_body(self) -> None:
        """The taker of a request's body is full."""
        self._flow.hold(TAKER_FULL)

    def release_body(self) -> None:
        """It has room again; the time that it took is not the client's."""
        self._last_read_at = self._loop.time()
        self._flow.release(TAKER_FULL)

    def reset(self) -> None:
        """End the connection so that nothing sent before looks complete."""
        if not self._lost:  # or the descriptor may be somebody else's by now
            reset(self._transport)

    def exchange_finished(self, exchange: Exchange) -> None:
        """The next request's turn, or the end."""
        if self._running is not exchange:
            return
        self._running = None
        self._queue.popleft()
        self.served += 1
        self._waiting_since = self._last_read_at = self._loop.time()
        incomplete = not exchange.body.ended
        exchange.body.discard()
        if exchange.closes or (self._server.draining and not self._queue):
            # RFC 9112 section 9.6; TLS cannot close one half, and a client that reads to the end would wait for the whole of it.
            self._close(linger=incomplete or exchange.refusal is not None or self._transport.can_write_eof())
            return
        if len(self._queue) <= 1:
            self._flow.release(REQUESTS_WAITING)
        self._advance()

    # endings

    def close_if_idle(self) -> None:
        """Close unless a request is being read or answered (the proxy drains)."""
        if not self._queue and not self._reader.in_head:
            self._close(linger=False)

    def end(self) -> None:
        """Close now; with a reset where the client has not taken all of an answer, so that it cannot take what it has for the whole."""
        if self._running is not None or self._transport.get_write_buffer_size():
            self.reset()
        else:
            self._transport.close()

    def _close(self, *, linger: bool) -> None:
        self._leave_queue()
        if not linger:
            self._transport.close()
            return
        # RFC 9112 section 9.6: close the sending half, read on for a while, so that a reset does not overtake the answer.
        self._linger_until = self._loop.time() + self._server.limits.linger_s
        self._flow.release(TAKER_FULL | REQUESTS_WAITING)
        if not self._transport.is_closing() and self._transport.can_write_eof():
            with contextlib.suppress(OSError):  # the client has reset the connection, and the loop has not seen it yet
                self._transport.write_eof()

    def _client_left(self) -> None:
        self._leave_queue()
        if not self._transport.is_closing() and self._transport.get_write_buffer_size() and self._linger_until == _NEVER:
            self.reset()

    def _leave_queue(self) -> None:
        self._running = None
        waiting = list(self._queue)
        self._queue.clear()
        for exchange in waiting:
            exchange.client_left()

    # time-outs, looked at once per sweep

    def check(self, now: float) -> None:
        """End what has taken too long."""
        limits = self._server.limits
        if now >= self._linger_until:
            self.end()
        elif self._outflow.is_paused:
            if self._outflow.is_stalled(now, limits.write_timeout_s):
                self.reset()
        elif self._queue:
            self._check_body(now)
        elif self._reader.in_head:
            if now - self._waiting_since > limits.head_timeout_s:
                self._reader.refuse(Refusal(RefusalReason.TIMEOUT, "the request's head did not arrive in time"))
        elif now - self._waiting_since > (limits.idle_timeout_s if self.served else limits.head_timeout_s):
            self.end()

    def _check_body(self, now: float) -> None:
        if not self._reader.in_body or self._flow.is_held or self._queue[-1].awaits_permission():
            return
        if now - self._last_read_at > self._server.limits.body_timeout_s:
            self._reader.refuse(Refusal(RefusalReason.TIMEOUT, "the request's body did not arrive in time"))
