"""Reads an error as people paste it, a body with or without the head above it (`curl -i`) or within a line of a log, and finds what describes it.

A head tells the status. Without one every status is tried: what only one of them explains is the answer, else there are several.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.core.catalogue import OTHER
from proxy.core.entries import Kind
from proxy.core.error_body import ErrorBody, read_error_body
from proxy.core.handbook import Symptoms
from proxy.core.json_values import read_json, write_json
from proxy.core.model import Api, Reply, RequestContext, Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.classify import Classifier
    from proxy.core.entries import Entry
    from proxy.core.handbook import Handbook
    from proxy.core.json_values import Json
    from proxy.core.model import Cause, Fields

_HEAD: Final = re.compile(r"HTTP/[0-9.]+ ([1-5][0-9]{2})[^\n]*(?:\n|$)((?:[^\r\n]+(?:\r?\n|$))*)(?:\r?\n|$)")
_OBJECT: Final = re.compile(r"\{.*\}", re.DOTALL)
_STATUS: Final = re.compile(r"\b([45][0-9]{2})\b")
_STATUSES: Final = (400, 401, 402, 403, 404, 409, 410, 413, 415, 422, 423, 429, 500, 501, 502, 503, 504)
_FIRST_ERROR: Final = 400
_LINES_MIN: Final = 2

# The requests that rules tell apart; that of most answers first.
_REQUESTS: Final = {
    Api.V3: (("POST", OTHER),),
    Api.V2: (("POST", OTHER), ("POST", "send"), ("PUT", OTHER), ("GET", "message")),
}
_SAYS_NOTHING: Final[dict[Api, Json]] = {Api.V3: {"request_id": "-", "error": {"type": "-", "message": "-"}}, Api.V2: {"type": "-", "message": "-"}}


class _Pasted(NamedTuple):
    """What was pasted: the status, None where it is not known, header fields, and the body."""

    status: int | None
    fields: Fields
    body: str


def looks_pasted(text: str) -> bool:
    """Tell whether `text` is an answer or its body, rather than a question in words."""
    return text.lstrip().startswith(("[", "<", "HTTP/")) or bool(_OBJECT.search(text)) or len(text.strip().splitlines()) >= _LINES_MIN


def entries_for_pasted(text: str, handbook: Handbook, classifier: Classifier, *, now: float) -> tuple[Entry, ...]:
    """Return what describes the error in `text`: several entries where it can be one of them, none where it is not known, or no error."""
    pasted = _split(text.lstrip())
    if pasted.status is not None and pasted.status < _FIRST_ERROR and "failures" not in pasted.body:
        return ()
    body = read_error_body(Reply(pasted.status or 0, (), pasted.body.encode("utf-8", "replace")))
    assert body is not None  # noqa: S101 - without header fields there is no coding that cannot be undone
    told = _told_by_a_proxy(body, handbook)
    if told is not None:
        return (told,)
    found = list(dict.fromkeys(_candidates(pasted, body, handbook, classifier, now)))
    # What its words give away is more than what its type may mean, and that more than its class.
    by_words = [entry for entry in found if entry.kind in {Kind.SITUATION, Kind.RULE}]
    exactly_told = {entry.cause for entry in found if entry.kind is not Kind.CAUSE}
    return tuple(by_words or (entry for entry in found if entry.kind is not Kind.CAUSE or entry.cause not in exactly_told))


def _split(text: str) -> _Pasted:
    head = _HEAD.match(text)
    if head is None:
        return _in_a_line(text)
    body = text[head.end() :].lstrip()
    if _HEAD.match(body):  # the one before was interim, a redirect's, or an egress proxy's
        return _split(body)
    lines = (line.partition(":") for line in head[2].splitlines())
    return _Pasted(int(head[1]), tuple((name.strip().encode(), value.strip().encode()) for name, _, value in lines), body)


def _in_a_line(text: str) -> _Pasted:
    """An object that something stands before, a status perhaps: `POST /v2/send: 429 {"message": ...}`."""
    found = _OBJECT.search(text)
    if found is None or read_json(found[0]) is None:
        return _Pasted(None, (), text)
    statuses = _STATUS.findall(text[: found.start()])
    return _Pasted(int(statuses[-1]) if statuses else None, (), found[0])


def _told_by_a_proxy(body: ErrorBody, handbook: Handbook) -> Entry | None:
    """The entry that a proxy of ours has told already: its texts are like no other's."""
    proxy = body.object.get("proxy")
    told = proxy if isinstance(proxy, dict) else {}
    cause = told.get("cause") or body.type.removeprefix("proxy.")
    by_meaning = (entry for entry in handbook.entries if f"{entry.meaning} {entry.reason}" == told.get("meaning"))
    by_cause = (entry for entry in handbook.entries if entry.kind is Kind.CAUSE and entry.name == cause and (told or body.type.startswith("proxy.")))
    return next(by_meaning, None) or next(by_cause, None)


def _apis(body: ErrorBody) -> tuple[Api, ...]:
    """The APIs that an answer of this shape can be of."""
    if body.error or body.is_oauth:
        return (Api.V3,)
    is_flat = "message" in body.object and ("type" in body.object or "server_error" in body.object)
    return (Api.V2,) if is_flat else (Api.V3, Api.V2)


def _candidates(pasted: _Pasted, body: ErrorBody, handbook: Handbook, classifier: Classifier, now: float) -> Iterator[Entry]:
    def cause_of(status: int, said: bytes, request: tuple[str, str], api: Api) -> Cause:
        route = Route(request[1], api, frozenset(), "", OTHER, {})
        return classifier.classify(Reply(status, fields, said), RequestContext(request[0], b"/", route, None, ""), now=now).cause

    fields = tuple(field for field in pasted.fields if field[0].lower() != b"content-encoding")  # what people paste is decoded
    data = pasted.body.encode("utf-8", "replace")
    for api in _apis(body):
        usual, *others = _REQUESTS[api]
        nothing = write_json(_SAYS_NOTHING[api]).encode() if body.is_json else b"-"
        for status in [pasted.status] if pasted.status else _STATUSES:
            cause = cause_of(status, data, usual, api)
            entry = handbook.entry_for(Symptoms(cause, api, status, body.type.lower(), body.words))
            if pasted.status or entry.kind not in {Kind.STATUS, Kind.CAUSE} or cause is not cause_of(status, nothing, usual, api):
                yield entry
            for request in others:
                if (other := cause_of(status, data, request, api)) is not cause:
                    yield handbook.entry_for(Symptoms(other, api, status, body.type.lower(), body.words))
