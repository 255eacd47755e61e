"""What tests are made of: sensible defaults, so that a test names only what matters."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from proxy import known
from proxy.core.identify import identify
from proxy.core.model import Api, Cause, ErrorAnswer, Fields, Origin, Reply, RequestContext, Verdict
from proxy.core.normalise import normalise

if TYPE_CHECKING:
    from proxy.core.catalogue import Catalogue
    from proxy.core.classify import Classifier
    from proxy.core.handbook import Handbook

NOW = 1_700_000_000.0
"""2023-11-14T22:13:20Z"""

OUR_ID = "our-request-id"
NEUTRAL_TARGET = {Api.V3: b"/v3/nothing-known", Api.V2: b"/nothing-known"}


@cache
def the_catalogue() -> Catalogue:
    return known.catalogue()


@cache
def the_classifier() -> Classifier:
    return known.classifier()


@cache
def the_handbook() -> Handbook:
    return known.handbook()


def a_context(target: bytes | Api = Api.V3, method: str = "GET", *, callers_key: bool = False) -> RequestContext:
    """A request for `target`, or for a path of that API of which nothing is known."""
    path = NEUTRAL_TARGET[target] if isinstance(target, Api) else target
    return identify(the_catalogue(), method, path, OUR_ID, callers_key=callers_key)


def a_reply(status: int = 400, body: Any = None, fields: Fields = (), *, cut: bool = False) -> Reply:
    """An answer of upstream: bytes as they are, anything else as JSON, nothing for None."""
    if body is None:
        body = b""
    return Reply(status, fields, body if isinstance(body, bytes) else json.dumps(body).encode(), cut)


def a_verdict(cause: Cause = Cause.UNKNOWN, origin: Origin = Origin.NYLAS, retry_after_s: float | None = None) -> Verdict:
    return Verdict(cause, origin, retry_after_s)


def classified(reply: Reply, context: RequestContext | None = None) -> Verdict:
    return the_classifier().classify(reply, context or a_context(), now=NOW)


def cause_of(status: int, body: Any = None, target: bytes | Api = Api.V3, method: str = "GET", fields: Fields = ()) -> Cause:
    return classified(a_reply(status, body, fields), a_context(target, method)).cause


def normalised(reply: Reply, context: RequestContext | None = None, verdict: Verdict | None = None, *, attempts: int = 1) -> ErrorAnswer:
    context = context or a_context()
    return normalise(reply, context, verdict or classified(reply, context), handbook=the_handbook(), attempts=attempts, now=NOW)


def said(answer: ErrorAnswer) -> Any:
    return json.loads(answer.body)
