from __future__ import annotations

from typing import Any

import pytest

from proxy.core.entries import Kind, read_entries
from proxy.core.lookup import FULL_MAX, look_up, plain


def a_row(name: str, status: Any = "none", **values: Any) -> dict[str, Any]:
    return {"name": name, "status": {"docs": status}, "meaning": "m", "reason": "r", "solution": "s", **values}


ENTRIES = read_entries(
    {
        "type": [
            a_row("grant.expired", 401, says="Grant has expired. Sign in again."),
            a_row("grant.not_found", 404, says="Grant not found", meaning="Gone fishing."),
            a_row("provider_error", 504, api="v3"),
            a_row("provider_error", 422, api="v2", category="Mail"),
            a_row("api.conflict", [409, 400]),
            *(a_row(f"many.{number}", 418) for number in range(FULL_MAX + 1)),
        ],
        "status": [a_row("422", 422, title="Sending Error", api="v2")],
        "situation": [
            a_row("resource_exhausted", 429, title="Resource exhausted", phrases=["resource has been exhausted"]),
            a_row("refused", 422, title="Mail provider error"),
        ],
        "rule": [a_row("empty_put", 400, says="Empty request body")],
        "sync_event": [a_row("max_eas_failures", says="Max EAS failures reached, terminating folder sync.", phrases=["maximum eas failures"])],
    },
    ["docs"],
)


def full(question: str) -> list[str]:
    return [entry.name for entry in look_up(ENTRIES, question).full]


def brief(question: str) -> list[str]:
    return [entry.name for entry in look_up(ENTRIES, question).brief]


@pytest.mark.parametrize("question", ["grant.expired", "Grant Expired", "GRANT_EXPIRED", "  grant expired? ", "grant has expired. sign in again"])
def test_case_and_punctuation_do_not_count(question: str) -> None:
    assert full(question) == ["grant.expired"]


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("resource exhausted", ["resource_exhausted"]),
        ("Resource has been exhausted", ["resource_exhausted"]),
        ("ERROR 2026-11-21 429: Resource has been exhausted (e.g. check quota).", ["resource_exhausted"]),
        ("Max EAS failures", ["max_eas_failures"]),
        ("sync terminating", ["max_eas_failures"]),
        ("fishing", ["grant.not_found"]),
        ("provider_error", ["provider_error", "provider_error"]),
        ("provider error", ["provider_error", "provider_error"]),
        ("mail provider error", ["refused"]),
        ("expired", ["grant.expired"]),
        ("empty put", ["empty_put"]),
    ],
)
def test_the_closest_way_of_fitting_wins(question: str, names: list[str]) -> None:
    assert full(question) == names


@pytest.mark.parametrize("question", ["422", "HTTP 422", "error 422", "status code 422"])
def test_a_status_is_answered_with_its_meaning_first_and_its_types_in_brief(question: str) -> None:
    finding = look_up(ENTRIES, question)
    assert [entry.kind for entry in finding.full] == [Kind.STATUS, Kind.SITUATION]
    assert [(entry.name, entry.api) for entry in finding.brief] == [("provider_error", "v2")]


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("Error 422 - Mail provider error", ["refused"]),
        ("422 provider error", ["provider_error"]),
        ("422 weather", ["422", "refused"]),
        ("429 exhausted", ["resource_exhausted"]),
    ],
)
def test_a_status_before_words_narrows_the_search(question: str, names: list[str]) -> None:
    assert full(question) == names


def test_any_status_that_a_source_gives_counts() -> None:
    assert full("409") == brief("400") == ["api.conflict"]
    assert full("400") == ["empty_put"]


def test_situations_of_a_status_are_told_in_brief_where_they_are_many() -> None:
    def told(count: int) -> list[int]:
        rows = {"status": [a_row("500", 500)], "situation": [a_row(f"s{number}", 500) for number in range(count)]}
        finding = look_up(read_entries(rows, ["docs"]), "500")
        return [len(finding.full), len(finding.brief)]

    assert told(FULL_MAX) == [1 + FULL_MAX, 0]
    assert told(FULL_MAX + 1) == [1, FULL_MAX + 1]


@pytest.mark.parametrize(
    ("question", "apis"),
    [("v2 provider_error", ["v2"]), ("provider error v3", ["v3"]), ("v2 422", ["v2", None, "v2"]), ("v2 v3", []), ("v2", [])],
)
def test_the_api_in_a_question_leaves_out_the_other(question: str, apis: list[str | None]) -> None:
    finding = look_up(ENTRIES, question)
    assert [entry.api for entry in (*finding.full, *finding.brief)] == apis


@pytest.mark.parametrize("question", ["NylasApiError: Grant has expired. Si...", "could not send: folder sync. Max EAS failures reached by bob"])
def test_a_message_that_is_cut_short_or_changed_is_found_by_the_words_it_shares(question: str) -> None:
    assert full(question)[0] in {"grant.expired", "max_eas_failures"}


def test_many_that_fit_are_told_in_brief() -> None:
    assert brief("many") == [f"many.{number}" for number in range(FULL_MAX + 1)]
    assert full("many") == []


def test_to_no_words_everything_fits() -> None:
    assert len(brief("")) == len(ENTRIES)


@pytest.mark.parametrize(
    ("question", "suggestion"),
    [("grant.expird", "grant.expired"), ("resorce exausted", "resource_exhausted"), ("max eas failurs reached terminating sync", "max_eas_failures")],
)
def test_a_near_miss_is_answered_with_what_finds_something(question: str, suggestion: str) -> None:
    finding = look_up(ENTRIES, question)
    assert (finding.full, finding.brief) == ((), ())
    assert finding.suggestions[0] == suggestion
    assert full(suggestion) == [suggestion]


def test_of_an_unknown_status_the_next_ones_are_named() -> None:
    assert look_up(ENTRIES, "421").suggestions == ("422", "418", "429")


def test_what_is_like_nothing_gets_no_suggestion() -> None:
    assert look_up(ENTRIES, "zebra xylophone") == ((), (), ())
    assert look_up((), "zebra") == ((), (), ())


def test_the_words_of_a_text_are_letters_digits_and_nothing_else() -> None:
    assert plain("  Über-limit: MAX_UID (5) ") == "über limit max uid 5"
