"""The words that every part shares: what a request is, what upstream said, what we make of it.

Values only. Nothing here decides anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

Fields = tuple[tuple[bytes, bytes], ...]
"""Header fields in the order, case and number in which they arrived."""


class Api(StrEnum):
    """The two generations of the Nylas API, told apart by path (`/v3/` or not)."""

    V3 = "v3"
    V2 = "v2"


class Origin(StrEnum):
    """Whose fault an error is, as `X-Nylas-Proxy-Origin` and the metrics name it."""

    PROXY = "proxy"
    NYLAS = "nylas"
    PROVIDER = "provider"
    NETWORK = "network"


class Cause(StrEnum):
    """Why a request failed: the classes of upstream's errors first, then those that only the proxy itself can meet."""

    VALIDATION = "validation"
    CONTENT_TYPE = "content_type"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    AUTH = "auth"
    PERMISSION = "permission"
    BLOCKED = "blocked"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    IDEMPOTENCY = "idempotency"
    IDEMPOTENCY_IN_FLIGHT = "idempotency_in_flight"
    OAUTH = "oauth"
    SEND_REJECTED = "send_rejected"
    NOT_READY = "not_ready"
    NOT_IMPLEMENTED = "not_implemented"
    PARTIAL_SUCCESS = "partial_success"
    PER_ITEM_ERROR_IN_200 = "per_item_error_in_200"
    INVALID_SUCCESS_BODY = "invalid_success_body"
    RATE_LIMIT_NYLAS = "rate_limit_nylas"
    RATE_LIMIT_AMBIGUOUS = "rate_limit_ambiguous"
    RATE_LIMIT_PROVIDER = "rate_limit_provider"
    RATE_LIMIT_PROVIDER_GOOGLE = "rate_limit_provider_google"
    RATE_LIMIT_PROVIDER_MICROSOFT = "rate_limit_provider_microsoft"
    RATE_LIMIT_PROVIDER_QUOTA = "rate_limit_provider_quota"
    EXCHANGE_THROTTLE = "exchange_throttle"
    PROVIDER_AUTH = "provider_auth"
    PROVIDER_ERROR = "provider_error"
    PROVIDER_TIMEOUT = "provider_timeout"
    SERVER_ERROR = "server_error"
    SERVER_ERROR_SAFE_TO_RETRY = "server_error_safe_to_retry"
    TIMEOUT_NOT_SENT = "timeout_not_sent"
    UPSTREAM_UNAVAILABLE = "upstream_unavailable"
    UNKNOWN = "unknown"

    CLIENT_NOT_ALLOWED = "client_not_allowed"
    REQUEST_MALFORMED = "request_malformed"
    REQUEST_HEAD_TOO_LARGE = "request_head_too_large"
    REQUEST_BODY_TOO_LARGE = "request_body_too_large"
    REQUEST_TIMEOUT = "request_timeout"
    METHOD_UNSUPPORTED = "method_unsupported"
    VERSION_UNSUPPORTED = "version_unsupported"
    EMPTY_PUT_BODY = "empty_put_body"
    UPSTREAM_UNREACHABLE = "upstream_unreachable"
    UPSTREAM_MALFORMED = "upstream_malformed"
    UPSTREAM_BROKE_OFF = "upstream_broke_off"
    RESPONSE_TIMEOUT = "response_timeout"
    OVERLOADED = "overloaded"
    LEDGER_AWAY = "ledger_away"
    CLOSED_BY_OPERATOR = "closed_by_operator"
    SHUTTING_DOWN = "shutting_down"
    PROXY_BUG = "proxy_bug"


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the route catalogue.

    Attributes:
        name: The metric and log label; bounded by the catalogue.
        api: The API that the path belongs to.
        methods: The methods that the row describes; empty means any.
        template: The path with `{}` for ids, empty for the row of unknown paths.
        family: What it is counted with against a limit of Nylas.
        unsafe: The methods whose repetition, or loss, a user would notice (a second mail, a second event), and what that would do.
        idempotency_key: Nylas tells repetitions by the header Idempotency-Key.
        long_lived: Answers may stream for minutes or stay silent for long (delta, server-sent events).
        oauth: Errors have the OAuth shape (`error` is a string).
        hosted_auth: Opened by people in browsers: answered with a 302 to the public Nylas host.
        secret_query: Names of query parameters that hold secrets.
    """

    name: str
    api: Api
    methods: frozenset[str]
    template: str
    family: str
    unsafe: Mapping[str, str]
    idempotency_key: bool = False
    long_lived: bool = False
    oauth: bool = False
    hosted_auth: bool = False
    secret_query: tuple[str, ...] = ()


class RequestContext(NamedTuple):
    """What is known about a request before it is forwarded. A tuple, because one is made per request and a frozen dataclass costs twice that.

    Attributes:
        method: In capitals, from a bounded set of known methods.
        target: Path and query, raw bytes as sent, duplicate leading slashes collapsed.
        route: The catalogue row.
        grant: The raw grant id of the path (v3), or None. Never logged.
        request_id: Our id for this request; upstream's wins where it names one.
        callers_key: It carries an Idempotency-Key of its caller.
    """

    method: str
    target: bytes
    route: Route
    grant: bytes | None
    request_id: str
    callers_key: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of upstream whose body was read, up to a cap.

    Attributes:
        status: 200 to 599.
        fields: Header fields as received, end-to-end ones only.
        body: The bytes as received, content coding included.
        cut: The body was longer than the cap, or broke off: `body` is its beginning.
    """

    status: int
    fields: Fields
    body: bytes
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an error of upstream means.

    Attributes:
        cause: Its class.
        origin: Whose fault it is.
        retry_after_s: The wait that upstream asked for (header, `X-RateLimit-Reset`, a time inside a message), if any.
    """

    cause: Cause
    origin: Origin
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """An error of our own, or of the network, that no upstream body describes.

    Attributes:
        status: The HTTP status to answer with.
        cause: One of the causes that only the proxy can meet.
        message: One sentence for the developer who reads it; holds nothing that the caller sent.
        origin: `PROXY` for what we refuse, `NETWORK` for what happened between us and upstream.
        retry_after_s: When a repetition makes sense, in seconds, or None.
        may_have_happened: The request, or an earlier attempt of it, may have taken effect all the same.
    """

    status: int
    cause: Cause
    message: str
    origin: Origin = Origin.PROXY
    retry_after_s: float | None = None
    may_have_happened: bool = False


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """An error as the caller gets it: status, complete header fields (Content-Length included) and body."""

    status: int
    fields: Fields
    body: bytes


@dataclass(frozen=True, slots=True)
class CauseText:
    """What is told about a cause.

    Attributes:
        meaning: What happened.
        reason: What leads to it.
        solution: What the reader can do.
        handling: What the proxy does about it.
        retryable: A later repetition of the same request can succeed.
        status: With which the proxy answers; None for causes of upstream's errors, whose status stays.
    """

    meaning: str
    reason: str
    solution: str
    handling: str
    retryable: bool
    status: int | None = None
