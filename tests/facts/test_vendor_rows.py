"""Everything that the vendor's three error pages list is known, row by row, and explained in words of its own.

`vendor_rows.json` holds what those pages say, copied apart from the product's tables: event codes as (type, status, default message, category), v2
statuses, v2 types, the rule about empty PUTs, mail-sync events, and the sections on 4xx answers as (status, heading, message, what the texts
must not leave out).
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from builders import the_handbook

from proxy.explain import entry_object, find

VENDOR: dict[str, Any] = json.loads(Path(__file__).with_name("vendor_rows.json").read_text(encoding="utf-8"))
TEXTS = ("meaning", "cause", "solution")


def explained(question: str, kind: str, **expected: Any) -> dict[str, Any]:
    """The one answer to `question`, told in full, of that kind and with those values."""
    answers = [entry_object(entry, the_handbook()) for entry in find(question, the_handbook()).full]
    fitting = [answer for answer in answers if answer["kind"] == kind and all(answer[key] == value for key, value in expected.items())]
    assert len(fitting) == 1, [(answer["kind"], answer["name"]) for answer in answers]
    assert all(len(fitting[0][text]) >= 10 for text in TEXTS)
    assert fitting[0]["proxy"]["handling"]
    return fitting[0]


def test_the_copy_of_the_pages_is_complete() -> None:
    counts = {name: len(rows) for name, rows in VENDOR.items() if isinstance(rows, list)}
    assert counts == {"event_codes": 95, "v2_statuses": 17, "v2_types": 3, "sync_events": 11, "sections": 17}


@pytest.mark.parametrize(("name", "status", "message", "category"), VENDOR["event_codes"])
def test_an_event_code_is_explained_with_what_the_page_says(name: str, status: int | None, message: str, category: str) -> None:
    answer = explained(name, "type", api="v3", name=name)
    assert (answer["says"], answer["category"]) == (message, category)
    assert {"source": "event_codes", "statuses": [status] if status else []} in answer["sources"]


@pytest.mark.parametrize("status", VENDOR["v2_statuses"])
def test_a_v2_status_is_explained(status: int) -> None:
    answer = explained(str(status), "status", api="v2", name=str(status))
    assert {"source": "v2_errors", "statuses": [status]} in answer["sources"]


@pytest.mark.parametrize("name", VENDOR["v2_types"])
def test_a_v2_type_is_explained(name: str) -> None:
    explained(name, "type", api="v2", name=name)


def test_the_rule_about_empty_puts_is_explained() -> None:
    assert explained(VENDOR["v2_rule"], "rule", api="v2")["statuses"] == [400]


@pytest.mark.parametrize("event", VENDOR["sync_events"])
def test_a_mail_sync_event_is_explained(event: str) -> None:
    explained(event, "sync_event", says=event, statuses=[])


@pytest.mark.parametrize(("status", "title", "message", "facts"), VENDOR["sections"])
def test_a_section_on_4xx_is_explained_with_its_own_causes_and_steps(status: int, title: str, message: str, facts: list[str]) -> None:
    question = f"Error {status} - {title}" if title else message
    answer = explained(question, "situation", **({"title": title} if title else {"statuses": [status]}))
    assert {"source": "errors_400", "statuses": [status]} in answer["sources"]
    told = f"{answer['meaning']} {answer['cause']} {answer['solution']}".lower()
    assert [fact for fact in facts if fact.lower() not in told] == []
    if message:
        assert answer["name"] in {entry.name for entry in find(message, the_handbook()).full}


def test_every_row_has_texts_of_its_own() -> None:
    entries = [entry for entry in the_handbook().entries if entry.said]
    for text in ("meaning", "reason", "solution"):
        counts = Counter(getattr(entry, text) for entry in entries)
        repeated = {value for value, times in counts.items() if times > 1}
        assert repeated == set(), text


def test_a_source_that_disagrees_is_kept_and_the_newer_wins() -> None:
    answer = explained("api.invalid_request_error", "type")
    assert answer["statuses"] == [400]
    assert {"source": "event_codes", "statuses": [401]} in answer["sources"]
