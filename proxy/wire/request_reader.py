"""Bytes of a client turned into requests by llhttp, and what llhttp lets pass refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import httptools

from proxy.wire.chunk_overhead import ChunkOverhead
from proxy.wire.framing import CHUNKED, NO_BODY
from proxy.wire.head import NO_TRAILERS, Field, ReadField, Refusal, RefusalReason, RequestHead, host_is_valid
from proxy.wire.request_rules import (
    BODY_TOO_LARGE,
    HEAD_TOO_LARGE,
    HOST,
    NO_VERSION,
    OVERHEAD,
    TOO_MANY_FIELDS,
    VERSION,
    is_tls,
    read_framing,
    refusal_of_foreign_line,
    refusal_of_line,
    refusal_of_size,
)

if TYPE_CHECKING:
    from proxy.wire.limits import ServerLimits

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
        self._fields: list[ReadField] = []
        self._trailers: list[Field] = []
        self._framing = NO_BODY
        self._overhead = ChunkOverhead(limits.head_max_bytes)
        self._good_host = b""
        self._line = b""
        self._line_is_foreign = False
        self._begun = 0
        self._fed_bytes = self._head_bytes = self._body_bytes = self._trailer_count = 0
        self._resuming = False
        self.in_head = False
        self.in_body = False
        self.refused = False

    def feed(self, data: bytes) -> None:
        """Read the next bytes, in slices: what is bounded can only be looked at between two calls of the parser."""
        slice_bytes = self._limits.head_max_bytes
        slices = (data,) if len(data) <= slice_bytes else [data[start : start + slice_bytes] for start in range(0, len(data), slice_bytes)]
        for rest in slices:
            while rest and not self.refused:
                rest = self._judge_line(rest) if self._line_is_foreign else self._feed_one_parser(rest)  # noqa: PLW2901 - what is left of it

    def refuse(self, refusal: Refusal) -> None:
        """Stop reading; the reason may lie outside the bytes."""
        if not self.refused:
            self.refused = True
            self.in_head = False
            self._sink.request_refused(refusal)

    def _feed_one_parser(self, data: bytes) -> bytes:
        """Read on; returns what is left behind a request that asked for an upgrade."""
        started_in_head, started_in_body, body_before = self.in_head, self.in_body, self._body_bytes
        self._begun = 0
        self._fed_bytes = self._head_bytes + len(data)
        rest = b""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            self._leave_upgrade_behind()
        except httptools.HttpParserCallbackError:
            raise
        except httptools.HttpParserError as error:
            self._refuse_unreadable(error, data if self._is_all_of_one_head(started_in_head, started_in_body) else b"\n")
            return b""
        if self.in_head:
            if self._is_all_of_one_head(started_in_head, started_in_body):
                self._wait_for_head(data)
            else:
                self._line = b"\n"  # it began behind another request, where in the packet is not known: its first line is not judged
        elif self.in_body and started_in_body and self._begun == 0 and not rest and self._framing is CHUNKED:
            self._count_overhead(len(data) - (self._body_bytes - body_before))
        return rest

    def _is_all_of_one_head(self, started_in_head: bool, started_in_body: bool) -> bool:
        """Tell whether nothing but (a part of) one head was in the packet just read."""
        return self._begun == 0 if started_in_head else self._begun == 1 and not started_in_body

    def _wait_for_head(self, data: bytes) -> None:
        """A head is incomplete: bound it, and see to its first line, of which llhttp takes one without a version for the beginning of more."""
        self._head_bytes += len(data)
        if self._head_bytes > self._limits.head_max_bytes:
            self.refuse(HEAD_TOO_LARGE)
        elif b"\n" not in self._line:
            self._line = (self._line + data).lstrip(b"\r\n")
            line, newline, _ = self._line.partition(b"\n")
            if newline and b" HTTP/" not in line:
                self.refuse(NO_VERSION)

    def _refuse_unreadable(self, error: httptools.HttpParserError, data: bytes) -> None:
        if self.refused:
            return
        text = str(error)
        if text in {"Invalid HTTP version", "Pause on PRI/Upgrade"}:
            self.refuse(VERSION)
        elif isinstance(error, httptools.HttpParserInvalidMethodError):
            self._judge_line(data)
        else:
            # llhttp's texts are constants: nothing of the request is in them.
            self.refuse(Refusal(RefusalReason.MALFORMED, f"the request is not readable as HTTP/1.1: {text}"))

    def _judge_line(self, data: bytes) -> bytes:
        """A method that llhttp does not know ends its reading at the first letter; the whole line is needed to judge it."""
        self._line = (self._line + data).lstrip(b"\r")
        line, newline, _ = self._line.partition(b"\n")
        if newline or is_tls(line) or len(line) > self._limits.head_max_bytes:
            self.refuse(refusal_of_foreign_line(line))
        self._line_is_foreign = True
        return b""

    # llhttp's callbacks

    def on_message_begin(self) -> None:
        """A request line begins."""
        if not self._resuming:
            self._url = self._line = b""
            self._fields = []
            self._head_bytes = 0
            self._begun += 1
            self.in_head = True

    def on_url(self, url: bytes) -> None:
        """The next piece of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field: of the head, or of the trailer section."""
        if not self.in_body:
            self._fields.append((name.lower(), name, value.rstrip(b" \t")))
        elif not self._resuming:
            if name.lower() not in NO_TRAILERS:
                self._trailers.append((name, value.rstrip(b" \t")))
            self._trailer_count += 1
            if self._trailer_count > self._limits.header_max_count:
                self.refuse(TOO_MANY_FIELDS)

    def on_headers_complete(self) -> None:
        """The head is complete: refuse it, or tell the sink."""
        if self.refused or self._resuming:
            return
        self.in_head = False
        version = self._parser.get_http_version()
        head = RequestHead(self._parser.get_method(), self._url, is_http_10=version == "1.0", fields=self._fields)
        limits = self._limits
        refusal = refusal_of_line(head, version) or refusal_of_size(head, limits, self._fed_bytes)
        refusal = refusal or self._refusal_of_host(head) or read_framing(head)
        if refusal is None and head.framing.length_bytes > limits.body_max_bytes:
            refusal = BODY_TOO_LARGE
        if refusal is not None:
            self.refuse(refusal)
            return
        self._body_bytes = self._trailer_count = 0
        self._trailers = []
        self._framing = head.framing
        if head.framing is CHUNKED:
            self._overhead = ChunkOverhead(self._limits.head_max_bytes)
        self.in_body = True
        self._sink.request_head(head)

    def _refusal_of_host(self, head: RequestHead) -> Refusal | None:
        """One connection's requests name the same host again and again: judge a new one only."""
        host = head.index.get(b"host", b"" if head.is_http_10 else b" ")
        if host != self._good_host and not host_is_valid(host):
            return HOST
        self._good_host = host
        return None

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self._overhead.begin_chunk()

    def on_body(self, data: bytes) -> None:
        """The next bytes of a body."""
        if self.refused:
            return
        self._body_bytes += len(data)
        if self._body_bytes > self._limits.body_max_bytes:
            self.refuse(BODY_TOO_LARGE)
            return
        self._sink.request_data(data)

    def on_message_complete(self) -> None:
        """The request is complete, unless the parser only stopped at an Upgrade, which it does before the body."""
        hides_body = self._parser.should_upgrade() and (self._framing is CHUNKED or self._framing.length_bytes > 0)
        if self.refused or not self.in_body or hides_body:
            return
        self.in_body = False
        self._sink.request_end(self._trailers)

    def _count_overhead(self, overhead_bytes: int) -> None:
        if self._overhead.add(overhead_bytes):
            self.refuse(OVERHEAD)

    def _leave_upgrade_behind(self) -> None:
        """Go on behind a request that asked for an upgrade, which this proxy does not grant (RFC 9110 section 7.8).

        llhttp leaves HTTP there, so a new parser takes over. If the request has a body, the new parser is first given a head
        of our own with the same framing, of which nothing is told: it then finds itself inside that body.
        """
        self._parser = httptools.HttpRequestParser(self)
        if self.refused or not self.in_body:
            return
        field = b"Transfer-Encoding: chunked" if self._framing is CHUNKED else b"Content-Length: %d" % self._framing.length_bytes
        self._resuming = True
        self._parser.feed_data(b"POST / HTTP/1.1\r\n%b\r\n\r\n" % field)
        self._resuming = False
