"""An upstream, or whoever has taken its place, answers what is meant to hurt: every number is capped, every error told in the one shape."""

from __future__ import annotations

import gzip
import json
import uuid
import zlib
from typing import TYPE_CHECKING

from wire.cases import CHUNKED
from wire.stream import lines

from faults.caller import End
from faults.case import Ask, Case, Gets
from faults.upstream_cases import MIB, says

if TYPE_CHECKING:
    from faults.peer import Act, Visit

NOW = (b"X-Nylas-Proxy-Patience: 0",)
"""What a caller says that does not wait for anything."""

LIMITED = b"429 Too Many Requests"
_JSON = b"Content-Type: application/json"
_DAY_S = 86_400


def error(status: bytes, body: bytes, *fields: bytes) -> Act:
    """An act: answer with this error."""

    async def act(visit: Visit) -> None:
        await visit.answer(_JSON, *fields, status=status, body=body)

    return act


def told(kind: str = "api.internal_error", message: str = "It failed.", **more: object) -> bytes:
    """An error body of Nylas."""
    return json.dumps({"request_id": uuid.uuid4().hex, "error": {"type": kind, "message": message, **more}}).encode()


def _limited(fault: str, *fields: bytes, body: bytes = b"", longest_s: int = _DAY_S) -> Case:
    """A refusal that names an absurd wait: the one that is told is at least 1 s and at most what its kind of limit can take."""
    act = error(LIMITED, body or told("rate_limit_error", "Too many requests"), *fields)
    gets = Gets(429, "rate_limit_ambiguous rate_limit_provider rate_limit_provider_microsoft exchange_throttle", waits_s=(1, longest_s))
    return Case(fault, Ask.CHANGE, (act,), gets, "`window.opened` with a length within the cap of its row in windows.toml", fields=NOW)


def _failed(fault: str, act: Act, status: int = 500, cause: str = "server_error") -> Case:
    """An error that nobody can read, or that is too much: told all the same."""
    return Case(fault, Ask.CHANGE, (act,), Gets(status, cause))


async def _fails_without_a_word(visit: Visit) -> None:
    await visit.body()
    await visit.say(lines(b"HTTP/1.1 " + FAILURE, b"Content-Length: 0"))
    visit.keeps = True


async def _fails_without_end(visit: Visit) -> None:
    await visit.body()
    await visit.say(lines(b"HTTP/1.1 " + FAILURE, _JSON, CHUNKED))
    while True:
        await visit.say(b"4000\r\n" + b"e" * 0x4000 + b"\r\n")


FAILURE = b"500 Internal Server Error"
_BOMB = gzip.compress(b"b" * 64 * MIB)
_DEEP = b'{"error":' * 100_000 + b"1" + b"}" * 100_000
_LONG_TYPE = told("t" * MIB)
_HEAD = lines(b"HTTP/1.1 " + FAILURE, _JSON, b"Content-Length: 100")
_INJECTION = b'{"request_id":"a\\r\\nX-Evil: 1","error":{"type":"x\\r\\nX-Evil: 1","message":"\\u0000\\r\\n\\r\\nHTTP/1.1 200 OK"}}'

CASES: tuple[Case, ...] = (
    _limited("Retry-After of ten years", b"Retry-After: 315360000"),
    _limited("Retry-After of a thousand digits", b"Retry-After: " + b"9" * 1000),
    _limited("Retry-After below zero", b"Retry-After: -5"),
    _limited("Retry-After of zero", b"Retry-After: 0"),
    _limited("Retry-After that is not a number", b"Retry-After: NaN"),
    _limited("Retry-After without end", b"Retry-After: Infinity"),
    _limited("Retry-After as an exponent", b"Retry-After: 1e999"),
    _limited("Retry-After as a list", b"Retry-After: 1, 2, 3"),
    _limited("Retry-After twice", b"Retry-After: 5", b"Retry-After: 315360000"),
    _limited("Retry-After in the year 9999", b"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT"),
    _limited("Retry-After at an impossible date", b"Retry-After: Mon, 32 Foo 99999 99:99:99 GMT"),
    _limited("X-RateLimit-Reset that makes no sense", b"X-RateLimit-Reset: NaN", b"X-RateLimit-Limit: -1", b"X-RateLimit-Remaining: 1e999"),
    _limited("a back-off of years in a message", body=told("api.provider_error", "BackOffMilliseconds: 999999999999999")),
    _limited("a time of years in a message", body=told("api.provider_error", "Retry after 9999-12-31T23:59:59Z")),
    _failed("a body nested 100,000 deep", error(FAILURE, _DEEP)),
    _failed("a list nested 30,000 deep", error(FAILURE, b"[" * 30_000 + b"]" * 30_000)),
    _failed("a type field of a megabyte", error(FAILURE, _LONG_TYPE)),
    _failed("a type field of 60 kB", error(FAILURE, told("t" * 60_000))),
    _failed("fields of wrong types", error(FAILURE, b'{"error":[[],{}],"message":{"a":1e999},"request_id":17,"type":null}')),
    _failed("a thousand-digit number", error(FAILURE, b'{"error":{"code":' + b"9" * 1000 + b"}}")),
    _failed("line ends and NUL in what becomes a field", error(FAILURE, _INJECTION)),
    _failed("a body that is no UTF-8", error(FAILURE, b'{"error":"\xff\xfe\x00"}')),
    _failed("half a body", error(FAILURE, told()[:40])),
    _failed("a page of HTML", error(FAILURE, b"<html>" + b"<b>" * 20_000)),
    _failed("an empty body", _fails_without_a_word),
    _failed("64 MB in a gzip of 64 kB", error(FAILURE, _BOMB, b"Content-Encoding: gzip")),
    _failed("64 MB in a deflate of 64 kB", error(FAILURE, zlib.compress(b"b" * 64 * MIB), b"Content-Encoding: deflate")),
    _failed("a gzip in a gzip in a gzip", error(FAILURE, gzip.compress(gzip.compress(_BOMB)), b"Content-Encoding: gzip, gzip, gzip")),
    _failed("a gzip that is none", error(FAILURE, b"no gzip at all", b"Content-Encoding: gzip")),
    _failed("half a gzip", error(FAILURE, gzip.compress(told())[:30], b"Content-Encoding: gzip")),
    _failed("an error without end", _fails_without_end),
    _failed("an error that stops", says(_HEAD + b"hello", then="hang")),
    _failed("an error that breaks off", says(_HEAD + b"hello", then="reset")),
    _failed("an error in bad chunks", says(lines(b"HTTP/1.1 " + FAILURE, _JSON, CHUNKED, body=b"zz\r\n"), then="hang")),
    _failed("a status that nobody knows", error(b"599 What", told()), 599),
    Case(
        "an error that breaks off, asked for as it is", Ask.CHANGE, (says(_HEAD + b"hello", then="reset"),), Gets(500, "server_error", end=End.CUT),
        fields=(b"X-Nylas-Proxy-Errors: raw",), ended="cut",
    ),
    Case("fields within the limits", Ask.READ, (error(b"200 OK", b"fields", *[b"Set-Cookie: " + b"c" * 80] * 150),), Gets()),
)  # fmt: skip
