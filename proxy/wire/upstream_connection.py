"""The proxy's side of upstream: one connection, one call at a time, its time-outs."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Protocol, cast

from proxy.wire.body import Body
from proxy.wire.call import Call, CallEnd, CallFailure, Response
from proxy.wire.flow import TAKER_FULL, Flow, Outflow, was_closed_properly
from proxy.wire.framing import UNTIL_CLOSE
from proxy.wire.response_reader import ResponseReader
from proxy.wire.upload import Upload, is_quiet

if TYPE_CHECKING:
    from proxy.wire.head import Field, ResponseHead
    from proxy.wire.limits import UpstreamLimits



class _Home(Protocol):
    """The pool that a connection belongs to: it is given back when it can take the next call, forgotten when it is gone."""

    limits: UpstreamLimits

    def give_back(self, connection: UpstreamConnection) -> None: ...
    def forget(self, connection: UpstreamConnection) -> None: ...


class UpstreamConnection(asyncio.Protocol):
    """Sends one request at a time and reads its response.

    Attributes:
        idle_since: When the last call ended, in the loop's time.
        key: Whose call it serves, for the caps.
        served: How many calls it has answered.
    """

    _transport: asyncio.Transport
    _flow: Flow
    _outflow: Outflow

    def __init__(self, pool: _Home, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self._loop = loop
        self._reader = ResponseReader(pool.limits, self)
        self._call: Call | None = None
        self._outcome: asyncio.Future[Response | CallFailure] | None = None
        self._response_body: Body | None = None
        self._upload: Upload | None = None
        self._last_progress_at = 0.0
        self._keeps_alive = False
        self.served = 0
        self.idle_since = loop.time()
        self.key: object = None

    def is_usable(self) -> bool:
        """A call can be sent on it."""
        return self._call is None and not self._transport.is_closing()

    def is_quiet(self) -> bool:
        """Nothing has arrived that the loop has not seen yet; on an idle connection that could only be its end."""
        return is_quiet(self._transport)

    def send(self, call: Call) -> asyncio.Future[Response | CallFailure]:
        """Send a request: head and what is there of the body leave in one write; the future ends with the response's head."""
        self._call = call
        self._outcome = outcome = self._loop.create_future()
        self._last_progress_at = self._loop.time()
        self._keeps_alive = False
        self._reader.expect(call.method)
        self._upload = Upload(call, self._transport, self._loop, self)
        self._upload.start()
        return outcome

    def abandon(self, call: Call) -> None:
        """Nobody waits for this call any more: the connection ends, unless the call is over and it serves another."""
        if self._call is call:
            self._end(CallFailure(CallEnd.CLOSED, "the call was abandoned", sent=True))

    def close(self) -> None:
        """Close a connection that serves no call."""
        self._transport.close()

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected (and TLS agreed)."""
        self._transport = cast("asyncio.Transport", transport)
        self._flow = Flow(self._transport)
        self._outflow = Outflow(self._transport)

    def data_received(self, data: bytes) -> None:
        """Bytes of upstream; unasked ones end the connection, they would be taken for the next response."""
        if self._call is None:
            self._transport.abort()
            return
        self._last_progress_at = self._loop.time()
        self._reader.feed(data)

    def eof_received(self) -> bool:
        """Upstream has closed: that completes a body that only the end delimits; with TLS, only where TLS says so too (RFC 9112 section 9.8)."""
        if self._call is not None and was_closed_properly(self._transport):
            self._reader.end_of_stream()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; what was not complete is broken off."""
        self._pool.forget(self)
        how = "closed" if exc is None else "reset"
        self._end(self._failure(CallEnd.CLOSED, f"upstream {how} the connection before a complete response"))

    def pause_writing(self) -> None:
        """Upstream takes nothing for now."""
        self._outflow.pause(self._loop.time())
        if self._call is not None:
            self._call.body.hold()

    def resume_writing(self) -> None:
        """Upstream takes bytes again."""
        self._outflow.resume()
        self._last_progress_at = self._loop.time()
        if self._call is not None:
            self._call.body.release()

    # what the upload finds

    def takes_no_more(self) -> bool:
        """Upstream takes nothing for now."""
        return self._outflow.is_paused

    def upload_ended(self) -> None:
        """The request is complete."""
        self._last_progress_at = self._loop.time()
        self._release_if_done()

    def upload_broken(self, why: object) -> None:
        """The request will never be complete: upstream must not take what it has for one."""
        self._end(self._failure(CallEnd.REQUEST_BROKEN, "the request's body broke off", broken_by=why))

    # what the reader finds

    def response_head(self, head: ResponseHead) -> None:
        """Interim answers are relayed; the final one ends the waiting."""
        if self._call is None:
            return
        if head.status < 200:  # noqa: PLR2004 - RFC 9110 section 15.2
            self._call.on_interim(head)
            return
        self._keeps_alive = not head.is_http_10 and b"close" not in head.connection_options() and head.framing is not UNTIL_CLOSE
        self._response_body = Body(self)
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(Response(head, self._response_body, partial(self.abandon, self._call)))

    def response_data(self, data: bytes) -> None:
        """Bytes of the response's body."""
        if self._response_body is not None:
            self._response_body.feed(data)

    def response_end(self, trailers: list[Field]) -> None:
        """The response is complete."""
        if self._response_body is not None:
            self._response_body.end(trailers)
        self._release_if_done()

    def response_unreadable(self, detail: str) -> None:
        """What comes is no response."""
        self._end(self._failure(CallEnd.UNREADABLE, f"upstream's response cannot be passed on: {detail}"))

    # the response body's source

    def hold_body(self) -> None:
        """The client takes no more for now."""
        self._flow.hold(TAKER_FULL)

    def release_body(self) -> None:
        """It takes more; the time that it took is not upstream's."""
        self._last_progress_at = self._loop.time()
        self._flow.release(TAKER_FULL)

    def _failure(self, end: CallEnd, detail: str, broken_by: object = None) -> CallFailure:
        return CallFailure(end, detail, sent=True, reused=self.served > 0, got_bytes=self._reader.got_bytes, broken_by=broken_by)

    def _release_if_done(self) -> None:
        """Take the next call once request and response are complete; a response before the request's end leaves no usable connection."""
        if self._call is None or not self._reader.finished:
            return
        upload, self._upload = self._upload, None
        self._call = self._outcome = self._response_body = None
        self.served += 1
        complete = upload is not None and upload.has_left()
        if upload is not None:
            upload.stop()
        if complete and self._keeps_alive and not self._transport.is_closing():
            self.idle_since = self._loop.time()
            self._pool.give_back(self)
        else:
            self._transport.abort()

    def _end(self, failure: CallFailure) -> None:
        """End the connection and whatever it serves."""
        call, self._call = self._call, None
        if call is not None:
            if self._outcome is not None and not self._outcome.done():
                self._outcome.set_result(failure)
            if self._response_body is not None:
                self._response_body.abort(failure)
            if self._upload is not None:
                self._upload.stop()
        self._response_body = self._upload = None
        self._transport.abort()

    def check(self, now: float) -> None:
        """End what has taken too long; the sweep looks at every connection now and then."""
        call = self._call
        if call is None:
            if now - self.idle_since > self._pool.limits.idle_timeout_s:
                self._transport.close()
        elif self._outflow.is_paused:
            if self._outflow.is_stalled(now, call.limits.stall_timeout_s):
                self._end(self._failure(CallEnd.TIMEOUT, "upstream stopped taking the request"))
        elif self._response_body is not None:
            if not self._flow.is_held and now - self._last_progress_at > call.limits.stall_timeout_s:
                self._end(self._failure(CallEnd.TIMEOUT, "upstream's response stalled"))
        elif self._upload is not None and now - self._upload.waiting_since(self._last_progress_at) > call.limits.response_timeout_s:
            self._end(self._failure(CallEnd.TIMEOUT, "upstream did not respond in time"))
