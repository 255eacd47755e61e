"""Makes every error the same kind of answer: the superset body with a `proxy` object, and header fields that agree with it.

Bodies of 2xx and 3xx never come here. Nothing of the request but its method and route enters an answer: what a text says beyond the tables of
`facts/` is upstream's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.core.classify import FROM_THE_PROVIDER
from proxy.core.error_body import ErrorBody, read_error_body
from proxy.core.handbook import Symptoms
from proxy.core.headers import error_fields, proxy_fields, request_id_of, untouched_fields
from proxy.core.identify import path_of, speaks_oauth
from proxy.core.json_values import write_json
from proxy.core.model import Api, Cause, ErrorAnswer, Problem, Reply, RequestContext, Verdict
from proxy.core.repeat import is_known_by_callers_key
from proxy.core.retry_after import whole_seconds
from proxy.core.superset import Fallback, superset

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.core.entries import Entry
    from proxy.core.handbook import Handbook
    from proxy.core.json_values import Json
    from proxy.core.model import Fields

OUTCOME_UNKNOWN: Final = frozenset(
    {
        Cause.PROVIDER_ERROR,
        Cause.PROVIDER_TIMEOUT,
        Cause.PARTIAL_SUCCESS,
        Cause.SERVER_ERROR,
        Cause.UPSTREAM_UNAVAILABLE,
        Cause.UPSTREAM_MALFORMED,
        Cause.UPSTREAM_BROKE_OFF,
        Cause.RESPONSE_TIMEOUT,
        Cause.SHUTTING_DOWN,
    }
)
"""Causes after which a request may have taken effect all the same, unless the status is a refusal (4xx)."""

MAY_HAVE_HAPPENED: Final = "This request may have taken effect: look for its effect, a mail in the sent folder for instance, before repeating it."

MAY_HAVE_HAPPENED_UNDER_KEY: Final = (
    "This request may have taken effect: repeat it with the same Idempotency-Key. Nylas will not carry it out twice; for an hour it answers what it"
    " answered to the first, an error included. If that is an error, look for the effect before taking a new key."
)
"""The same of a request that carries its caller's own key, where Nylas knows repetitions by it."""


class _Text(NamedTuple):
    """What is told about one answer."""

    meaning: str
    solution: str
    retryable: bool
    doubt: str
    """What to say first where it may have taken effect all the same, or empty."""


_NOTHING: Final = ErrorBody(is_json=False, value=None, text="", is_markup=False)
_LIMITS_BY_PATH: Final = frozenset({Cause.RATE_LIMIT_NYLAS, Cause.RATE_LIMIT_AMBIGUOUS})
_TYPES: Final[Mapping[Api, Mapping[int, str]]] = {
    Api.V3: {
        401: "api.authentication_error",
        403: "api.unauthorized_access",
        404: "api.not_found_error",
        410: "api.not_found_error",
        423: "api.resource_blocked",
        429: "api.rate_limit_error",
        504: "api.provider_error",
    },
    Api.V2: {402: "api_error", 429: "api_error"},
}
"""Types of Nylas for statuses that came without one; for others: an invalid request below 500, an internal error from there."""
_TYPES_ELSE: Final = {Api.V3: ("api.invalid_request_error", "api.internal_error"), Api.V2: ("invalid_request_error", "api_error")}
_FIRST_REFUSAL: Final = 400
_SERVER_ERRORS_FROM: Final = 500


def normalise(
    reply: Reply,
    context: RequestContext,
    verdict: Verdict,
    *,
    handbook: Handbook,
    attempts: int,
    now: float,
    may_have_happened: bool | None = None,
) -> ErrorAnswer:
    """Return what the caller gets for an error of upstream (status 400 or more).

    A reply whose content coding cannot be undone here (br, zstd) keeps body and coding, since the client that asked for it can read it, and
    gets the proxy's fields alone; but where it was cut, it says no more than its status does.

    Args:
        reply: What upstream answered.
        context: The request.
        verdict: What the answer means.
        handbook: What is told about errors.
        attempts: How often upstream was asked.
        now: Seconds since 1970, for dates.
        may_have_happened: The request may have taken effect all the same, by this attempt or one before; None: judge by this answer alone.
    """
    body = read_error_body(reply)
    if body is None and not reply.cut:
        return untouched(reply, verdict, context.request_id, attempts)
    body = body or _NOTHING
    request_id = request_id_of(reply.fields, body.request_id) or context.request_id
    api = context.route.api
    fallback = Fallback(reply.status, _type_of(reply.status, api), handbook.causes[verdict.cause].meaning, request_id)
    said = superset(body, fallback, oauth=speaks_oauth(context))
    entry = _entry(body, reply.status, context, verdict, handbook)
    doubt = _leaves_doubt(verdict.cause, reply.status, context) if may_have_happened is None else may_have_happened
    text = _Text(f"{entry.meaning} {entry.reason}", entry.solution, handbook.retryable(entry), _doubt(context) if doubt else "")
    said["proxy"] = _proxy_object(verdict, context, text, attempts=attempts, now=now)
    fields = error_fields(reply.fields, request_id=request_id, wait_s=verdict.retry_after_s, now=now)
    return _answer(reply.status, fields, said, verdict, attempts)


def entry_of(reply: Reply, context: RequestContext, verdict: Verdict, handbook: Handbook) -> Entry:
    """Return what describes an error of upstream best."""
    return _entry(read_error_body(reply) or _NOTHING, reply.status, context, verdict, handbook)


def _entry(body: ErrorBody, status: int, context: RequestContext, verdict: Verdict, handbook: Handbook) -> Entry:
    path = path_of(context.target).decode("latin-1")
    return handbook.entry_for(Symptoms(verdict.cause, context.route.api, status, body.type.lower(), body.words, path))


def _leaves_doubt(cause: Cause, status: int, context: RequestContext | None) -> bool:
    is_unsafe = context is not None and context.method in context.route.unsafe
    return is_unsafe and cause in OUTCOME_UNKNOWN and not _FIRST_REFUSAL <= status < _SERVER_ERRORS_FROM


def _doubt(context: RequestContext | None) -> str:
    return MAY_HAVE_HAPPENED_UNDER_KEY if context is not None and is_known_by_callers_key(context) else MAY_HAVE_HAPPENED


def problem_answer(
    problem: Problem, context: RequestContext | None, *, handbook: Handbook, request_id: str, attempts: int, now: float
) -> ErrorAnswer:
    """Return what the caller gets for an error of the proxy or the network; `context` is None for a request that was never understood."""
    oauth = context is not None and speaks_oauth(context)
    verdict = Verdict(problem.cause, problem.origin, problem.retry_after_s)
    cause = handbook.causes[problem.cause]
    doubt = problem.may_have_happened or _leaves_doubt(problem.cause, problem.status, context)
    text = _Text(f"{cause.meaning} {cause.reason}", cause.solution, cause.retryable, _doubt(context) if doubt else "")
    said = superset(_NOTHING, Fallback(problem.status, f"proxy.{problem.cause}", problem.message, request_id), oauth=oauth)
    said["proxy"] = _proxy_object(verdict, context, text, attempts=attempts, now=now)
    fields = error_fields((), request_id=request_id, wait_s=problem.retry_after_s, now=now)
    return _answer(problem.status, fields, said, verdict, attempts)


def untouched(reply: Reply, verdict: Verdict, request_id: str, attempts: int) -> ErrorAnswer:
    """Return upstream's error as it is, with the proxy's header fields added.

    For `X-Nylas-Proxy-Errors: raw`, and for codings that only the client can read. `reply` must be whole: one that was cut would look complete.
    """
    fields = untouched_fields(reply.fields, len(reply.body), request_id=request_id)
    return ErrorAnswer(reply.status, fields + proxy_fields(verdict.origin, verdict.cause, attempts), reply.body)


def _answer(status: int, fields: Fields, said: dict[str, Json], verdict: Verdict, attempts: int) -> ErrorAnswer:
    body = write_json(said).encode("ascii")
    length = (b"Content-Length", b"%d" % len(body))
    return ErrorAnswer(status, (*fields, length, *proxy_fields(verdict.origin, verdict.cause, attempts)), body)


def _proxy_object(verdict: Verdict, context: RequestContext | None, text: _Text, *, attempts: int, now: float) -> dict[str, Json]:
    wait_s = None if verdict.retry_after_s is None else whole_seconds(verdict.retry_after_s)
    return {
        "origin": str(verdict.origin),
        "cause": str(verdict.cause),
        "scope": _scope(verdict.cause, context),
        "retryable": text.retryable and not text.doubt,
        "retry_after_s": wait_s,
        "retry_at": None if wait_s is None else datetime.fromtimestamp(now + wait_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "attempts": attempts,
        "meaning": text.meaning,
        "solution": f"{text.doubt} {text.solution}" if text.doubt else text.solution,
    }


def _scope(cause: Cause, context: RequestContext | None) -> str | None:
    """Return how far the trouble reaches: one mailbox ("grant", in v2 the account), the whole application, or None where nothing tells.

    Nylas limits v3 paths of a grant for each grant, all other v3 paths for the application. A v2 answer does not say which of two limits it means.
    """
    if cause in FROM_THE_PROVIDER - {Cause.SEND_REJECTED}:
        return "grant"
    if cause not in _LIMITS_BY_PATH or context is None or context.route.api is Api.V2:
        return None
    return "application" if context.grant is None else "grant"


def _type_of(status: int, api: Api) -> str:
    return _TYPES[api].get(status) or _TYPES_ELSE[api][status >= _SERVER_ERRORS_FROM]
