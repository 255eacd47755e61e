"""Reads an error as people paste it, a body with or without the head above it (`curl -i`), and finds what describes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from proxy.core.catalogue import OTHER
from proxy.core.entries import Kind
from proxy.core.error_body import ErrorBody, read_error_body
from proxy.core.handbook import Symptoms
from proxy.core.model import Api, Cause, Fields, Reply, RequestContext, Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.core.classify import Classifier
    from proxy.core.entries import Entry
    from proxy.core.handbook import Handbook

_HEAD: Final = re.compile(r"HTTP/[0-9.]+ ([2-5][0-9]{2})[^\n]*\n(.*?)(?:\r?\n\r?\n|$)", re.DOTALL)
_LINES_MIN: Final = 2


def looks_pasted(text: str) -> bool:
    """Tell whether `text` is an answer or its body, rather than a question in words."""
    return text.lstrip().startswith(("{", "[", "<", "HTTP/")) or len(text.strip().splitlines()) >= _LINES_MIN


def entry_for_pasted(text: str, handbook: Handbook, classifier: Classifier, *, now: float) -> Entry | None:
    """Return what describes the error in `text`, or None where neither it nor its class is known.

    A body does not tell its status: where no head stands above it, the statuses are tried that its type and its words are known to come with.
    """
    status, fields, text = _split(text.lstrip())
    reply = Reply(status or 0, fields, text.encode())
    body = read_error_body(reply)
    if body is None:
        return None
    candidates = [handbook.entry_for(symptoms) for symptoms in _symptoms(reply, body, handbook, classifier, now)]
    exact = (entry for entry in candidates if entry.kind is not Kind.CAUSE)
    return next(exact, candidates[0] if candidates else None)


def _split(text: str) -> tuple[int | None, Fields, str]:
    head = _HEAD.match(text)
    if head is None:
        return None, (), text
    lines = (line.partition(":") for line in head[2].splitlines())
    fields = tuple((name.strip().encode(), value.strip().encode()) for name, _, value in lines)
    return int(head[1]), fields, text[head.end() :]


def _symptoms(reply: Reply, body: ErrorBody, handbook: Handbook, classifier: Classifier, now: float) -> Iterator[Symptoms]:
    """What the error may be, the likeliest first."""
    kind, words = body.type.lower(), body.words
    known = _cause_told(body)
    for api in (Api.V3, Api.V2) if _may_be_v3(body) else (Api.V2, Api.V3):
        context = RequestContext("POST", b"/", Route(OTHER, api, frozenset(), "", OTHER, {}), None, "")
        if known:
            yield Symptoms(known, api, reply.status or None, kind, words)
        for status in [] if known else [reply.status] if reply.status else _possible_statuses(kind, words, api, handbook):
            verdict = classifier.classify(Reply(status, reply.fields, reply.body), context, now=now)
            yield Symptoms(verdict.cause, api, status, kind, words)


def _cause_told(body: ErrorBody) -> Cause | None:
    """The class that a proxy of ours has told already."""
    told = body.object.get("proxy")
    cause = told.get("cause") if isinstance(told, dict) else None
    return Cause(cause) if cause in list(Cause) else None


def _may_be_v3(body: ErrorBody) -> bool:
    return bool(body.error) or body.is_oauth or "type" not in body.object


def _possible_statuses(kind: str, words: str, api: Api, handbook: Handbook) -> list[int]:
    fitting = [entry for entry in handbook.entries if entry.api in {None, api}]
    by_words = [entry for entry in fitting if any(phrase in words for phrase in entry.phrases)]
    by_type = [entry for entry in fitting if entry.kind is Kind.TYPE and entry.name.lower() in {kind, f"oauth2.{kind}"}]
    return [status for entry in (*by_words, *by_type) for said in entry.said for status in said.statuses]
