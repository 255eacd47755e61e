"""Every bound of the data plane, as values: nothing in `wire` has a bound of its own that users could want to move."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Bounds towards clients.

    Attributes:
        max_connections: Open at once; one more is answered 503 and closed.
        requests_per_connection: The answer to so many ends the connection.
        head_max_bytes: Target and fields of a request; also chunk extensions and trailers together.
        header_max_count: Fields of a head, and of a trailer section.
        body_max_bytes: A request's body.
        head_timeout_s: From a request's first byte, or from the connection's beginning, to its complete head.
        idle_timeout_s: A kept-alive connection between requests.
        body_timeout_s: Without a byte of a request's body while we are ready to read.
        write_timeout_s: Without the client taking a byte of an answer.
        linger_s: Reading on after a refusal, so that the answer is not overtaken by a reset (RFC 9112 section 9.6).
    """

    max_connections: int = 4096
    requests_per_connection: int = 10_000
    head_max_bytes: int = 65_536
    header_max_count: int = 200
    body_max_bytes: int = 167_772_160
    head_timeout_s: float = 30
    idle_timeout_s: float = 75
    body_timeout_s: float = 60
    write_timeout_s: float = 60
    linger_s: float = 2


@dataclass(frozen=True, slots=True)
class UpstreamLimits:
    """Bounds towards one upstream.

    Attributes:
        max_connections: Open or being opened at once.
        max_connections_per_key: Of these for one caller's key, so that its hung calls cannot block the others.
        connect_timeout_s: TCP (all addresses together), and again for the proxy's CONNECT and for TLS.
        idle_timeout_s: A kept-alive connection waiting for its next request.
        head_max_bytes: Reason and fields of a response; also its trailers.
        header_max_count: Fields of a response.
    """

    max_connections: int = 1000
    max_connections_per_key: int = 100
    connect_timeout_s: float = 10
    idle_timeout_s: float = 60
    head_max_bytes: int = 65_536
    header_max_count: int = 200


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Bounds of one call upstream.

    Attributes:
        response_timeout_s: From the request being sent to the final head.
        stall_timeout_s: Without a byte of the response's body, or without upstream taking a byte of the request's.
    """

    response_timeout_s: float = 90
    stall_timeout_s: float = 90
