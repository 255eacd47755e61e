"""Message heads as bytes: order, case and duplicates of fields kept (RFC 9110 section 5, RFC 9112 sections 2 to 5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from proxy.wire.framing import Framing

Field = tuple[bytes, bytes]
ReadField = tuple[bytes, bytes, bytes]

# RFC 9110 section 7.6.1, and what older agents treat the same way. Transfer-Encoding is missing on purpose: both sides
# keep the coding that the sender chose, so the field stays where it stood.
HOP_BY_HOP: Final = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"proxy-authorization", b"proxy-authenticate", b"te", b"upgrade"})

# Naming one of these in Connection must not take a message's framing or destination away.
NEVER_DROPPED: Final = frozenset({b"content-length", b"transfer-encoding", b"host", b"trailer"})

# RFC 9110 section 6.5.1: what decides about framing, routing, authentication or content is no trailer, and a recipient that merges
# trailers into the head would take it for one. Such fields are discarded (section 6.5.2).
NO_TRAILERS: Final = HOP_BY_HOP | {
    b"host", b"content-length", b"transfer-encoding", b"trailer", b"content-type", b"content-encoding", b"content-range",
    b"authorization", b"cookie", b"set-cookie", b"expect", b"range", b"max-forwards",
}  # fmt: skip

_OPTIONS_WITHOUT_FIELDS: Final = frozenset({b"close", b"keep-alive"})
_USUAL_OPTIONS: Final = {
    b"": frozenset[bytes](),
    b"close": frozenset({b"close"}),
    b"keep-alive": frozenset({b"keep-alive"}),
    b"Keep-Alive": frozenset({b"keep-alive"}),
}

# RFC 3986 section 3.2.2 and RFC 9112 section 3.2: a host, a bracketed address, an optional port; empty where there is no authority.
_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")
_ABSOLUTE = re.compile(rb"[hH][tT][tT][pP][sS]?://[^/?#]+")


_WITHOUT_BODY: Final = {204: frozenset({b"transfer-encoding", b"content-length"}), 304: frozenset({b"transfer-encoding"})}


class RefusalReason(Enum):
    """Why a message is not accepted; the value is the status that RFC 9110 section 15 names for it."""

    MALFORMED = 400
    CLIENT_NOT_ALLOWED = 403
    TIMEOUT = 408
    BODY_TOO_LARGE = 413
    HEAD_TOO_LARGE = 431
    METHOD = 501
    OVERLOADED = 503
    VERSION = 505


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that is not accepted: the reason, and one sentence that quotes nothing of it."""

    reason: RefusalReason
    detail: str


class Head:
    """The fields of one message.

    Attributes:
        fields: (name in lower case, name, value) as received; trailing blanks are no part of a value (RFC 9110 section 5.5).
        index: First look-up by lower-case name; duplicates are joined with a comma (RFC 9110 section 5.3).
        framing: How the body is delimited.
    """

    __slots__ = ("_options", "fields", "framing", "index")

    framing: Framing

    def __init__(self, fields: list[ReadField]) -> None:
        self.fields = fields
        self._options: frozenset[bytes] | None = None
        self.index = index = {lower: value for lower, _, value in fields}
        if len(index) != len(fields):
            self._join_duplicates()

    def _join_duplicates(self) -> None:
        joined: dict[bytes, bytes] = {}
        for lower, _, value in self.fields:
            joined[lower] = joined[lower] + b", " + value if lower in joined else value
        self.index = joined

    def connection_options(self) -> frozenset[bytes]:
        """The options that the Connection field names, in lower case (RFC 9110 section 7.6.1)."""
        if self._options is None:
            value = self.index.get(b"connection", b"")
            usual = _USUAL_OPTIONS.get(value)
            self._options = usual if usual is not None else frozenset(option.strip(b" \t") for option in value.lower().split(b","))
        return self._options

    def dropped_names(self) -> frozenset[bytes]:
        """The lower-case names of the fields that end here."""
        options = self.connection_options()
        return HOP_BY_HOP if options <= _OPTIONS_WITHOUT_FIELDS else HOP_BY_HOP | (options - NEVER_DROPPED)

    def end_to_end(self) -> list[Field]:
        """The fields that travel on, hop-by-hop ones left out."""
        drop = self.dropped_names()
        return [(name, value) for lower, name, value in self.fields if lower not in drop]


class RequestHead(Head):
    """A request's head.

    Attributes:
        method: As sent.
        target: Origin form: path and query, raw bytes. Of an absolute-form target the authority is gone (RFC 9112 section 3.2.2).
        is_http_10: The client speaks HTTP/1.0: no chunked coding, no interim answers, no kept-alive connection.
    """

    __slots__ = ("is_http_10", "method", "target")

    def __init__(self, method: bytes, target: bytes, *, is_http_10: bool, fields: list[ReadField]) -> None:
        super().__init__(fields)
        self.method = method
        self.target = target
        self.is_http_10 = is_http_10


class ResponseHead(Head):
    """A response's head; `reason` is kept as sent, it may be empty."""

    __slots__ = ("is_http_10", "reason", "status")

    def __init__(self, status: int, reason: bytes, *, is_http_10: bool, fields: list[ReadField]) -> None:
        if status in _WITHOUT_BODY:
            # RFC 9112 sections 6.1 and 6.2 forbid these here, and some clients would wait for the body that they announce.
            fields = [field for field in fields if field[0] not in _WITHOUT_BODY[status]]
        super().__init__(fields)
        self.status = status
        self.reason = reason
        self.is_http_10 = is_http_10


def origin_form(target: bytes) -> bytes | None:
    """Reduce a request target to path and query, or None where it has none (RFC 9112 section 3.2).

    A fragment is no part of any request target: it is refused, because some parsers cut it off and others do not.
    """
    if b"#" in target:
        return None
    if target.startswith(b"/"):
        return target
    absolute = _ABSOLUTE.match(target)
    if absolute is None:
        return None
    rest = target[absolute.end() :]
    return rest if rest.startswith(b"/") else b"/" + rest


def host_is_valid(value: bytes) -> bool:
    """Tell whether a Host field is one host (RFC 9112 section 3.2); joined duplicates are not, they hold a blank."""
    return _HOST.fullmatch(value) is not None


def render_request(head: RequestHead, target: bytes, authority: bytes, private_prefix: bytes, extra: tuple[Field, ...] = ()) -> bytes:
    """The head as it goes upstream: HTTP/1.1, Host replaced in its place, hop-by-hop and private fields left out, `extra` ones behind the others."""
    parts = [head.method, b" ", target, b" HTTP/1.1\r\n"]
    if b"host" not in head.index:
        parts += (b"Host: ", authority, b"\r\n")
    drop = head.dropped_names()
    if head.is_http_10:
        # RFC 9110 section 10.1.1: a 1.0 client cannot be sent an interim answer, so its expectation ends here.
        drop |= {b"expect"}
    for lower, name, value in head.fields:
        if lower in drop or lower.startswith(private_prefix):
            continue
        parts += (name, b": ", authority if lower == b"host" else value, b"\r\n")
    for name, value in extra:
        parts += (name, b": ", value, b"\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)
