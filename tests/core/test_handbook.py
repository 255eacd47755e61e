from __future__ import annotations

from typing import Any

import pytest

from proxy.core.entries import Entry, Kind, read_entries
from proxy.core.handbook import Handbook, Symptoms
from proxy.core.model import Api, Cause, CauseText


def a_row(name: str, status: int = 429, cause: str | None = "rate_limit_provider", **values: Any) -> dict[str, Any]:
    classed = {"cause": cause} if cause else {}
    return {"name": name, "status": {"docs": status}, "meaning": "m", "reason": "r", "solution": "s", **classed, **values}


def a_handbook(**rows: list[dict[str, Any]]) -> Handbook:
    texts = {cause: CauseText(f"{cause} means", "why", "do", f"{cause} handled", retryable=False) for cause in Cause}
    return Handbook(read_entries(rows, ["docs"]), texts)


def symptoms(**values: Any) -> Symptoms:
    return Symptoms(**{"cause": Cause.RATE_LIMIT_PROVIDER, "api": Api.V3, "status": 429, "type": "", "words": "", "path": "", **values})


BOOK = a_handbook(
    situation=[
        a_row("busy", phrases=["is busy"]),
        a_row("very busy", phrases=["mailbox is busy", "mailbox is full"]),
        a_row("v2 alone", api="v2", phrases=["legacy"]),
        a_row("misplaced", 404, "not_found", api="v3", path_holds=["/v3/v3/"]),
        a_row("wordless"),
    ],
    type=[
        a_row("rate_limit_error"),
        a_row("Mixed.Case"),
        a_row("oauth2.invalid_grant", 400, "oauth"),
        a_row("provider_error", 429, api="v2"),
        a_row("provider_error", 504, "provider_timeout", api="v3"),
        a_row("grant.created", 201, None),
    ],
    status=[a_row("429"), a_row("504", 504, "server_error")],
    sync_event=[{**a_row("sync", 200, None)}],
)


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        ({"words": "it says: the mailbox is busy"}, "very busy"),
        ({"words": "mailbox is full"}, "very busy"),
        ({"words": "the server is busy", "type": "rate_limit_error"}, "busy"),
        ({"type": "rate_limit_error"}, "rate_limit_error"),
        ({"type": "mixed.case"}, "Mixed.Case"),
        ({"type": "something new"}, "429"),
        ({"words": "legacy", "api": Api.V2}, "v2 alone"),
        ({"words": "legacy"}, "429"),
        ({"cause": Cause.NOT_FOUND, "status": 404, "path": "/v3/v3/grants"}, "misplaced"),
        ({"cause": Cause.NOT_FOUND, "status": 404, "path": "/v3/grants"}, "not_found"),
        ({"cause": Cause.OAUTH, "status": 400, "type": "invalid_grant"}, "oauth2.invalid_grant"),
        ({"type": "provider_error", "api": Api.V2}, "provider_error"),
        ({"type": "provider_error"}, "429"),
        ({"status": None, "words": "mailbox is busy"}, "very busy"),
        ({"status": None}, "rate_limit_provider"),
    ],
)
def test_the_most_exact_entry_describes_an_error(shown: dict[str, Any], name: str) -> None:
    assert BOOK.entry_for(symptoms(**shown)).name == name


@pytest.mark.parametrize(
    "shown",
    [
        {"cause": Cause.EXCHANGE_THROTTLE, "words": "mailbox is busy", "type": "rate_limit_error"},
        {"cause": Cause.SERVER_ERROR, "status": 503, "words": "mailbox is busy"},
        {"cause": Cause.PROVIDER_TIMEOUT, "status": 504},
    ],
)
def test_an_entry_of_another_class_or_status_describes_nothing(shown: dict[str, Any]) -> None:
    entry = BOOK.entry_for(symptoms(**shown))
    assert (entry.kind, entry.name) == (Kind.CAUSE, shown["cause"])


def test_a_class_alone_is_told_in_its_own_words() -> None:
    entry = a_handbook().entry_for(symptoms())
    assert (entry.meaning, entry.reason, entry.solution, entry.cause) == ("rate_limit_provider means", "why", "do", Cause.RATE_LIMIT_PROVIDER)


def named(name: str) -> Entry:
    return next(entry for entry in BOOK.entries if entry.name == name)


def test_it_is_said_what_the_proxy_does() -> None:
    assert BOOK.handling(named("busy")) == "rate_limit_provider handled"
    assert BOOK.handling(named("exchange_throttle")) == "exchange_throttle handled"
    assert "pass unchanged" in BOOK.handling(named("grant.created"))
    assert "Dashboard" in BOOK.handling(named("sync"))
