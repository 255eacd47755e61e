"""Every recorded error is told what it means and what to do, as exactly as is known."""

from __future__ import annotations

from typing import Any

import pytest
from builders import normalised, said, the_handbook

from recorded.corpus import ENTRIES, context_of, reply_of

TOLD_BY = {
    "docs-429-text-resource-exhausted": "resource_exhausted",
    "docs-429-text-exchange-throttled": "exchange_account_throttled",
    "docs-429-nylas-layer": "nylas_rate_limit_exceeded",
    "docs-v2-429-headers": "rate_limit_nylas",
    "docs-503-asthrottle": "eas_command_frequency",
    "docs-type-api.resource_blocked": "api.resource_blocked",
    "cli-400-oauth-description": "oauth2.invalid_grant",
    "cli-429-daily-send": "daily_sending_quota",
    "oas-401-admin": "401",
    "oas-409-idem-concurrent": "idempotency_in_progress",
    "obs-429-gmail-quota": "gmail_user_rate",
    "obs-429-ms-objects-open": "microsoft_objects_open",
    "obs-400-json-3mb": "attachments_over_3_mb",
    "se-smtp-535-5.7.1": "web_browser_login",
    "se-smtp-552-5.3.4": "message_not_acceptable",
    "se-503-database-send": "message_not_sent",
    "cli-502-empty": "502",
    "py5-503-server-error": "send_rejected",
    "java2-empty-500": "500",
}


def told(entry: dict[str, Any]) -> dict[str, Any]:
    proxy: dict[str, Any] = said(normalised(reply_of(entry), context_of(entry)))["proxy"]
    return proxy


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["id"])
def test_a_recorded_error_is_told_its_meaning_and_what_to_do(entry: dict[str, Any]) -> None:
    proxy = told(entry)
    known = [other for other in the_handbook().entries if proxy["meaning"] == f"{other.meaning} {other.reason}"]
    assert len(known) == 1
    assert proxy["solution"].startswith(known[0].solution) or "may have taken effect" in proxy["solution"]
    assert TOLD_BY.get(entry["id"], known[0].name) == known[0].name


def test_the_table_names_recorded_errors() -> None:
    assert TOLD_BY.keys() <= {entry["id"] for entry in ENTRIES}


def test_most_are_told_more_than_their_class() -> None:
    of_classes = {f"{text.meaning} {text.reason}" for text in the_handbook().causes.values()}
    more = [entry for entry in ENTRIES if told(entry)["meaning"] not in of_classes]
    assert len(more) >= 125


@pytest.mark.parametrize("name", ["se-smtp-535-5.7.1", "se-smtp-421-4.7.0"])
def test_what_waiting_does_not_cure_is_not_called_retryable(name: str) -> None:
    entry = next(entry for entry in ENTRIES if entry["id"] == name)
    assert told(entry)["cause"] == "rate_limit_provider"
    assert told(entry)["retryable"] is False

