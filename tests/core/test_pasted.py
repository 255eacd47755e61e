from __future__ import annotations

import json
from typing import Any

import pytest
from builders import NOW, normalised, said, the_classifier, the_handbook
from recorded.corpus import ENTRIES, context_of, reply_of

from proxy.core.entries import Kind
from proxy.core.pasted import entries_for_pasted, looks_pasted

EXHAUSTED = {"request_id": "r", "error": {"type": "rate_limit_error", "message": "Resource has been exhausted (e.g. check quota)."}}


def names_for(text: str) -> list[str]:
    return [entry.name for entry in entries_for_pasted(text, the_handbook(), the_classifier(), now=NOW)]


def name_for(text: str) -> str | None:
    """The name of the one entry that describes it, if one does."""
    names = names_for(text)
    assert len(names) <= 1, names
    return names[0] if names else None


@pytest.mark.parametrize("text", ['{"a": 1}', 'log: {"a": 1}', "[1]", "<html>", "HTTP/1.1 429 Too Many Requests", "\n {}", "two\nlines"])
def test_an_answer_looks_pasted(text: str) -> None:
    assert looks_pasted(text)


@pytest.mark.parametrize("text", ["", "grant.expired", "Max EAS failures", "429\n"])
def test_a_question_does_not(text: str) -> None:
    assert not looks_pasted(text)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (EXHAUSTED, "resource_exhausted"),
        ({"error": {"type": "grant.not_found", "message": "No Grant found"}}, "grant.not_found"),
        ({"error": "invalid_grant", "error_description": "wrong code", "error_code": 400}, "oauth2.invalid_grant"),
        ({"message": "The Exchange account has been throttled.", "type": "api_error"}, "exchange_account_throttled"),
    ],
)
def test_a_body_without_its_status_is_recognised_by_type_or_words(body: dict[str, Any], name: str) -> None:
    assert name_for(json.dumps(body)) == name


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_head_above_the_body_tells_the_status_and_the_fields(newline: str) -> None:
    head = newline.join(["HTTP/1.1 429 Too Many Requests", "Content-Type: application/json", "X-MS-ASThrottle: CommandFrequency", "", ""])
    assert name_for(head + '{"message": "Slow down", "type": "api_error"}') == "exchange_throttle"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_head_without_fields_is_a_head(newline: str) -> None:
    body = '{"error": {"type": "nylas_rate_limit_exceeded", "message": "x"}}'
    assert name_for(f"HTTP/1.1 429 x{newline}{newline}{body}") == "nylas_rate_limit_exceeded"


def test_a_coding_that_the_head_names_has_been_undone_by_whoever_pasted() -> None:
    assert name_for(f"HTTP/1.1 429 x\ncontent-encoding: br\n\n{json.dumps(EXHAUSTED)}") == "resource_exhausted"


@pytest.mark.parametrize("head", ['HTTP/1.1 200 OK\n\n{"data": []}', "HTTP/2 204\n", "HTTP/1.1 302 Found\nLocation: x\n\n", "HTTP/2 200 \n\n[]"])
def test_a_success_is_nothing_to_explain(head: str) -> None:
    assert names_for(head) == []


def test_a_success_with_refused_recipients_is() -> None:
    assert name_for('HTTP/1.1 200 OK\n\n{"message": "Sending to at least one recipent failed", "failures": {"a": [1, "x"]}}') == "recipient_failed"


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"message": "Too many requests", "type": "invalid_request_error"}, {"invalid_request_error", "rate_limit_nylas"}),
        ({"message": "Sending failed", "type": "api_error", "server_error": "421 : x"}, {"provider_error", "rate_limit_provider"}),
        ({"message": "Server busy, try again later.", "type": "api_error", "server_error": "421 : x"}, {"mail_server_busy"}),
        ({"message": "Request timed out.", "type": "api_error"}, {"timeout_not_sent", "rate_limit_provider"}),
        ({"message": "Empty request body", "type": "invalid_request_error"}, {"empty_put"}),
        ({"error": {"type": "invalid_request_error", "message": "Invalid IMAP credentials"}}, {"provider_auth"}),
        ({"error": {"type": "701", "message": "x"}}, {"701"}),
        ({"error": {"type": "proxy.overloaded", "message": "x"}}, {"overloaded"}),
    ],
)
def test_without_a_status_all_that_it_can_be_is_named(body: dict[str, Any], names: set[str]) -> None:
    assert set(names_for(json.dumps(body))) == names


@pytest.mark.parametrize("before", ["HTTP/1.1 200 Connection established\r\n\r\n", "HTTP/1.1 103 Early Hints\nLink: x\n\n"])
def test_of_several_heads_the_last_counts(before: str) -> None:
    assert names_for(before + "HTTP/1.1 502 Bad Gateway\r\nServer: nginx\r\n\r\n<html>") == ["502", "502"]


@pytest.mark.parametrize("line", ["2026-11-21 ERROR status=429 body={}", "POST /v3/x: 429 {} (attempt 2)", "NylasApiError: {}"])
def test_an_object_in_a_line_of_a_log_is_found(line: str) -> None:
    assert name_for(line.replace("{}", json.dumps(EXHAUSTED))) == "resource_exhausted"


def test_a_status_before_the_object_counts() -> None:
    body = '{"message": "It failed.", "type": "api_error"}'
    assert name_for(f"after 200 tries: 503 {body}") == "503"
    assert names_for(f"429 {{not json}} {body}") == []


def test_a_head_alone_is_enough_for_the_class() -> None:
    found = entries_for_pasted("HTTP/2 502 Bad Gateway\n", the_handbook(), the_classifier(), now=NOW)
    assert [(entry.name, entry.api) for entry in found] == [("502", "v3"), ("502", "v2")]


def test_what_says_nothing_known_is_not_known() -> None:
    assert name_for('{"message": "The weather is fine today."}') is None
    assert name_for("two\nlines") is None


ERRORS = [entry for entry in ENTRIES if entry["status"] >= 400]


@pytest.mark.parametrize("entry", ERRORS, ids=lambda entry: entry["id"])
def test_a_recorded_error_is_explained_as_the_proxy_tells_it(entry: dict[str, Any]) -> None:
    answer = said(normalised(reply_of(entry), context_of(entry)))
    told = next(known.name for known in the_handbook().entries if f"{known.meaning} {known.reason}" == answer["proxy"]["meaning"])
    assert name_for(json.dumps(answer)) == told
    assert name_for(f"HTTP/1.1 {entry['status']} x\r\n\r\n{json.dumps(answer)}") == told


@pytest.mark.parametrize("entry", [entry for entry in ERRORS if entry["body"]], ids=lambda entry: entry["id"])
def test_what_a_recorded_body_alone_can_be_includes_what_it_was(entry: dict[str, Any]) -> None:
    answer = said(normalised(reply_of(entry), context_of(entry)))
    told = next(known for known in the_handbook().entries if f"{known.meaning} {known.reason}" == answer["proxy"]["meaning"])
    found = entries_for_pasted(json.dumps(entry["body"]), the_handbook(), the_classifier(), now=NOW)
    # The header fields are gone, and what its status alone told; a body that says nothing by itself is not explained.
    assert told.name in {entry.name for entry in found} or told.kind in {Kind.STATUS, Kind.CAUSE} or not found
