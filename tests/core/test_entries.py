from __future__ import annotations

from typing import Any

import pytest

from proxy.core.entries import Entry, Kind, Said, read_entries
from proxy.core.model import Api, Cause

SOURCES = ["newer", "older"]


def a_row(**values: Any) -> dict[str, Any]:
    return {"name": "grant.expired", "status": {"older": 401}, "meaning": "m", "reason": "r", "solution": "s", **values}


def read(*rows: dict[str, Any], kind: str = "type") -> tuple[Entry, ...]:
    return read_entries({kind: rows}, SOURCES)


def test_a_row_becomes_an_entry() -> None:
    told: dict[str, Any] = {"api": "v3", "title": "t", "category": "c", "says": "Says", "phrases": ["says"], "path_holds": ["/x"]}
    told |= {"cause": "auth", "retryable": False}
    assert read(a_row(**told)) == (
        Entry(
            kind=Kind.TYPE,
            name="grant.expired",
            api=Api.V3,
            title="t",
            category="c",
            said=(Said("older", (401,)),),
            says="Says",
            phrases=("says",),
            path_holds=("/x",),
            cause=Cause.AUTH,
            retryable=False,
            meaning="m",
            reason="r",
            solution="s",
        ),
    )


def test_what_is_not_said_is_empty() -> None:
    entry = read(a_row())[0]
    assert (entry.api, entry.cause, entry.retryable) == (None, None, None)
    assert not any((entry.title, entry.category, entry.says, entry.phrases, entry.path_holds))


@pytest.mark.parametrize(
    ("status", "statuses", "every"),
    [
        ({"older": 401, "newer": 400}, (400,), {400, 401}),
        ({"newer": 400, "older": 401}, (400,), {400, 401}),
        ({"older": [400, 403]}, (400, 403), {400, 403}),
        ({"newer": "none", "older": 401}, (), {401}),
        ({"older": "none"}, (), set()),
    ],
)
def test_the_newest_source_wins_and_none_is_forgotten(status: dict[str, Any], statuses: tuple[int, ...], every: set[int]) -> None:
    entry = read(a_row(status=status))[0]
    assert entry.statuses == statuses
    assert entry.all_statuses == every
    assert {said.source for said in entry.said} == status.keys()


def test_one_name_may_stand_in_both_apis_and_as_several_kinds() -> None:
    rows = [a_row(api="v2"), a_row(api="v3")]
    assert len(read_entries({"type": rows, "situation": [a_row()]}, SOURCES)) == 3


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([a_row(), a_row()], "type 'grant.expired' is given twice"),
        ([a_row(status={})], "type 'grant.expired': status must name its sources, of newer, older"),
        ([a_row(status={"rumour": 400})], "status must name its sources"),
        ([a_row(status={"older": "401"})], "a status is a number"),
        ([a_row(status={"older": []})], "a status is a number"),
        ([a_row(status={"older": [401, 99]})], "a status is a number"),
        ([a_row(status={"older": 1000})], "a status is a number"),
        ([a_row(status=401)], "status must be of type dict"),
        ([a_row(phrases=["Throttled"])], "phrases must be in lower case"),
        ([a_row(mening="m")], "unknown key mening"),
        ([a_row(cause="weather")], "'weather' is not a valid Cause"),
        ([a_row(solution=None)], "solution must be of type str"),
    ],
)
def test_a_mistake_in_a_row_is_named(rows: list[dict[str, Any]], complaint: str) -> None:
    with pytest.raises(ValueError) as refusal:
        read(*rows)
    assert complaint in str(refusal.value)


def test_an_unknown_kind_of_row_is_refused() -> None:
    with pytest.raises(ValueError, match="'rumour' is not a valid Kind"):
        read(a_row(), kind="rumour")
