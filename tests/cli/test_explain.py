from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from proxy.cli import main

EXHAUSTED = '{"request_id": "r", "error": {"type": "rate_limit_error", "message": "Resource has been exhausted (e.g. check quota)."}}'


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


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
        (["422"], {"422", "mail_provider_error", "submission_failed", "invalid_request", "validation_error"}),
        (["exchange_throttle"], {"exchange_throttle"}),
        (["upstream_unreachable"], {"upstream_unreachable"}),
        ([EXHAUSTED], {"resource_exhausted"}),
        (["HTTP/1.1 429 Too Many Requests\nServer: nylas\n\n" + EXHAUSTED], {"resource_exhausted"}),
        (["<html><head><title>502 Bad Gateway</title></head></html>"], {"502"}),
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
    assert "HTTP 400" in text
    assert "event codes in API v3, beta (HTTP 401)" in text


def test_lines_fit_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert max(map(len, told(capsys, "429").splitlines())) <= 80


@pytest.mark.parametrize("words", [[], ["-"]])
def test_an_error_can_be_piped_in(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(EXHAUSTED))
    assert told(capsys, *words).startswith("Resource exhausted (resource_exhausted)\n")


@pytest.mark.parametrize("stdin", [Terminal(), io.StringIO("")])
def test_without_words_everything_is_listed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, stdin: io.StringIO) -> None:
    monkeypatch.setattr(sys, "stdin", stdin)
    lines = told(capsys).splitlines()
    assert len(lines) > 250
    assert any(line.startswith("grant.expired (v3 type, HTTP 401") for line in lines)
    assert any(line.startswith("proxy_bug (cause") for line in lines)


def test_a_near_miss_suggests_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "grant.expird"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "nylas-proxy explain: nothing is known about 'grant.expird'; did you mean 'grant.expired'? Without words it lists all that it knows.\n"
    )


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
