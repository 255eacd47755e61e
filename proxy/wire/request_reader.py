"""Bytes of a client turned into requests by llhttp, and what llhttp lets pass refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Protocol

import httptools

from proxy.wire.framing import NO_BODY, Delimiter, FramingError, request_framing
from proxy.wire.head import Field, Refusal, RefusalReason, RequestHead, host_is_valid, origin_form

if TYPE_CHECKING:
    from proxy.wire.limits import ServerLimits

# A chunk's own size line and line ends; what a chunk takes beyond that is extensions, which nothing here reads.
_CHUNK_OVERHEAD_BYTES: Final = 16

# llhttp gives up at the first letter that no method of its list continues with. What stands there is either a request
# with another method (legal: 501) or no request at all (400).
_REQUEST_LINE = re.compile(rb"^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^ \r\n]+ HTTP/1\.[01]\r?$", re.MULTILINE)


class RequestSink(Protocol):
    """Who is told what was read."""

    def request_head(self, head: RequestHead) -> None:
        """A request begins."""

    def request_data(self, data: bytes) -> None:
        """The next bytes of its body."""

    def request_end(self, trailers: list[Field]) -> None:
        """It is complete."""

    def request_refused(self, refusal: Refusal) -> None:
        """What comes is no request that can be passed on; nothing is read after it."""


class RequestReader:
    """Reads one connection's requests.

    Attributes:
        in_head: A head has begun and is not complete.
        in_body: A body has begun and is not complete.
        refused: Nothing is read any more.
    """

    def __init__(self, limits: ServerLimits, sink: RequestSink) -> None:
        self._limits = limits
        self._sink = sink
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._fields: list[Field] = []
        self._trailers: list[Field] = []
        self._framing = NO_BODY
        self._packet = b""
        self._begun = 0
        self._head_bytes = 0
        self._body_bytes = 0
        self._overhead_bytes = 0
        self._chunks = 0
        self._resuming = False
        self.in_head = False
        self.in_body = False
        self.refused = False

    def feed(self, data: bytes) -> None:
        """Read the next bytes; everything found is told to the sink before this returns."""
        while data and not self.refused:
            data = self._feed_one_parser(data)

    def _feed_one_parser(self, data: bytes) -> bytes:
        """Read on; returns what is left behind a request that asked for an upgrade."""
        started_in_head, started_in_body, body_before = self.in_head, self.in_body, self._body_bytes
        self._packet = data
        self._begun = 0
        rest = b""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            self._leave_upgrade_behind()
        except httptools.HttpParserError as error:
            self._refuse_unreadable(error)
        self._packet = b""
        if self.in_head:
            if started_in_head or (self._begun == 1 and not started_in_body):
                self._head_bytes += len(data)
            if self._head_bytes > self._limits.head_max_bytes:
                self._refuse(RefusalReason.HEAD_TOO_LARGE, "the request's head is larger than this proxy accepts")
        elif self.in_body and started_in_body and not rest:
            self._count_overhead(len(data) - (self._body_bytes - body_before))
        return rest

    def refuse(self, refusal: Refusal) -> None:
        """Stop reading for a reason that lies outside the bytes."""
        if not self.refused:
            self.refused = True
            self.in_head = False
            self._sink.request_refused(refusal)

    def _refuse(self, reason: RefusalReason, detail: str) -> None:
        self.refuse(Refusal(reason, detail))

    # llhttp's callbacks

    def on_message_begin(self) -> None:
        """A request line begins."""
        if not self._resuming:
            self._url = b""
            self._fields = []
            self._head_bytes = 0
            self._begun += 1
            self.in_head = True

    def on_url(self, url: bytes) -> None:
        """The next piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field: of the head, or of the trailer section."""
        if self._resuming:
            return
        if self.in_body:
            self._count_overhead(len(name) + len(value) + 4)
            if len(self._trailers) >= self._limits.header_max_count:
                self._refuse(RefusalReason.HEAD_TOO_LARGE, "more trailer fields than this proxy accepts")
            self._trailers.append((name, value.rstrip(b" \t")))
        else:
            self._fields.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """The head is complete: refuse it, or tell the sink."""
        if self.refused or self._resuming:
            return
        self.in_head = False
        refusal = self._refusal_of_size() or self._refusal_of_line()
        if refusal is not None:
            self.refuse(refusal)
            return
        target = origin_form(self._url)
        if target is None:
            self._refuse(RefusalReason.MALFORMED, "the request target has no path, or holds a fragment")
            return
        is_http_10 = self._parser.get_http_version() == "1.0"
        head = RequestHead(self._parser.get_method(), target, is_http_10=is_http_10, fields=self._fields)
        if not host_is_valid(head.index.get(b"host", b"" if is_http_10 else b" ")):
            self._refuse(RefusalReason.MALFORMED, "HTTP/1.1 asks for exactly one valid Host field")
            return
        self._begin(head)

    def _begin(self, head: RequestHead) -> None:
        try:
            head.framing = self._framing = request_framing(head)
        except FramingError as error:
            self._refuse(RefusalReason.MALFORMED, f"the end of the body is not beyond doubt: {error}")
            return
        if head.framing.length_bytes > self._limits.body_max_bytes:
            self._refuse(RefusalReason.BODY_TOO_LARGE, "the body is larger than this proxy accepts")
            return
        self._body_bytes = self._overhead_bytes = self._chunks = 0
        self._trailers = []
        self.in_body = True
        self._sink.request_head(head)

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self._chunks += 1

    def on_body(self, data: bytes) -> None:
        """The next bytes of a body."""
        if self.refused:
            return
        self._body_bytes += len(data)
        if self._body_bytes > self._limits.body_max_bytes:
            self._refuse(RefusalReason.BODY_TOO_LARGE, "the body is larger than this proxy accepts")
            return
        self._sink.request_data(data)

    def on_message_complete(self) -> None:
        """The request is complete, unless llhttp only stopped at an Upgrade (see `_leave_upgrade_behind`)."""
        if self.refused or not self.in_body:
            return
        if self._upgrade_hides_body():
            return
        self.in_body = False
        self._sink.request_end(self._trailers)

    # what llhttp lets pass, or cannot do

    def _refusal_of_size(self) -> Refusal | None:
        if len(self._fields) > self._limits.header_max_count:
            return Refusal(RefusalReason.HEAD_TOO_LARGE, "more header fields than this proxy accepts")
        head_bytes = len(self._url) + sum([len(name) + len(value) + 4 for name, value in self._fields])
        if head_bytes > self._limits.head_max_bytes:
            return Refusal(RefusalReason.HEAD_TOO_LARGE, "the request's head is larger than this proxy accepts")
        return None

    def _refusal_of_line(self) -> Refusal | None:
        version = self._parser.get_http_version()
        if version == "0.9" and b"HTTP/0.9" not in self._packet:
            return Refusal(RefusalReason.MALFORMED, "the request line names no HTTP version")
        if version not in {"1.1", "1.0"}:
            return Refusal(RefusalReason.VERSION, "this proxy speaks HTTP/1.1 and HTTP/1.0")
        if self._parser.get_method() == b"CONNECT":
            return Refusal(RefusalReason.METHOD, "this proxy is no tunnel: CONNECT is not supported")
        return None

    def _refuse_unreadable(self, error: httptools.HttpParserError) -> None:
        if self.refused:
            return
        if isinstance(error, httptools.HttpParserCallbackError):
            raise error
        text = str(error)
        if text in {"Invalid HTTP version", "Pause on PRI/Upgrade"}:
            self._refuse(RefusalReason.VERSION, "this proxy speaks HTTP/1.1 and HTTP/1.0")
        elif isinstance(error, httptools.HttpParserInvalidMethodError) and _REQUEST_LINE.search(self._packet):
            self._refuse(RefusalReason.METHOD, "this method is not supported")
        else:
            # llhttp's texts are constants: nothing of the request is in them.
            self._refuse(RefusalReason.MALFORMED, f"the request is not readable as HTTP/1.1: {text}")

    def _count_overhead(self, overhead_bytes: int) -> None:
        """Bound what a chunked body carries beside its data: extensions and trailers, which llhttp does not bound."""
        self._overhead_bytes += overhead_bytes
        if self._overhead_bytes - _CHUNK_OVERHEAD_BYTES * self._chunks > self._limits.head_max_bytes:
            self._refuse(RefusalReason.HEAD_TOO_LARGE, "chunk extensions or trailers are larger than this proxy accepts")

    def _upgrade_hides_body(self) -> bool:
        """The parser reports a request that asks for an upgrade as complete before its body."""
        return self._parser.should_upgrade() and (self._framing.delimiter is Delimiter.CHUNKED or self._framing.length_bytes > 0)

    def _leave_upgrade_behind(self) -> None:
        """Go on behind a request that asked for an upgrade, which this proxy does not grant (RFC 9110 section 7.8).

        llhttp leaves HTTP there, so a new parser takes over. If the request has a body, the new parser is first given a head
        of our own with the same framing, of which nothing is told: it then finds itself inside that body.
        """
        self._parser = httptools.HttpRequestParser(self)
        if self.refused or not self.in_body:
            return
        framing = self._framing
        field = b"Transfer-Encoding: chunked" if framing.delimiter is Delimiter.CHUNKED else b"Content-Length: %d" % framing.length_bytes
        self._resuming = True
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % field)
        self._resuming = False
