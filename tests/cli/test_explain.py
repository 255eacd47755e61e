from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from proxy import facts
from proxy.cli import main

EXHAUSTED = '{"request_id": "r", "error": {"type": "rate_limit_error", "message": "Resource has been exhausted (e.g. check quota)."}}'


class Terminal(io.TextIOWrapper):
    def __init__(self) -> None:
        super().__init__(io.BytesIO())

    def isatty(self) -> bool:
        return True


def piped(data: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(data))


@pytest.fixture(autouse=True)
def _a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "stdin", Terminal())


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["explain", *words]) == 0
    return capsys.readouterr().out


def answers(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(told(capsys, "--json", *words))["entries"]
    return entries


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["grant.expired"], {"grant.expired"}),
        (["resource", "exhausted"], {"resource_exhausted"}),
        (["Max EAS failures"], {"max_eas_failures"}),
        (["v3 422"], {"422", "invalid_request", "validation_error"}),
        (["422"], {"422", "mail_provider_error", "submission_failed", "invalid_request", "validation_error"}),
        (["exchange_throttle"], {"exchange_throttle"}),
        (["upstream_unreachable"], {"upstream_unreachable"}),
        ([EXHAUSTED], {"resource_exhausted"}),
        (["HTTP/1.1 429 Too Many Requests\nServer: nylas\n\n" + EXHAUSTED], {"resource_exhausted"}),
        (["<html><head><title>502 Bad Gateway</title></head></html>"], {"502"}),
        (["log: MailboxConcurrency limit of the application"], {"microsoft_mailbox_concurrency"}),
    ],
)
def test_a_question_is_answered(capsys: pytest.CaptureFixture[str], words: list[str], names: set[str]) -> None:
    assert {answer["name"] for answer in answers(capsys, *words)} == names


def test_an_answer_tells_meaning_cause_solution_and_what_the_proxy_does(capsys: pytest.CaptureFixture[str]) -> None:
    answer = answers(capsys, "api.invalid_request_error")[0]
    text = " ".join(told(capsys, "api.invalid_request_error").split())
    for part in ("meaning", "cause", "solution", "says"):
        assert answer[part] in text
    assert f"Proxy {answer['proxy']['cause']}: {answer['proxy']['handling']}" in text
    assert (answer["proxy"]["retryable"], answer["proxy"]["may_have_happened"]) == (False, False)
    assert "HTTP 400" in text
    assert "event codes in API v3, beta (HTTP 401)" in text


LIMITS = [("gmail_user_second", "250 gmail units in 1 s"), ("microsoft_in_flight", "3 at a time"), ("v3_messages", "200 requests in 1 s")]


@pytest.mark.parametrize(("name", "told"), LIMITS)
def test_a_limit_is_told_by_the_name_that_errors_of_the_proxy_give_it(capsys: pytest.CaptureFixture[str], name: str, told: str) -> None:
    assert main(["explain", name]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{name}\n  Is        limit")
    assert told in out
    assert main(["explain", name, "--json"]) == 0
    assert told in json.loads(capsys.readouterr().out)["limit"]["Limit"]


def test_limits_of_either_generation_are_found(capsys: pytest.CaptureFixture[str]) -> None:
    for profile in ("classic", "2026"):
        name = next(row["name"] for row in facts.load("limits")["limit"] if row.get("profile") == profile)
        assert main(["explain", name]) == 0
        assert f"{name}\n  Is        limit" in capsys.readouterr().out


def test_what_may_have_happened_is_not_told_to_be_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Yes, if it only reads. A send or other change: This request may have taken effect" in " ".join(told(capsys, "response_timeout").split())
    assert "Yes, after a wait." in told(capsys, "nylas_rate_limit_exceeded")
    assert "No: the same request will fail again." in told(capsys, "grant.not_found")
    assert "Retry" not in told(capsys, "grant.created")


def test_what_the_proxy_answers_itself_is_found_by_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert "request_timeout" in told(capsys, "408")
    assert "upstream_unreachable (cause, as the proxy names it, HTTP 502)" in told(capsys, "502")


def test_lines_fit_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert max(map(len, told(capsys, "429").splitlines())) <= 80


@pytest.mark.parametrize("words", [[], ["-"]])
def test_an_error_can_be_piped_in(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setattr(sys, "stdin", piped(b"\xef\xbb\xbf" + EXHAUSTED.encode()))
    assert told(capsys, *words).startswith("Resource exhausted (resource_exhausted)\n")


@pytest.mark.parametrize("stdin", [Terminal(), piped(b""), None])
def test_without_words_everything_is_listed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, stdin: io.TextIOWrapper | None
) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    lines = told(capsys).splitlines()
    assert len(lines) > 250
    assert any(line.startswith("grant.expired (v3 type, HTTP 401") for line in lines)
    assert any(line.startswith("proxy_bug (cause") for line in lines)


@pytest.mark.parametrize("data", [b"\xff\xfe", b"\x1f\x8b\x08\x00\x00", b'{"a": "\xff"}', b'{"error": {"type": "unauthorized", "message": "\xff"}}'])
def test_any_bytes_can_be_piped_in(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", piped(data))
    assert main(["explain"]) in {0, 1}
    out, err = capsys.readouterr()
    assert out or err.startswith("nylas-proxy explain: nothing is known about")


def test_an_argument_of_any_bytes_is_a_question(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "zebra \udcff"]) == 1
    assert main(["routes", "/v3/grants/\udcff"]) == 0
    assert "/v3/grants/{}" in capsys.readouterr().out


def test_a_near_miss_suggests_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "grant.expird"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "nylas-proxy explain: nothing is known about 'grant.expird'; did you mean 'grant.expired'? Without words it lists all that it knows.\n"
    )


def test_without_a_suggestion_the_sentence_ends_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "zebra xylophone"]) == 1
    assert capsys.readouterr().err.startswith("nylas-proxy explain: nothing is known about 'zebra xylophone'. Without")


def test_a_suggested_cause_is_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "rate limmit"]) == 1
    assert "did you mean 'rate_limit_nylas' or" in capsys.readouterr().err


def test_a_near_miss_suggests_to_tools_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--json", "grant.expird"]) == 1
    assert json.loads(capsys.readouterr().out) == {"question": "grant.expird", "entries": [], "suggestions": ["grant.expired"]}


@pytest.mark.parametrize("question", ["zebra xylophone", '{"message": "Sunny today"}', "\x00\x1b[31m", "{" * 5000, "?" * 100_000])
def test_what_is_not_known_is_said_briefly_and_printably(capsys: pytest.CaptureFixture[str], question: str) -> None:
    assert main(["explain", question]) == 1
    err = capsys.readouterr().err
    assert err.startswith("nylas-proxy explain: nothing is known about ")
    assert len(err) < 300
    assert err.strip().isprintable()
