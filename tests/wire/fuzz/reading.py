"""What bytes mean to a strict reader: the requests of a client's bytes, the answer in upstream's, the answers that a client got."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wire import strict
from wire.bodies import Chunked, Sized, UntilClose
from wire.lines import Malformed

if TYPE_CHECKING:
    from wire.bodies import Decoder

_BLANKS = re.compile(rb"[ ]+")
_ABSOLUTE = re.compile(rb"(?i)https?://[^/?]+")
_WITHOUT_REASON = re.compile(rb"HTTP/1\.[01] [0-9]{3}")
BODILESS = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Request:
    """A complete request: method, target in origin-form with one leading slash, body."""

    method: bytes
    target: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What upstream's bytes say.

    Attributes:
        status: The final status, 0 where none can be read.
        body: Its body, as far as it came.
        end: Where the answer ends in the bytes, or their length where it does not.
        is_complete: All of it is there (one that ends with the connection counts).
        ends_connection: Nothing can follow it on its connection.
        is_malformed: It breaks a rule at some place.
        is_doubtful: A trailer that frames messages, which the proxy leaves out, or refuses where its parser does.
    """

    status: int = 0
    body: bytes = b""
    end: int = 0
    is_complete: bool = False
    ends_connection: bool = True
    is_malformed: bool = False
    is_doubtful: bool = False


def origin_form(target: bytes) -> bytes:
    """What the proxy has to make of a target: path and query, one leading slash."""
    absolute = _ABSOLUTE.match(target)
    path = target[absolute.end() :] if absolute else target
    if not path.startswith(b"/"):
        path = b"/" + path
    return b"/" + path.lstrip(b"/")


def read_requests(raw: bytes) -> list[Request]:
    """The complete requests at the beginning of these bytes, up to the first that is malformed or ends the connection.

    What RFC 9112 lets a recipient tolerate is tolerated: empty lines before a request, if only of LF (section 2.2), and several
    blanks in its first line (section 3).
    """
    buffer = bytearray(raw)
    found: list[Request] = []
    try:
        while True:
            _skip_empty_lines(buffer)
            head = strict.take_head(buffer)
            if head is None:
                return found
            head = strict.Head(_BLANKS.sub(b" ", head.start), head.fields)
            decoder = _tolerant(strict.request_body(head))
            body = decoder.decode(buffer)
            line = strict.request_line(head)
            if not decoder.finished:
                return found
            found.append(Request(line.method, origin_form(line.target), body))
            if line.minor == 0 or _says_close(head):
                return found
    except Malformed:
        return found


def _tolerant(decoder: Decoder) -> Decoder:
    """Trailers that may not be trailers are left out on the way, all but the one that the parser refuses."""
    if isinstance(decoder, Chunked):
        decoder.forbidden = frozenset({b"content-length"})
    return decoder


def _says_close(head: strict.Head) -> bool:
    options = b",".join(head.values(b"connection")).lower().split(b",")
    return b"close" in [option.strip(b" \t") for option in options]


def _skip_empty_lines(buffer: bytearray) -> None:
    del buffer[: len(buffer) - len(buffer.lstrip(b"\r\n"))]


def read_answer(raw: bytes, method: bytes) -> Answer:
    """The answer at the beginning of upstream's bytes, when upstream closes behind them."""
    buffer = bytearray(raw)
    status, body = 0, b""
    try:
        _skip_empty_lines(buffer)
        while (head := strict.take_head(buffer)) is not None:
            if _WITHOUT_REASON.fullmatch(head.start):  # RFC 9112 section 4 asks for the blank, many servers leave it out
                head = strict.Head(head.start + b" ", head.fields)
            status = strict.status_line(head).status
            if status == 101:
                return Answer(status, end=len(raw), is_malformed=True)
            if status < 200:
                _skip_empty_lines(buffer)
                continue
            decoder = Sized(0) if status in BODILESS else _tolerant(strict.response_body(head, method))
            body = decoder.decode(buffer)
            end = len(raw) - len(buffer)
            _skip_empty_lines(buffer)
            until_close = isinstance(decoder, UntilClose)
            complete = decoder.finished or until_close
            ends = until_close or not complete or bool(buffer) or strict.status_line(head).minor == 0 or _says_close(head)
            doubtful = any(name.lower() == b"transfer-encoding" for name, _ in decoder.trailers)
            return Answer(status, body, end, is_complete=complete, ends_connection=ends, is_doubtful=doubtful)
    except Malformed:
        return Answer(status, body, len(raw), is_malformed=True)
    return Answer(end=len(raw))
