"""The requests that many cases begin with, and how tables of named cases become parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import pytest

from wire.stream import chunks, lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _pytest.mark import ParameterSet

HOST = b"Host: a"
CHUNKED = b"Transfer-Encoding: chunked"
GET = lines(b"GET /v3/grants/g1/messages HTTP/1.1", HOST)
HEAD = lines(b"HEAD /v3/grants/g1/messages HTTP/1.1", HOST)
POST_HEAD = lines(b"POST /v3/grants/g1/messages/send HTTP/1.1", HOST, b"Content-Length: 10")
POST = POST_HEAD + b"0123456789"
UNSAFE = {
    "POST": POST,
    "PUT": lines(b"PUT /v3/grants/g/events/1 HTTP/1.1", HOST, b"Content-Length: 2", body=b"{}"),
    "PATCH": lines(b"PATCH /v3/grants/g HTTP/1.1", HOST, b"Content-Length: 2", body=b"{}"),
    "DELETE": lines(b"DELETE /v3/grants/g/events/1 HTTP/1.1", HOST),
    "POST in chunks": lines(b"POST /v3/grants/g/messages/send HTTP/1.1", HOST, CHUNKED, body=chunks([b"{}"])),
}
GET_AND_POST = {"GET": GET, "POST": POST}

Case = TypeVar("Case")


def with_request_id(raw: bytes, request_id: str) -> bytes:
    """The same request with an id by which its line in the log is found."""
    return raw.replace(b"\r\n", b"\r\nX-Request-Id: " + request_id.encode() + b"\r\n", 1)


def by_name(table: Mapping[str, Case]) -> list[ParameterSet]:
    """One parameter for each case, with its name as id."""
    return [pytest.param(case, id=name) for name, case in table.items()]


def rows_by_name(table: Mapping[str, tuple[object, ...]]) -> list[ParameterSet]:
    """The same for cases of several parameters."""
    return [pytest.param(*row, id=name) for name, row in table.items()]
