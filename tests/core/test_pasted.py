from __future__ import annotations

import json
from typing import Any

import pytest
from builders import NOW, a_context, a_reply, normalised, said, the_classifier, the_handbook
from recorded.corpus import ENTRIES, context_of, reply_of

from proxy.core.model import Api
from proxy.core.pasted import entry_for_pasted, looks_pasted

EXHAUSTED = {"request_id": "r", "error": {"type": "rate_limit_error", "message": "Resource has been exhausted (e.g. check quota)."}}


def name_for(text: str) -> str | None:
    entry = entry_for_pasted(text, the_handbook(), the_classifier(), now=NOW)
    return entry.name if entry else None


@pytest.mark.parametrize("text", ['{"a": 1}', "[1]", "<html>", "HTTP/1.1 429 Too Many Requests", "\n {}", "two\nlines"])
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
    entry = entry_for_pasted(head + '{"message": "Slow down", "type": "api_error"}', the_handbook(), the_classifier(), now=NOW)
    assert entry
    assert entry.cause == "exchange_throttle"


def test_a_head_alone_is_enough_for_the_class() -> None:
    assert name_for("HTTP/2 502 Bad Gateway\n") == "502"


def test_what_says_nothing_known_is_not_known() -> None:
    assert name_for('{"message": "The weather is fine today."}') is None
    assert name_for("two\nlines") is None


def test_a_coding_that_cannot_be_read_is_not_known() -> None:
    assert name_for("HTTP/1.1 400 Bad Request\nContent-Encoding: br\n\n\x01\x02") is None


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry["status"] >= 400], ids=lambda entry: entry["id"])
def test_an_answer_of_the_proxy_is_explained_as_the_proxy_told_it(entry: dict[str, Any]) -> None:
    answer = said(normalised(reply_of(entry), context_of(entry)))
    known = entry_for_pasted(json.dumps(answer), the_handbook(), the_classifier(), now=NOW)
    assert known
    assert known.cause == answer["proxy"]["cause"]


def test_an_answer_of_the_proxy_keeps_its_class_without_the_fields_that_told_it() -> None:
    reply = a_reply(429, {"message": "Too many", "type": "api_error"}, ((b"X-MS-ASThrottle", b"CommandFrequency"),))
    answer = said(normalised(reply, a_context(Api.V2)))
    assert name_for(json.dumps(answer)) == "exchange_throttle"
