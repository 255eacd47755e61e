from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from builders import NOW, a_context, a_reply, cause_of, classified, the_catalogue, the_classifier
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.core.classify import Classifier
from proxy.core.model import Api, Cause, Fields, Origin

if TYPE_CHECKING:
    from collections.abc import Callable

V3, V2 = Api.V3, Api.V2
SEND_V3 = b"/v3/grants/g/messages/send"


def v3(kind: str = "", message: str = "", **more: Any) -> dict[str, Any]:
    return {"request_id": "r", "error": {"type": kind, "message": message, **more}}


def v2(kind: str = "api_error", message: str = "", **more: Any) -> dict[str, Any]:
    return {"type": kind, "message": message, **more}


# Beyond the recorded responses: what the vendor's pages describe in words, and what statuses mean by themselves.
DESCRIBED = [
    (402, v2(message="Sending to at least one recipient failed"), V2, Cause.PARTIAL_SUCCESS),
    (402, b"", V2, Cause.SEND_REJECTED),
    (422, v2(message="Message delivery submission failed."), V2, Cause.SEND_REJECTED),
    (422, v2(message="Mail provider error", server_error="x"), V2, Cause.SEND_REJECTED),
    (422, v3("invalid_request", "no"), V3, Cause.VALIDATION),
    (422, b"", V3, Cause.UNKNOWN),
    (410, v2(message="gone"), V2, Cause.NOT_FOUND),
    (405, b"", V3, Cause.VALIDATION),
    (413, b"<html>", V2, Cause.PAYLOAD_TOO_LARGE),
    (415, b"", V3, Cause.CONTENT_TYPE),
    (418, b"", V2, Cause.UNKNOWN),
    (408, b"", V3, Cause.UPSTREAM_UNAVAILABLE),
    (429, b"", V3, Cause.RATE_LIMIT_AMBIGUOUS),
    (429, b"<html>slow down</html>", V2, Cause.RATE_LIMIT_AMBIGUOUS),
    (429, v3("quota_exceeded_error", "Activity limit reached"), V3, Cause.RATE_LIMIT_PROVIDER_GOOGLE),
    (429, v2(message="Account throttled"), V2, Cause.RATE_LIMIT_PROVIDER),
    (429, v2("provider_error", "slow"), V2, Cause.RATE_LIMIT_PROVIDER),
    (429, v2("odd_error", "slow", server_error="421 : slow"), V2, Cause.RATE_LIMIT_PROVIDER),
    (429, v3("nylas_rate_limit_exceeded", "x", provider_error=None), V3, Cause.RATE_LIMIT_NYLAS),
    (429, v3("odd_error", "Activity limit reached"), V3, Cause.RATE_LIMIT_PROVIDER_GOOGLE),
    (403, v2(message="Office 365 returned a different email address"), V2, Cause.OAUTH),
    (400, v2(message="Invalid or revoked refresh token."), V2, Cause.PROVIDER_AUTH),
    (400, v3("grant.login_id_invalid", "x"), V3, Cause.OAUTH),
    (404, v3("grant.id_token_invalid", "x"), V3, Cause.OAUTH),
    (400, v3("connector.no_longer_exists", "x"), V3, Cause.NOT_FOUND),
    (409, v3("x", "An Idempotency-Key was reused with a different request payload"), V3, Cause.IDEMPOTENCY),
    (409, v3("x", "A request with the same Idempotency-Key is currently in progress"), V3, Cause.IDEMPOTENCY_IN_FLIGHT),
    (503, v2(message="The server unexpectedly closed the connection"), V2, Cause.PROVIDER_ERROR),
    (403, v3("provider_error", "Daily Limit Exceeded"), V3, Cause.RATE_LIMIT_PROVIDER_QUOTA),
    (403, v3("api.unauthorized_access", "Gmail API has not been used in project 1"), V3, Cause.PERMISSION),
    (403, v2(message="The server wasn't able to authenticate with the end user's email provider."), V2, Cause.PROVIDER_AUTH),
    (403, v3("x", "EWS: the Exchange account has been throttled"), V3, Cause.PERMISSION),
    (400, v3("grant.provider_not_responding", "x"), V3, Cause.PROVIDER_TIMEOUT),
    (400, v3("grant.provider_id_token_missing", "x"), V3, Cause.PROVIDER_AUTH),
    (400, v3("oauth2.redirect_uri_mismatch", "x"), V3, Cause.OAUTH),
    (400, v3("token.exchange_failed", "x"), V3, Cause.OAUTH),
    (400, v3("token.unauthorized_access", "x"), V3, Cause.AUTH),
    (400, v3("api.provider_error", "x"), V3, Cause.PROVIDER_ERROR),
    (401, v3("oauth2.invalid_token", "x"), V3, Cause.OAUTH),
    (401, b"<html>", V3, Cause.AUTH),
    (404, b"<html>", V3, Cause.NOT_FOUND),
    (409, b"", V3, Cause.CONFLICT),
    (500, b"<html>", V3, Cause.SERVER_ERROR),
    (500, v3("api.provider_error", "x"), V3, Cause.PROVIDER_ERROR),
    (500, v3("x", "y", provider_error={"a": 1}), V3, Cause.PROVIDER_ERROR),
    (500, v3("x", "The server encountered an unknown error, the device SHOULD retry later.<85>.."), V3, Cause.EXCHANGE_THROTTLE),
    (503, b"<html>", V3, Cause.UPSTREAM_UNAVAILABLE),
    (503, b"", V2, Cause.UPSTREAM_UNAVAILABLE),
    (504, b"<html>504 Gateway Time-out</html>", V3, Cause.UPSTREAM_UNAVAILABLE),
    (504, v2(message="Request timed out."), V2, Cause.PROVIDER_TIMEOUT),
    (504, v3("x", "y", provider_error={"a": 1}), V3, Cause.PROVIDER_ERROR),
    (520, b"<html>", V3, Cause.UPSTREAM_UNAVAILABLE),
    (599, v3("x", "y"), V3, Cause.SERVER_ERROR),
    (200, v2(message="Sending to at least one recipent failed", failures={}), b"/send", Cause.PARTIAL_SUCCESS),
    (200, {"data": [{"object": "message"}, 7]}, V3, Cause.UNKNOWN),
    (200, [], V2, Cause.UNKNOWN),
    (204, b"", V2, Cause.UNKNOWN),
    (202, b"", b"/messages/m", Cause.NOT_READY),
    (202, {"id": "x"}, b"/messages", Cause.UNKNOWN),
    (202, {"id": "x"}, b"/v3/grants/g/messages/schedules/s", Cause.UNKNOWN),
]


@pytest.mark.parametrize(("status", "body", "target", "cause"), DESCRIBED)
def test_what_the_pages_describe_gets_its_cause(status: int, body: Any, target: Any, cause: Cause) -> None:
    assert cause_of(status, body, target) is cause


# Texts of the vendor's and the providers' pages, each telling enough by itself.
TELLING = [
    (429, "The Exchange account has been throttled.", Cause.EXCHANGE_THROTTLE),
    (429, "Sync has been temporarily paused", Cause.EXCHANGE_THROTTLE),
    (504, "503 with X-MS-ASThrottle: CommandFrequency", Cause.EXCHANGE_THROTTLE),
    (500, '<t:Value Name="BackOffMilliseconds">', Cause.EXCHANGE_THROTTLE),
    (500, "ErrorServerBusy", Cause.EXCHANGE_THROTTLE),
    (429, "Daily sending quota exceeded", Cause.RATE_LIMIT_PROVIDER_QUOTA),
    (429, "Daily send limit exceeded", Cause.RATE_LIMIT_PROVIDER_QUOTA),
    (429, "Daily email quota for this address exceeded.", Cause.RATE_LIMIT_PROVIDER_QUOTA),
    (403, "dailyLimitExceeded", Cause.RATE_LIMIT_PROVIDER_QUOTA),
    (429, "550 : 24-hour sending limit", Cause.RATE_LIMIT_PROVIDER_QUOTA),
    (429, "Quota exceeded", Cause.RATE_LIMIT_PROVIDER_QUOTA),
    (429, "Quota exceeded for quota metric 'Queries'", Cause.RATE_LIMIT_PROVIDER_GOOGLE),
    (429, "Resource has been exhausted (e.g. check quota).", Cause.RATE_LIMIT_PROVIDER_GOOGLE),
    (429, "RESOURCE_EXHAUSTED", Cause.RATE_LIMIT_PROVIDER_GOOGLE),
    (429, "User-rate limit exceeded.  Retry after", Cause.RATE_LIMIT_PROVIDER_GOOGLE),
    (429, "The Gmail account has exceeded the usage limit.", Cause.RATE_LIMIT_PROVIDER_GOOGLE),
    (429, "over its MailboxConcurrency limit", Cause.RATE_LIMIT_PROVIDER_MICROSOFT),
    (429, "ApplicationThrottled", Cause.RATE_LIMIT_PROVIDER_MICROSOFT),
    (429, "ErrorTooManyObjectsOpened", Cause.RATE_LIMIT_PROVIDER_MICROSOFT),
    (429, "Rate limiting error when fetching email", Cause.RATE_LIMIT_PROVIDER),
    (400, "Invalid SMTP credentials", Cause.PROVIDER_AUTH),
    (503, "Email server returned a temporary error.", Cause.PROVIDER_ERROR),
    (504, "Provider request timed out.", Cause.PROVIDER_TIMEOUT),
]


@pytest.mark.parametrize(("status", "text", "cause"), TELLING)
@pytest.mark.parametrize("spelling", [str, str.upper])
def test_a_telling_text_is_enough_wherever_it_stands(status: int, text: str, cause: Cause, spelling: Callable[[str], str]) -> None:
    assert cause_of(status, v3("odd_error", spelling(text))) is cause
    assert cause_of(status, v2("odd_error", "x", more=[{"text": spelling(text)}])) is cause


@pytest.mark.parametrize(
    ("status", "kind", "cause"),
    [
        (400, "provider_error", Cause.PROVIDER_ERROR),
        (502, "provider_error", Cause.PROVIDER_ERROR),
        (503, "api.provider_error", Cause.PROVIDER_ERROR),
        (401, "grant.expired", Cause.PROVIDER_AUTH),
        (403, "grant.expired", Cause.PROVIDER_AUTH),
        (400, "grant.invalid_authentication", Cause.PROVIDER_AUTH),
        (400, "api.authentication_error", Cause.AUTH),
        (400, "unauthorized", Cause.AUTH),
        (403, "oauth2.oauth_failed", Cause.OAUTH),
        (429, "provider_error", Cause.RATE_LIMIT_AMBIGUOUS),
        (429, "invalid_request_error", Cause.RATE_LIMIT_AMBIGUOUS),
    ],
)
def test_a_type_of_v3_tells_where_its_status_does_not(status: int, kind: str, cause: Cause) -> None:
    assert cause_of(status, v3(kind, "x")) is cause


def test_an_unexpected_error_lies_with_the_provider_only_where_it_said_something() -> None:
    assert cause_of(400, v3("api_error", "An unexpected error occurred", provider_error="x")) is Cause.PROVIDER_ERROR
    assert cause_of(400, v3("api_error", "An unexpected error occurred")) is Cause.VALIDATION


@pytest.mark.parametrize("words", ["Request had invalid authentication credentials.", "invalid_grant", "Unauthorized", "the OAuth2.0 flow"])
def test_what_the_provider_says_of_a_sign_in_counts_only_when_the_provider_says_it(words: str) -> None:
    assert cause_of(400, v3("bad_request", "x", provider_error={"error": words})) is Cause.PROVIDER_AUTH
    assert cause_of(400, v3("bad_request", words)) is Cause.VALIDATION


@pytest.mark.parametrize("status", [405, 406, 411, 412, 414, 416, 428, 431])
def test_statuses_that_blame_the_request_need_no_body(status: int) -> None:
    assert cause_of(status, b"<html>") is Cause.VALIDATION


@pytest.mark.parametrize(
    ("status", "fields", "api", "cause"),
    [
        (503, ((b"X-MS-ASThrottle", b"CommandFrequency"),), V3, Cause.EXCHANGE_THROTTLE),
        (429, ((b"RateLimit-Exceeded", b"MailboxConcurrency"),), V3, Cause.RATE_LIMIT_PROVIDER_MICROSOFT),
        (429, ((b"X-RateLimit-Limit", b"500"),), V2, Cause.RATE_LIMIT_NYLAS),
        (429, ((b"x-ratelimit-reset", b"1"),), V2, Cause.RATE_LIMIT_NYLAS),
        (429, ((b"x-ratelimit-reset", b"1"),), V3, Cause.RATE_LIMIT_AMBIGUOUS),
    ],
)
def test_a_header_field_can_tell_who_throttles(status: int, fields: Fields, api: Api, cause: Cause) -> None:
    assert cause_of(status, v2("odd_error", "x"), api, fields=fields) is cause


@pytest.mark.parametrize("status", [429, 403])
@pytest.mark.parametrize(
    "text", ["Quota exceeded for quota metric 'Queries' and limit", "rateLimitExceeded", "userRateLimitExceeded", "User Rate Limit Exceeded"]
)
def test_google_throttles_with_429_and_403_alike(status: int, text: str) -> None:
    assert cause_of(status, v3("provider_error", "x", provider_error={"error": {"errors": [{"reason": text}]}})) is Cause.RATE_LIMIT_PROVIDER_GOOGLE


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_on_an_oauth_path_is_one_of_oauth_whatever_its_body(status: int) -> None:
    for body in (b"<html>", b"", v3("invalid_request_error", "x")):
        assert cause_of(status, body, b"/v3/connect/token", "POST") is Cause.OAUTH


def test_a_description_without_an_error_is_no_oauth() -> None:
    assert cause_of(400, {"message": "m", "description": "d"}) is Cause.VALIDATION
    assert cause_of(400, {"error": "e", "description": "d"}) is Cause.OAUTH


def test_a_star_in_a_type_stands_for_the_rest_only() -> None:
    assert cause_of(400, v3("oauth2.anything", "x")) is Cause.OAUTH
    assert cause_of(400, v3("oauth2_other", "x")) is Cause.VALIDATION


def test_not_ready_is_said_of_reading_one_message_alone() -> None:
    assert cause_of(202, b"", b"/messages/m", "GET") is Cause.NOT_READY
    assert cause_of(202, {}, b"/messages/m", "PUT") is Cause.UNKNOWN


def test_throttling_on_an_oauth_path_is_throttling() -> None:
    assert cause_of(429, {"error": "slow_down", "error_description": "x"}, b"/v3/connect/token", "POST") is Cause.RATE_LIMIT_AMBIGUOUS


def test_a_timed_out_send_is_known_to_be_unsent_only_where_the_server_says_so() -> None:
    assert cause_of(504, v2(message="Request timed out."), b"/send", "POST") is Cause.TIMEOUT_NOT_SENT
    assert cause_of(504, v2(message="The request failed."), b"/send", "POST") is Cause.PROVIDER_TIMEOUT
    assert cause_of(504, v3("api_error", "Request timed out."), SEND_V3, "POST") is Cause.PROVIDER_TIMEOUT


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b'\xef\xbb\xbf{"type": "api.provider_error", "message": "x"}', Cause.PROVIDER_ERROR),
        (b'{"error": {"type": "api.provider_error", "message": "caf\xe9"}}', Cause.PROVIDER_ERROR),
        (b'{"error": {"type": "API.Provider_Error"}}', Cause.PROVIDER_ERROR),
        (b'{"error": {"type": ["api.provider_error"], "message": {"a": "b"}}}', Cause.VALIDATION),
        (b'{"error": {"type": 701}}', Cause.OAUTH),
        (b'{"error": {"type": true, "message": null}}', Cause.UNKNOWN),
        (b'{"error": {"type": "", "message": "m"}, "type": "api.provider_error"}', Cause.PROVIDER_ERROR),
        (b'["api.provider_error"]', Cause.UNKNOWN),
        (b'"text"', Cause.UNKNOWN),
        (b"7", Cause.UNKNOWN),
        (b"null", Cause.UNKNOWN),
        (b'{"error": {"type": "api.provider_error", "mess', Cause.UNKNOWN),
        (b'{"a":' * 100_000, Cause.UNKNOWN),
        (b"[" * 100_000, Cause.UNKNOWN),
        (json.dumps(v3("t" * 200_000, "api.provider_error")).encode(), Cause.VALIDATION),
        (json.dumps(v3("x" * 200_000, "only JSON and multipart supported")).encode(), Cause.CONTENT_TYPE),
        (json.dumps(v3("x", "only JSON and multipart supported", details=["y" * 10_000] * 20)).encode(), Cause.VALIDATION),
    ],
    ids=lambda value: value[:40].decode("latin-1") if isinstance(value, bytes) else value,
)
def test_a_body_in_any_state_is_read_as_far_as_it_goes(body: bytes, cause: Cause) -> None:
    assert cause_of(400, body) is cause


def test_a_packed_body_is_read_and_one_in_an_unknown_coding_judged_by_its_status() -> None:
    body = json.dumps(v3("nylas_rate_limit_exceeded", "x")).encode()
    assert cause_of(429, gzip.compress(body), fields=((b"Content-Encoding", b"gzip"),)) is Cause.RATE_LIMIT_NYLAS
    assert cause_of(429, body, fields=((b"Content-Encoding", b"br"),)) is Cause.RATE_LIMIT_AMBIGUOUS


@pytest.mark.parametrize(
    ("status", "body", "origin"),
    [
        (429, v3("rate_limit_error", "x", provider_error={}), Origin.PROVIDER),
        (429, v3("nylas_rate_limit_exceeded", "x"), Origin.NYLAS),
        (402, v2(message="refused"), Origin.PROVIDER),
        (504, v3("provider_error", "Provider request timed out."), Origin.PROVIDER),
        (500, b"", Origin.NYLAS),
        (418, b"", Origin.NYLAS),
    ],
)
def test_what_lies_with_the_provider_is_told_from_what_lies_with_nylas(status: int, body: Any, origin: Origin) -> None:
    assert classified(a_reply(status, body)).origin is origin


def test_the_verdict_names_the_wait_that_upstream_asked_for() -> None:
    message = "User-rate limit exceeded.  Retry after 2023-11-14T22:14:20.000Z"
    assert classified(a_reply(429, v3("x", "y", provider_error={"error": {"message": message}}))).retry_after_s == 60.0
    assert classified(a_reply(429, b"", ((b"Retry-After", b"7"),))).retry_after_s == 7.0
    assert classified(a_reply(429, b"")).retry_after_s is None


def test_the_first_rule_that_fits_wins_and_none_means_unknown() -> None:
    classifier = Classifier([{"cause": "auth", "status": [400]}, {"cause": "permission", "status": ["4xx"]}])
    verdicts = [classifier.classify(a_reply(status), a_context(), now=NOW).cause for status in (400, 401, 500)]
    assert verdicts == [Cause.AUTH, Cause.PERMISSION, Cause.UNKNOWN]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"cause": "weather", "status": [400]}, "'weather' is not a valid Cause"),
        ({"cause": "auth"}, "error rule 1 (auth): status must be of type list"),
        ({"cause": "auth", "status": [99]}, "99 is no status"),
        ({"cause": "auth", "status": ["6xx"]}, "'6xx' is no status"),
        ({"cause": "auth", "status": [["4xx"]]}, "['4xx'] is no status"),
        ({"cause": "auth", "status": [400.0]}, "400.0 is no status"),
        ({"cause": "auth", "status": [400], "phrase": ["x"]}, "error rule 1 (auth): unknown key phrase"),
        ({"cause": "auth", "status": [400], "phrases": ["Upper"]}, "not in lower case"),
        ({"cause": "auth", "status": [400], "traits": ["odd"]}, "unknown trait"),
        ({"cause": "auth", "status": [400], "api": "v4"}, "'v4' is not a valid Api"),
    ],
)
def test_a_mistake_in_the_rules_is_named(row: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError) as refusal:
        Classifier([row])
    assert complaint in str(refusal.value)


def test_the_rules_name_only_routes_that_exist_and_methods_that_those_have() -> None:
    routes = {(route.api, route.name): route.methods for route in the_catalogue().routes}
    for rule in the_classifier().rules:
        for name in rule.routes:
            assert rule.api is not None
            assert set(rule.methods) <= routes[rule.api, name]


def test_every_cause_that_upstream_can_have_has_a_rule() -> None:
    of_upstream = list(Cause)[: list(Cause).index(Cause.UNKNOWN) + 1]
    # An empty PUT is refused by the proxy, or where that is switched off by Nylas.
    assert {rule.cause for rule in the_classifier().rules} == {*of_upstream, Cause.EMPTY_PUT_BODY}


@given(st.integers(200, 599), st.binary(max_size=60), st.sampled_from([b"", b"gzip", b"deflate", b"br"]))
@settings(max_examples=200)
def test_any_answer_gets_a_verdict(status: int, body: bytes, coding: bytes) -> None:
    assert classified(a_reply(status, body, ((b"Content-Encoding", coding),))).cause in Cause
