from __future__ import annotations

from typing import Any

import pytest
from builders import OUR_ID, a_context, a_reply, normalised, said, the_handbook

from proxy.core.error_body import JSON_MAX_BYTES
from proxy.core.model import Api, Cause
from proxy.core.superset import MESSAGE_MAX_CHARS, ORIGINAL_TEXT_MAX_CHARS

TOKEN = b"/v3/connect/token"


def shape(body: Any, status: int = 400, target: bytes | Api = Api.V3) -> dict[str, Any]:
    """The fields of the error, without the proxy object."""
    answer: dict[str, Any] = said(normalised(a_reply(status, body), a_context(target, "POST")))
    del answer["proxy"]
    return answer


def test_a_v3_error_gains_what_v2_clients_read() -> None:
    error = {"type": "not_found", "message": "gone", "provider_error": {"code": 404}, "details": [1]}
    assert shape({"request_id": "r", "error": error}, 404) == {"request_id": "r", "type": "not_found", "message": "gone", "error": error}


def test_a_v2_error_gains_what_v3_clients_read() -> None:
    body = {"message": "no", "type": "api_error", "server_error": "550 : x", "missing_fields": ["a"], "failures": {"b": [550, "c"]}}
    error = {"type": "api_error", "message": "no", "provider_error": {"message": "550 : x"}}
    assert shape(body, 402, Api.V2) == {**body, "request_id": OUR_ID, "error": error}


def test_what_the_mail_server_said_does_not_replace_what_the_provider_said() -> None:
    body = {"message": "m", "type": "t", "server_error": "550", "error": {"type": "t", "message": "m", "provider_error": {"a": 1}}}
    assert shape(body, 402, Api.V2)["error"]["provider_error"] == {"a": 1}


@pytest.mark.parametrize("server_error", ["", None, 7, {}])
def test_a_mail_server_that_said_nothing_is_no_provider_error(server_error: Any) -> None:
    answer = shape({"message": "m", "type": "t", "server_error": server_error}, 402, Api.V2)
    assert answer["server_error"] == server_error
    assert "provider_error" not in answer["error"]


def test_an_object_in_no_dialect_is_shown_whole() -> None:
    answer = shape({"some_field": "some value", "n": 1})
    assert answer["message"] == answer["error"]["message"] == '{"some_field":"some value","n":1}'
    assert len(shape({"some_field": "x" * 1000})["message"]) == 500


def test_both_generations_keep_their_own_words_where_they_differ() -> None:
    body = {"request_id": "r", "type": "t2", "message": "m2", "error": {"type": "t3", "message": "m3"}}
    assert shape(body) == body


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"type": "t", "message": "m"}, ("t", "m")),
        ({"error": "not_found"}, ("not_found", "not_found")),
        ({"error": "calendar permission denied"}, ("api.invalid_request_error", "calendar permission denied")),
        ({"error": {"type": "t"}}, ("t", the_handbook().causes[Cause.VALIDATION].meaning)),
        ({"error": {"message": "m"}}, ("api.invalid_request_error", "m")),
        ({"error": {"error": {"type": "t", "message": "m"}, "request_id": "r"}}, ("t", "m")),
        ({"error": "invalid_grant", "error_description": "expired"}, ("invalid_grant", "expired")),
        ({"message": "m"}, ("api.invalid_request_error", "m")),
        ({"error": {"type": "", "message": ""}, "type": None}, ("api.invalid_request_error", '{"error":{"type":"","message":""},"type":null}')),
        ({"error": {"type": 7, "message": None}, "type": "t"}, ("t", the_handbook().causes[Cause.VALIDATION].meaning)),
        ({"message": {"a": ["b"]}}, ("api.invalid_request_error", '{"a":["b"]}')),
        ({}, ("api.invalid_request_error", the_handbook().causes[Cause.UNKNOWN].meaning)),
        ({"type": "", "message": "", "error": None}, ("", "")),
    ],
)
def test_type_and_message_are_found_wherever_they_are_said(body: Any, expected: tuple[str, str]) -> None:
    answer = shape(body)
    assert (answer["type"], answer["message"]) == expected


def test_what_only_one_place_says_is_said_in_both() -> None:
    assert shape({"type": "", "message": "", "error": {"type": "t", "message": "m"}})["error"] == {"type": "t", "message": "m"}
    assert shape({"type": "t", "message": "m", "error": {}})["error"] == {"type": "t", "message": "m"}


def test_a_doubled_error_keeps_both_levels_and_shows_the_inner_one() -> None:
    inner = {"type": "t", "message": "m", "provider_error": {"a": 1}}
    answer = shape({"success": False, "error": {"error": inner, "request_id": "r"}})
    assert answer["error"] == {**inner, "error": inner, "request_id": "r"}
    assert answer["request_id"] == "r"
    assert answer["success"] is False


@pytest.mark.parametrize(
    ("status", "v3_type", "v2_type"),
    [
        (400, "api.invalid_request_error", "invalid_request_error"),
        (401, "api.authentication_error", "invalid_request_error"),
        (402, "api.invalid_request_error", "api_error"),
        (403, "api.unauthorized_access", "invalid_request_error"),
        (404, "api.not_found_error", "invalid_request_error"),
        (410, "api.not_found_error", "invalid_request_error"),
        (423, "api.resource_blocked", "invalid_request_error"),
        (429, "api.rate_limit_error", "api_error"),
        (500, "api.internal_error", "api_error"),
        (502, "api.internal_error", "api_error"),
        (504, "api.provider_error", "api_error"),
    ],
)
def test_an_answer_without_a_type_gets_that_of_its_status(status: int, v3_type: str, v2_type: str) -> None:
    assert shape(b"", status)["type"] == v3_type
    assert shape(b"", status, Api.V2)["type"] == v2_type


@pytest.mark.parametrize("value", ["a string", ["a", "list"], 7, False])
def test_a_provider_error_that_is_no_object_becomes_one(value: Any) -> None:
    assert shape({"error": {"type": "t", "message": "m", "provider_error": value}})["error"]["provider_error"] == {"message": value}


def test_a_provider_error_that_is_null_stays_null() -> None:
    assert shape({"error": {"type": "t", "message": "m", "provider_error": None}})["error"]["provider_error"] is None


def test_validation_errors_map_strings_to_strings() -> None:
    answer = shape({"error": {"type": "t", "message": "m", "validation_errors": {"a": "b", "c": ["d"], "e": 1.50, "f": None}}})
    assert answer["error"]["validation_errors"] == {"a": "b", "c": '["d"]', "e": "1.5", "f": ""}
    assert answer["original"] == {"error.validation_errors": {"a": "b", "c": ["d"], "e": 1.5, "f": None}}
    fine = {"type": "t", "message": "m", "validation_errors": {"a": "b"}}
    assert shape({"error": fine})["error"] == fine
    assert "original" not in shape({"error": fine})


@pytest.mark.parametrize("name", ["statusCode", "requestId", "headers"])
def test_names_that_the_java_sdk_needs_for_itself_move(name: str) -> None:
    answer = shape({"error": {"type": "t", "message": "m", name: "x"}})
    assert name not in answer["error"]
    assert answer["original"] == {"error." + name: "x"}
    assert "original" not in shape({"error": {"type": "t", "message": "m", name: None}})


def test_validation_errors_that_are_no_object_move() -> None:
    answer = shape({"error": {"type": "t", "message": "m", "validation_errors": ["x"]}})
    assert "validation_errors" not in answer["error"]
    assert answer["original"] == {"error.validation_errors": ["x"]}


@pytest.mark.parametrize(
    ("body", "original"),
    [
        ({"type": 70005, "message": "m"}, {"type": 70005}),
        ({"message": ["m"]}, {"message": ["m"]}),
        ({"error": ["m"]}, {"error": ["m"]}),
        ({"error": 7}, {"error": 7}),
        ({"error": {"type": {}, "message": 0}}, {"error.type": {}, "error.message": 0}),
        ({"request_id": 5, "message": "m"}, {"request_id": 5}),
        ({"original": "x"}, {"original": "x"}),
        ({"original": {"body": "x"}, "error": 7}, {"body": "x", "error": 7}),
        ({"proxy": "theirs"}, {"proxy": "theirs"}),
        ({"proxy": {"theirs": 1}}, {"proxy": {"theirs": 1}}),
        ({"message": "m", "type": "t", "error": "e", "server_error": "s"}, {"error": "e"}),
        (["a"], {"body": ["a"]}),
        (7, {"body": 7}),
        (False, {"body": False}),
        (b"  plain \r\n text ", {"body": "plain \r\n text"}),
        (b"<p>page</p>", {"body": "<p>page</p>"}),
        (b'{"cut": "of', None),
        ("text", None),
        (b"plain text", None),
        (b"null", None),
        (b" \r\n ", None),
        ({"proxy": None, "original": None, "error": None, "type": None, "request_id": None}, None),
    ],
)
def test_a_value_that_cannot_stay_moves_to_original(body: Any, original: dict[str, Any] | None) -> None:
    assert shape(body).get("original") == original


def test_an_event_code_is_a_type_though_it_is_a_number() -> None:
    answer = shape({"error": {"type": 70005, "message": "m"}})
    assert answer["type"] == answer["error"]["type"] == "70005"


def test_a_string_error_of_v2_beside_type_and_message_is_what_the_server_said() -> None:
    answer = shape({"message": "m", "type": "auth_error", "error": "Wrong password"}, 403, Api.V2)
    assert answer["server_error"] == "Wrong password"
    assert answer["error"] == {"type": "auth_error", "message": "m", "provider_error": {"message": "Wrong password"}}


def test_a_page_is_told_by_its_text() -> None:
    page = b"<html><head><title>502</title><style>x</style></head><body>Bad &amp; worse</body></html>"
    answer = shape(page, 502)
    assert answer["message"] == answer["error"]["message"] == "502 Bad & worse"
    assert answer["original"]["body"] == page.decode()


def test_long_texts_are_told_up_to_their_limits() -> None:
    answer = shape(b"word " * 10_000)
    assert len(answer["message"]) == MESSAGE_MAX_CHARS
    assert len(answer["original"]["body"]) == ORIGINAL_TEXT_MAX_CHARS
    assert len(shape([["x"] * 1000])["message"]) == MESSAGE_MAX_CHARS
    assert len(shape({"message": "m" * 9999})["message"]) == 9999


@pytest.mark.parametrize("number", ["1.10", "123456789012345678901234567890", "-0", "1E+5"])
def test_a_number_of_upstream_keeps_its_text(number: str) -> None:
    answer = normalised(a_reply(400, f'{{"message": "m", "limit": {number}, "error": {{"code": {number}}}}}'.encode()))
    assert f'"limit":{number},'.encode() in answer.body
    assert f'"code":{number}}}'.encode() in answer.body


def test_the_largest_error_code_that_java_reads_stays() -> None:
    assert shape({"error": "e", "error_code": 2**31 - 1}, 400, TOKEN)["error_code"] == 2**31 - 1


@pytest.mark.parametrize("target", [b"/v3/grants/g/messages", TOKEN])
def test_a_request_id_is_never_empty(target: bytes) -> None:
    assert shape({"message": "m", "request_id": ""}, 400, target)["request_id"] == OUR_ID


def test_the_request_id_of_the_body_wins_in_the_body() -> None:
    fields = ((b"X-Request-Id", b"of the header"),)
    for body in ({"request_id": "r"}, {"request_id": "", "error": {"error": {}, "request_id": "r"}}):
        assert said(normalised(a_reply(400, body, fields)))["request_id"] == "r"


@pytest.mark.parametrize(
    ("content_type", "body", "message"),
    [
        (b"text/html", b"Bad &amp; worse <b>today</b>", "Bad & worse today"),
        (b"Application/XML", b"Bad &amp; worse", "Bad & worse"),
        (b"text/plain", b"read &amp; keep a<b>c", "read &amp; keep a<b>c"),
        (b"text/plain", b" \n<p>page</p>", "page"),
    ],
)
def test_a_text_is_read_as_what_it_is(content_type: bytes, body: bytes, message: str) -> None:
    assert said(normalised(a_reply(502, body, ((b"Content-Type", content_type),))))["message"] == message


def test_json_is_read_up_to_a_limit_and_told_as_text_beyond() -> None:
    start, end = b'{"message": "m", "x": "', b'"}'
    fits = start + b"x" * (JSON_MAX_BYTES - len(start) - len(end)) + end
    assert shape(fits)["message"] == "m"
    assert shape(fits + b" ")["message"].startswith('{"message": "m", "x": "xxx')


def test_on_oauth_paths_the_error_has_the_oauth_shape() -> None:
    assert shape(b"", 503, TOKEN) == {
        "error": "api.internal_error",
        "error_code": 503,
        "error_description": the_handbook().causes[Cause.UPSTREAM_UNAVAILABLE].meaning,
        "error_uri": "https://developer.nylas.com/docs/api/errors/",
        "request_id": OUR_ID,
        "type": "api.internal_error",
        "message": the_handbook().causes[Cause.UPSTREAM_UNAVAILABLE].meaning,
    }


def test_an_oauth_error_keeps_its_own_words() -> None:
    body = {"error": "invalid_request", "error_code": 100241, "error_description": "no", "error_uri": "u", "request_id": "r", "state": "s"}
    assert shape(body, 401, TOKEN) == {**body, "type": "invalid_request", "message": "no"}


@pytest.mark.parametrize(
    ("body", "error", "description", "original"),
    [
        ({"error": "invalid_grant", "description": "expired"}, "invalid_grant", "expired", None),
        ({"error": "Test error", "errorDescription": "d"}, "Test error", "d", None),
        ({"error": {"type": "t", "message": "m"}}, "t", "m", {"error": {"type": "t", "message": "m"}}),
        ({"error": "e", "error_code": "25014", "error_description": "d"}, "e", "d", {"error_code": "25014"}),
        ({"error": "e", "error_code": 2**31, "error_description": "d"}, "e", "d", {"error_code": 2**31}),
        ({"error": "e", "error_code": True, "error_description": ["d"]}, "e", '["d"]', {"error_code": True, "error_description": ["d"]}),
        ({"error": "e", "error_code": -(2**31), "error_description": "d"}, "e", "d", {"error_code": -(2**31)}),
        ({"error": "e", "error_code": None}, "e", "e", None),
        ({"type": "t", "message": "m"}, "t", "m", None),
    ],
)
def test_any_error_on_an_oauth_path_fits_its_shape(body: Any, error: str, description: str, original: Any) -> None:
    answer = shape(body, 400, TOKEN)
    assert (answer["error"], answer["error_description"], answer.get("original")) == (error, description, original)
    assert answer["error_code"] == 400
