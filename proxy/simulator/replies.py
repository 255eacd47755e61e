"""What the simulator answers, as values, and the error bodies of the two APIs and of the OAuth endpoints.

Content-Type is exactly `application/json`: two official SDKs compare the whole value.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Json = dict[str, Any]
Headers = tuple[tuple[str, str], ...]

JSON_TYPE = "application/json"
OAUTH_PATHS = frozenset({"/v3/connect/token", "/v3/connect/revoke", "/v3/connect/tokeninfo"})
_OAUTH_ERROR_PAGE = "https://accounts.nylas.io/#tag/Event-Codes"
_TYPES = {
    400: "invalid_request_error",
    401: "unauthorized",
    403: "insufficient_scopes",
    404: "not_found_error",
    409: "conflict",
    422: "validation_error",
    429: "rate_limit_error",
    500: "internal_error",
    504: "provider_error",
}
_ERRORS_FROM = 400
_SERVER_ERRORS_FROM = 500


@dataclass(frozen=True, slots=True)
class Stream:
    """A body that comes in pieces.

    Attributes:
        pieces: The bytes, in order.
        length_bytes: Their number where it is known beforehand, else None.
    """

    pieces: AsyncIterator[bytes]
    length_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status, header fields without framing, body."""

    status: int
    headers: Headers = ()
    body: bytes | Stream = b""

    def with_headers(self, *more: tuple[str, str]) -> Reply:
        """The same answer with further header fields."""
        return replace(self, headers=(*self.headers, *more))


def json_bytes(value: object) -> bytes:
    """JSON in UTF-8; lone surrogates, which a client can send as escapes, become question marks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def json_reply(value: object, status: int = 200, headers: Headers = ()) -> Reply:
    """An answer with a JSON body."""
    return Reply(status, (("Content-Type", JSON_TYPE), *headers), json_bytes(value))


def v3_error(request_id: str, status: int, kind: str, message: str) -> Reply:
    """An error in v3's standard shape."""
    return json_reply({"request_id": request_id, "error": {"type": kind, "message": message}}, status)


def v2_error(status: int, kind: str, message: str) -> Reply:
    """An error in v2's standard shape."""
    return json_reply({"message": message, "type": kind}, status)


def oauth_error(request_id: str, status: int, kind: str, description: str) -> Reply:
    """An error in the shape of the OAuth endpoints of v3."""
    return json_reply(
        {
            "error": kind,
            "error_code": status,
            "error_description": description,
            "error_uri": _OAUTH_ERROR_PAGE,
            "request_id": request_id,
        },
        status,
    )


def is_v3(path: str) -> bool:
    """Tell whether a path belongs to v3; everything else is v2."""
    return path.startswith("/v3/")


def error(path: str, request_id: str, status: int, message: str) -> Reply:
    """An error in the shape that belongs to `path`."""
    kind = _TYPES.get(status, "api_error")
    if path in OAUTH_PATHS:
        return oauth_error(request_id, status, kind, message)
    if is_v3(path):
        return v3_error(request_id, status, kind, message)
    return v2_error(status, "api_error" if status >= _SERVER_ERRORS_FROM else "invalid_request_error", message)


def made_up(path: str, request_id: str, status: int, *, html: bool, body_bytes: int | None) -> Reply:
    """The answer that the cues `status`, `html` and `body_bytes` describe."""
    if status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return Reply(status)
    if html:
        return Reply(status, (("Content-Type", "text/html"),), _page(status, body_bytes or 0))
    if body_bytes is not None:
        return Reply(status, (("Content-Type", "text/plain"),), b"a" * body_bytes)
    if status >= _ERRORS_FROM:
        return error(path, request_id, status, phrase(status))
    return json_reply({"request_id": request_id, "data": {}} if is_v3(path) else {}, status)


def phrase(status: int) -> str:
    """The usual reason phrase."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _page(status: int, at_least_bytes: int) -> bytes:
    title = f"{status} {phrase(status)}"
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n"
    end = "</body>\r\n</html>\r\n"
    missing = at_least_bytes - len(page) - len(end)
    return (page + ("<!-- padding -->".ljust(missing)[:missing] if missing > 0 else "") + end).encode()
