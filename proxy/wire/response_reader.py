"""Bytes of an upstream turned into responses by llhttp, and what llhttp lets pass refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import httptools

from proxy.wire.chunk_overhead import ChunkOverhead
from proxy.wire.framing import CHUNKED, NO_BODY, UNTIL_CLOSE, FramingError
from proxy.wire.head import NO_TRAILERS, Field, ReadField, ResponseHead
from proxy.wire.response_rules import FIRST_FINAL_STATUS, objection_to_line, objection_to_size, response_framing

if TYPE_CHECKING:
    from proxy.wire.limits import UpstreamLimits

class ResponseSink(Protocol):
    """Who is told what was read."""

    def response_head(self, head: ResponseHead) -> None:
        """A head: interim (1xx) or final."""

    def response_data(self, data: bytes) -> None:
        """The next bytes of the body."""

    def response_end(self, trailers: list[Field]) -> None:
        """The response is complete."""

    def response_unreadable(self, detail: str) -> None:
        """What comes is no response that can be passed on; nothing is read after it."""


class ResponseReader:
    """Reads the responses on one connection, one request at a time.

    Attributes:
        finished: The response to the last request is complete, or none was asked for: bytes that come now are unasked.
        got_bytes: Something of the response has arrived.
    """

    def __init__(self, limits: UpstreamLimits, sink: ResponseSink) -> None:
        self._limits = limits
        self._sink = sink
        self._parser = httptools.HttpResponseParser(self)
        self._unreadable = False
        self.finished = True
        self.expect(b"")
        self.finished = True

    def expect(self, method: bytes) -> None:
        """A request with `method` goes out; its response comes next."""
        if not self.finished:
            raise RuntimeError("a response is still expected on this connection")
        self._method = method
        self._fields: list[ReadField] = []
        self._trailers: list[Field] = []
        self._reason = b""
        self._framing = NO_BODY
        self._overhead = ChunkOverhead(self._limits.head_max_bytes)
        self._final = False
        self._head_bytes = self._body_bytes = self._raw_left_bytes = self._fed_bytes = self._trailer_count = 0
        self.got_bytes = False
        self.finished = False

    def feed(self, data: bytes) -> None:
        """Read the next bytes; everything found is told to the sink before this returns.

        Large packets are read in slices: what is bounded can only be looked at between two calls of the parser.
        """
        self.got_bytes = True
        slice_bytes = self._limits.head_max_bytes
        if len(data) <= slice_bytes and not self._raw_left_bytes and not self._unreadable:
            self._parse(data)
            return
        for start in range(0, len(data), slice_bytes):
            if self._raw_left_bytes:
                self._pass_by_parser(data[start:])
                return
            if self._unreadable:
                return
            self._parse(data[start : start + slice_bytes])

    def _parse(self, data: bytes) -> None:
        started_in_body, body_before = self._final, self._body_bytes
        self._fed_bytes = self._head_bytes + len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse("an upgrade that nobody asked for")
        except httptools.HttpParserCallbackError:
            raise
        except httptools.HttpParserError as error:
            # llhttp's texts are constants: nothing of the response is in them.
            self._refuse(str(error))
        if self.finished:
            return
        if not self._final:
            self._head_bytes += len(data)
            if self._head_bytes > self._limits.head_max_bytes:
                self._refuse("its head is larger than this proxy accepts")
        elif self._framing is CHUNKED:
            if started_in_body:
                self._count_overhead(len(data) - (self._body_bytes - body_before))
        elif self._framing is not UNTIL_CLOSE:
            # Counting is all that is left to do with such a body: the parser would only copy it. 10 MB cost half as much this way.
            self._raw_left_bytes = self._framing.length_bytes - self._body_bytes

    def end_of_stream(self) -> bool:
        """Upstream has closed: tell whether that completes the response (RFC 9112 section 6.3, rule 8)."""
        if self._final and not self.finished and self._framing is UNTIL_CLOSE:
            self._finish()
        return self.finished

    def _pass_by_parser(self, data: bytes) -> None:
        left_bytes = self._raw_left_bytes
        if len(data) < left_bytes:
            self._raw_left_bytes = left_bytes - len(data)
            self._sink.response_data(data)
            return
        self._raw_left_bytes = 0
        self._sink.response_data(data[:left_bytes])
        self._finish_before_parser()
        if len(data) > left_bytes:
            self._refuse("bytes that nobody asked for")

    def _finish(self) -> None:
        self.finished = True
        self._sink.response_end(self._trailers)

    def _finish_before_parser(self) -> None:
        """The response is complete, and the parser is of no more use: it waits inside a body that was passed by, or that HEAD left out."""
        self._parser = httptools.HttpResponseParser(self)
        self._finish()

    def _refuse(self, detail: str) -> None:
        if not self._unreadable:
            self._unreadable = True
            self._sink.response_unreadable(detail)

    # llhttp's callbacks

    def on_message_begin(self) -> None:
        """A status line begins."""
        if self.finished:
            self._refuse("bytes that nobody asked for")

    def on_status(self, reason: bytes) -> None:
        """The reason phrase, possibly in pieces."""
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field: of the head, or of the trailer section."""
        value = value.rstrip(b" \t")
        if not self._final:
            self._fields.append((name.lower(), name, value))
            return
        if name.lower() not in NO_TRAILERS:
            self._trailers.append((name, value))
        self._trailer_count += 1
        if self._trailer_count > self._limits.header_max_count:
            self._refuse("it has more trailer fields than this proxy accepts")

    def on_headers_complete(self) -> None:
        """A head is complete: refuse it, or tell the sink."""
        if self._unreadable or self.finished or self._final:
            return
        version = self._parser.get_http_version()
        status = self._parser.get_status_code()
        detail = objection_to_line(version, status, self._reason) or objection_to_size(self._fields, self._limits, self._fed_bytes)
        if detail is not None:
            self._refuse(detail)
            return
        head = ResponseHead(status, self._reason, is_http_10=version == "1.0", fields=self._fields)
        try:
            head.framing = response_framing(head, self._method)
        except FramingError as error:
            self._refuse(f"the end of its body is not beyond doubt: {error}")
            return
        self._begin(head, status)

    def _begin(self, head: ResponseHead, status: int) -> None:
        self._fields = []
        self._reason = b""
        self._framing = head.framing
        self._final = status >= FIRST_FINAL_STATUS
        self._sink.response_head(head)
        if self._final and head.framing is NO_BODY:
            self._finish_before_parser()

    def on_chunk_header(self) -> None:
        """A chunk begins; of an answer to HEAD there is none."""
        if self.finished:
            self._refuse("bytes that nobody asked for")
        self._overhead.begin_chunk()

    def on_body(self, data: bytes) -> None:
        """The next bytes of the body."""
        if self._unreadable:
            return
        if self.finished:
            self._refuse("bytes that nobody asked for")
            return
        self._body_bytes += len(data)
        self._sink.response_data(data)

    def on_message_complete(self) -> None:
        """The parser has seen the end; interim answers and those without a body were dealt with at their heads."""
        if not self._final or self.finished or self._unreadable:
            return
        if self._trailer_count:
            self._finish_before_parser()  # it may have taken a trailer, say `Connection: close`, for a field of the head
        else:
            self._finish()

    def _count_overhead(self, overhead_bytes: int) -> None:
        if self._overhead.add(overhead_bytes):
            self._refuse("its chunk extensions or trailers are larger than this proxy accepts")
