from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from builders import NOW, OUR_ID, a_context, a_reply, a_verdict, normalised, said, the_handbook
from hypothesis import given, settings
from hypothesis import strategies as st
from one_shape import assert_one_shape

from proxy.core.identify import speaks_oauth
from proxy.core.model import Api, Cause, ErrorAnswer, Origin, Problem, Reply, RequestContext
from proxy.core.normalise import MAY_HAVE_HAPPENED, MAY_HAVE_HAPPENED_UNDER_KEY, OUTCOME_UNKNOWN, entry_of, problem_answer

if TYPE_CHECKING:
    from collections.abc import Callable

SEND = b"/v3/grants/g/messages/send"
TARGETS = [b"/v3/grants/g/messages", b"/messages", b"/v3/connect/token", b"/v3/connect/tokeninfo", b"/oauth/token", SEND]
KEYS = [
    "error",
    "type",
    "message",
    "request_id",
    "provider_error",
    "validation_errors",
    "original",
    "proxy",
    "statusCode",
    "error_code",
    "server_error",
]

any_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(["not_found", "a message"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=5),
    max_leaves=15,
)
any_body = (
    st.binary(max_size=200)
    | any_value.map(lambda value: json.dumps(value).encode())
    | any_value.map(lambda value: json.dumps(value).encode()[:-1])
    | st.text(alphabet="<>/!&;abc \n{}[]\"'", max_size=60).map(str.encode)
)
PACKERS: list[tuple[bytes, Callable[[bytes], bytes]]] = [
    (b"", bytes),
    (b"gzip", gzip.compress),
    (b"gzip", bytes),
    (b"deflate", zlib.compress),
    (b"gzip, identity", gzip.compress),
]
content_types = st.sampled_from(
    [b"application/json", b"text/html; charset=utf-8", b"text/plain", b"application/xml", b"Application/Json", b"\xff", b""]
)


@st.composite
def any_reply(draw: st.DrawFn) -> Reply:
    coding, pack = draw(st.sampled_from(PACKERS))
    fields = ((b"Content-Encoding", coding), (b"Content-Type", draw(content_types)), (b"Retry-After", draw(st.sampled_from([b"", b"0", b"7", b"x"]))))
    return Reply(draw(st.integers(400, 599)), fields, pack(draw(any_body)), draw(st.booleans()))


any_context = st.sampled_from(TARGETS).map(lambda target: a_context(target, "POST"))


@given(any_reply(), any_context)
@settings(max_examples=400)
def test_any_answer_of_upstream_gets_the_one_shape(reply: Reply, context: RequestContext) -> None:
    assert_one_shape(normalised(reply, context), oauth=speaks_oauth(context))


@given(any_reply(), any_context)
@settings(max_examples=400)
def test_normalising_again_changes_nothing(reply: Reply, context: RequestContext) -> None:
    once = normalised(reply, context)
    again = normalised(Reply(once.status, once.fields, once.body), context, a_verdict(Cause.UNKNOWN))
    assert without_proxy(again) == without_proxy(once)


def without_proxy(answer: ErrorAnswer) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in said(answer).items() if key != "proxy"]


@given(st.dictionaries(st.text(max_size=6), any_value, max_size=5), any_context)
def test_fields_that_mean_nothing_to_an_sdk_keep_their_values(extra: dict[str, Any], context: RequestContext) -> None:
    unknown = {f"x_{key}": value for key, value in extra.items()}
    answer = said(normalised(a_reply(400, {"message": "m", **unknown}), context))
    assert {key: answer[key] for key in unknown} == json.loads(json.dumps(unknown), parse_constant=str)


@pytest.mark.parametrize("body", [b"<p>" * 3_500_000, b"<script>" * 1_300_000, b"&amp;" * 2_000_000, b"[" * 10_000_000, b"{" + b'"a":' * 2_000_000])
def test_ten_megabytes_are_looked_at_up_to_a_limit(body: bytes) -> None:
    # Work in proportion to the square of the size would not end before the suite's time-out.
    assert len(normalised(a_reply(502, body, ((b"Content-Type", b"text/html"),))).body) < 20_000


@pytest.mark.parametrize(
    ("cause", "target", "scope"),
    [
        (Cause.RATE_LIMIT_NYLAS, b"/v3/grants/g/messages", "grant"),
        (Cause.RATE_LIMIT_AMBIGUOUS, b"/v3/grants/g/messages", "grant"),
        (Cause.RATE_LIMIT_NYLAS, b"/v3/applications", "application"),
        (Cause.RATE_LIMIT_NYLAS, b"/messages", None),
        (Cause.RATE_LIMIT_PROVIDER_GOOGLE, b"/messages", "grant"),
        (Cause.EXCHANGE_THROTTLE, b"/v3/grants/g/messages", "grant"),
        (Cause.PROVIDER_AUTH, b"/v3/connect/custom", "grant"),
        (Cause.SEND_REJECTED, SEND, None),
        (Cause.VALIDATION, b"/v3/grants/g/messages", None),
    ],
)
def test_the_scope_tells_how_far_a_throttle_reaches(cause: Cause, target: bytes, scope: str | None) -> None:
    assert said(normalised(a_reply(429), a_context(target, "POST"), a_verdict(cause)))["proxy"]["scope"] == scope


def test_the_proxy_object_tells_what_is_known() -> None:
    answer = normalised(a_reply(429), verdict=a_verdict(Cause.EXCHANGE_THROTTLE, Origin.PROVIDER, 1199.2), attempts=2)
    text = the_handbook().causes[Cause.EXCHANGE_THROTTLE]
    assert said(answer)["proxy"] == {
        "origin": "provider",
        "cause": "exchange_throttle",
        "scope": "grant",
        "retryable": True,
        "retry_after_s": 1200,
        "retry_at": "2023-11-14T22:33:20Z",
        "attempts": 2,
        "meaning": f"{text.meaning} {text.reason}",
        "solution": text.solution,
    }


@pytest.mark.parametrize(
    ("status", "target", "name"),
    [
        (404, b"/v3/v3/grants/me/messages", "base_url_holds_v3"),
        (404, b"/prefix/v3/grants/me?x=1", "base_url_prefix"),
        (401, b"/prefix/v3/grants/me", "base_url_prefix_unauthorized"),
        (503, b"/v3/grants/me/folders", "folders_overload"),
        (404, b"/messages/1?path=/v3/grants", "404"),
        (503, b"/v3/grants/me/messages", "503"),
    ],
)
def test_the_path_can_tell_what_is_wrong(status: int, target: bytes, name: str) -> None:
    told = said(normalised(a_reply(status, {"message": "x"}), a_context(target)))["proxy"]
    assert [entry.name for entry in the_handbook().entries if told["meaning"] == f"{entry.meaning} {entry.reason}"] == [name]


def test_the_entry_that_describes_an_error_is_the_one_that_is_told() -> None:
    reply = a_reply(429, {"message": "Resource has been exhausted (e.g. check quota).", "type": "api_error"})
    entry = entry_of(reply, a_context(Api.V2), a_verdict(Cause.RATE_LIMIT_PROVIDER_GOOGLE), the_handbook())
    assert entry.name == "resource_exhausted"
    unreadable = a_reply(502, b"\x01", ((b"Content-Encoding", b"br"),))
    assert entry_of(unreadable, a_context(), a_verdict(Cause.UPSTREAM_UNAVAILABLE), the_handbook()).name == "502"


@pytest.mark.parametrize("cause", sorted(OUTCOME_UNKNOWN))
def test_what_may_have_happened_is_not_called_retryable(cause: Cause) -> None:
    told = said(normalised(a_reply(504), a_context(SEND, "POST"), a_verdict(cause)))["proxy"]
    assert told["retryable"] is False
    assert told["solution"].startswith(MAY_HAVE_HAPPENED)
    safe = said(normalised(a_reply(504), a_context(SEND, "GET"), a_verdict(cause)))["proxy"]
    assert safe["retryable"] is the_handbook().causes[cause].retryable
    assert MAY_HAVE_HAPPENED not in safe["solution"]


@pytest.mark.parametrize(
    ("target", "callers_key", "doubt"),
    [(SEND, True, MAY_HAVE_HAPPENED_UNDER_KEY), (SEND, False, MAY_HAVE_HAPPENED), (b"/v3/grants/g/events", True, MAY_HAVE_HAPPENED)],
)
def test_what_may_have_happened_under_its_callers_key_is_to_be_repeated_with_it(target: bytes, doubt: str, *, callers_key: bool) -> None:
    context = a_context(target, "POST", callers_key=callers_key)
    answered = said(normalised(a_reply(504), context, a_verdict(Cause.SERVER_ERROR)))["proxy"]
    unanswered = said(problem_of(Problem(504, Cause.RESPONSE_TIMEOUT, "No answer."), context))["proxy"]
    assert answered["solution"].startswith(doubt)
    assert unanswered["solution"].startswith(doubt)


@pytest.mark.parametrize("cause", [Cause.SERVER_ERROR_SAFE_TO_RETRY, Cause.TIMEOUT_NOT_SENT, Cause.RATE_LIMIT_NYLAS, Cause.UPSTREAM_UNREACHABLE])
def test_what_cannot_have_happened_may_be_sent_again(cause: Cause) -> None:
    told = said(normalised(a_reply(503), a_context(SEND, "POST"), a_verdict(cause)))["proxy"]
    assert told["retryable"] is True
    assert MAY_HAVE_HAPPENED not in told["solution"]


def problem_of(problem: Problem, context: RequestContext | None) -> ErrorAnswer:
    return problem_answer(problem, context, handbook=the_handbook(), request_id=OUR_ID, attempts=0, now=NOW)


OUR_CAUSES = list(Cause)[list(Cause).index(Cause.REQUEST_MALFORMED) :]


@pytest.mark.parametrize("cause", OUR_CAUSES)
@pytest.mark.parametrize(
    "context", [None, a_context(), a_context(Api.V2), a_context(b"/v3/connect/token", "POST")], ids=["none", "v3", "v2", "oauth"]
)
def test_a_problem_of_our_own_has_the_one_shape(cause: Cause, context: RequestContext | None) -> None:
    answer = problem_of(Problem(502, cause, "One sentence."), context)
    assert answer.status == 502
    assert_one_shape(answer, oauth=context is not None and speaks_oauth(context))
    assert (said(answer)["type"], said(answer)["message"], said(answer)["request_id"]) == (f"proxy.{cause}", "One sentence.", OUR_ID)


def test_a_problem_names_origin_and_wait() -> None:
    answer = problem_of(Problem(503, Cause.OVERLOADED, "Full.", Origin.NETWORK, 0.5), None)
    told = said(answer)["proxy"]
    assert (told["origin"], told["retry_after_s"], told["attempts"], told["scope"]) == ("network", 1, 0, None)
    assert (b"Retry-After", b"1") in answer.fields


def test_a_limit_met_by_a_request_that_was_not_understood_has_no_scope() -> None:
    assert said(problem_of(Problem(429, Cause.RATE_LIMIT_NYLAS, "Full."), None))["proxy"]["scope"] is None


def test_an_answer_of_a_proxy_further_up_is_told_anew() -> None:
    inner = normalised(a_reply(429, {"error": {"type": "nylas_rate_limit_exceeded"}}), attempts=3)
    outer = normalised(Reply(inner.status, inner.fields, inner.body))
    assert said(outer)["proxy"]["attempts"] == 1
    assert "original" not in said(outer)
    assert [name for name, _ in outer.fields].count(b"X-Nylas-Proxy-Attempts") == 1
