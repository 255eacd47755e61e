"""Answers of the admin listener: JSON, errors included, and what every answer carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from aiohttp import hdrs, web

if TYPE_CHECKING:
    from collections.abc import Iterable

TYPES: Final = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    409: "not_possible",
    413: "too_large",
    415: "unsupported_media_type",
    417: "expectation_failed",
    422: "settings_refused",
    500: "bug",
    503: "unavailable",
}
_CARRIED: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SERVER: Final = "nylas-proxy"


class Failure(NamedTuple):
    """Why a request is not answered with what it asked for.

    Attributes:
        status: Of the answer.
        message: For a person, without anything that the request held.
        headers: Of the answer, besides those that all carry.
    """

    status: int
    message: str
    headers: tuple[tuple[str, str], ...] = ()


def as_json(value: object, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> web.Response:
    """Answer with a value."""
    answer = web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json", headers=[*headers])
    dress(answer)
    return answer


def told(failure: Failure, **facts: object) -> web.Response:
    """Answer with a failure, and with `facts` beside it."""
    error = {"type": TYPES.get(failure.status, "error"), "message": failure.message}
    return as_json({"error": error, **facts}, failure.status, failure.headers)


def failure_of(raised: web.HTTPException) -> Failure:
    """Say in our words what aiohttp, or a page, has raised."""
    match raised:
        case web.HTTPNotFound():
            return Failure(404, "nothing is served here; there are /, /status.json, /metrics, /healthz and /readyz, and orders by POST")
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(raised.allowed_methods))
            return Failure(405, f"allowed here: {allowed}", (("Allow", allowed),))
        case web.HTTPExpectationFailed():
            return Failure(417, "the only Expect that is understood is 100-continue")
        case _:
            return Failure(raised.status, raised.reason)


def dress(response: web.StreamResponse) -> None:
    """Add what every answer carries, and name the proxy without the versions of what it is made of."""
    for name, value in _CARRIED.items():
        response.headers.setdefault(name, value)
    response.headers[hdrs.SERVER] = _SERVER
