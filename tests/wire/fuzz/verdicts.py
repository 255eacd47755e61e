"""What is wrong with the outcome of one input: nothing, or one sentence."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wire import strict
from wire.fuzz.inputs import Kind
from wire.fuzz.reading import read_requests
from wire.lines import Malformed

if TYPE_CHECKING:
    from wire.fuzz.inputs import Input
    from wire.fuzz.reading import Request

_MARKER = re.compile(rb"fz\d{8}-[0-9a-f]{8}")
_PROXY_KEYS = {"origin", "cause", "scope", "retryable", "retry_after_s", "retry_at", "attempts", "meaning", "solution"}


@dataclass(frozen=True, slots=True)
class Got:
    """One answer that the client got; `is_cut`: the connection ended inside it."""

    head: strict.Head
    status: int
    body: bytes
    is_cut: bool


def fault(played: Input, received: bytes) -> str | None:
    """What is wrong with what upstream and the client got of this input; None when nothing is."""
    try:
        answers = read_answers(received, may_be_head=b"HEAD" in played.raw_request)
    except Malformed as malformed:
        return f"the client got something malformed: {malformed}"
    for answer in answers:
        if (text := _fault_of_shape(answer)) is not None and not _wants_raw(played):
            return text
    if played.kind is Kind.RESPONSE:
        return _fault_of_response(played, answers)
    return _fault_of_arrivals(played) or _fault_of_answers(played, answers)


def read_answers(received: bytes, *, may_be_head: bool) -> list[Got]:
    """All final answers in these bytes, the last of them possibly cut; Malformed when they are no answers."""
    buffer = bytearray(received)
    found: list[Got] = []
    while buffer:
        head = strict.take_head(buffer)
        if head is None:
            if found and found[-1].head.value(b"connection") == b"close":
                raise Malformed(f"bytes after the last answer: {bytes(buffer[:60])!r}")
            found.append(Got(strict.Head(b"", ()), 0, b"", is_cut=True))
            return found
        status = strict.status_line(head).status
        if status >= 200:
            found.append(_take_body(head, status, buffer, may_be_head=may_be_head))
    return found


def _take_body(head: strict.Head, status: int, buffer: bytearray, *, may_be_head: bool) -> Got:
    """Upstream's good answers name the method; of an answer without it to what may be a HEAD, only the bytes tell whether it has a body."""
    method = head.value(b"x-method") or b"GET"
    if method == b"GET" and may_be_head and (not buffer or buffer.startswith(b"HTTP/1.1 ")):
        method = b"HEAD"
    decoder = strict.response_body(head, method)
    body = decoder.decode(buffer)
    return Got(head, status, body, is_cut=not decoder.may_end_here())


def _wants_raw(played: Input) -> bool:
    return b"x-nylas-proxy-errors" in played.raw_request.lower()


def _fault_of_shape(answer: Got) -> str | None:
    """Errors have the one shape; that of an answer to HEAD has no body to judge."""
    if answer.status < 400 or answer.is_cut or not answer.body:
        return None
    if answer.head.value(b"content-type") != b"application/json" or answer.head.value(b"content-length") != b"%d" % len(answer.body):
        return f"an error is not framed as one: {answer.head}"
    try:
        body = json.loads(answer.body)
    except ValueError:
        return f"an error is no JSON: {answer.body[:100]!r}"
    cause = answer.head.value(b"x-nylas-proxy-cause")
    if not body["proxy"].keys() >= _PROXY_KEYS or body["proxy"]["cause"].encode() != cause or not isinstance(body["request_id"], str):
        return f"an error has another shape: {answer.body[:200]!r}"
    return "the proxy met a bug of its own" if cause == b"proxy_bug" else None


def _fault_of_arrivals(played: Input) -> str | None:
    """Upstream got nothing but what a strict reader finds in the client's bytes, in that order."""
    meant = iter(read_requests(played.raw_request))
    for request in played.arrived:
        if not any(request == candidate for candidate in meant):
            return f"upstream got what the client did not say: {_shown(request)}"
    return None


def _shown(request: Request) -> str:
    return f"{request.method!r} {request.target[:80]!r} with {request.body[:80]!r}"


def _fault_of_answers(played: Input, answers: list[Got]) -> str | None:
    """There are answers, complete ones, to this client; to a valid input they are all good, in order, as many as arrived."""
    if not answers or any(answer.is_cut for answer in answers):
        return f"no complete answer: {answers}"
    strangers = {marker for answer in answers for marker in _MARKER.findall(answer.body)} - {played.marker}
    if played.mutated:
        return None
    parts = [int(part) for answer in answers for part in answer.head.values(b"x-part")]
    if strangers:
        return f"an answer to {strangers} came to {played.marker!r}"
    if parts != list(range(len(played.arrived))) or {answer.status for answer in answers} != {200}:
        return f"a valid input was answered {[answer.status for answer in answers]} {parts}, {len(played.arrived)} arrived"
    return None


def _fault_of_response(played: Input, answers: list[Got]) -> str | None:
    expected = played.expected
    assert expected is not None
    if len(answers) != 1:
        return f"{len(answers)} answers to one request"
    got = answers[0]
    if expected.is_doubtful:
        return None
    whole = expected.is_complete and not expected.is_malformed
    if whole and 200 <= expected.status < 400 and (got.status, got.body, got.is_cut) != (expected.status, expected.body, False):
        return None if got.status == 502 and played.mutated else f"expected {expected.status} with {expected.body[:80]!r}, got {got}"
    if not whole and got.status < 400 and not got.is_cut:
        return f"a broken answer looks complete: {got}"
    return None
