"""What providers answer Nylas, as Nylas may pass it on inside its own error."""

from __future__ import annotations

from typing import Any

import pytest
from builders import NOW, a_reply, classified

from proxy.core.model import Cause, Origin
from recorded.corpus import PROVIDER_PAYLOADS, fields_of

EXPECTED = {
    "graph-mailboxconcurrency": Cause.RATE_LIMIT_PROVIDER_MICROSOFT,
    "graph-retry-after-1": Cause.RATE_LIMIT_PROVIDER,
    "gmail-resource-exhausted": Cause.RATE_LIMIT_PROVIDER_GOOGLE,
    "gmail-403-quota": Cause.RATE_LIMIT_PROVIDER_GOOGLE,
    "gmail-user-rate-retry-after": Cause.RATE_LIMIT_PROVIDER_GOOGLE,
    "gmail-forwarding-moving-window": Cause.RATE_LIMIT_PROVIDER_GOOGLE,
    "google-user-403": Cause.RATE_LIMIT_PROVIDER_GOOGLE,
    "ews-server-busy": Cause.EXCHANGE_THROTTLE,
    "eas-503": Cause.EXCHANGE_THROTTLE,
}


def nested(payload: dict[str, Any]) -> Any:
    said = payload["body_text"] or payload["body"] or {}
    return {"request_id": "r", "error": {"type": "rate_limit_error", "message": "The provider refused.", "provider_error": said}}


@pytest.mark.parametrize("payload", PROVIDER_PAYLOADS, ids=[payload["id"] for payload in PROVIDER_PAYLOADS])
def test_a_provider_that_throttles_is_recognised_inside_an_error_of_nylas(payload: dict[str, Any]) -> None:
    verdict = classified(a_reply(payload["status"], nested(payload), fields_of(payload)))
    assert (verdict.cause, verdict.origin) == (EXPECTED[payload["id"]], Origin.PROVIDER)


def by_id(name: str) -> dict[str, Any]:
    return next(payload for payload in PROVIDER_PAYLOADS if payload["id"] == name)


def test_the_waits_inside_provider_errors_are_found() -> None:
    assert classified(a_reply(500, nested(by_id("ews-server-busy")))).retry_after_s == 297.749
    assert classified(a_reply(429, nested(by_id("graph-retry-after-1")), ((b"retry-after", b"1"),))).retry_after_s == 1.0


def test_a_time_that_has_passed_is_no_wait() -> None:
    assert NOW > 1_678_213_103  # 2023-03-07, when that answer was recorded
    assert classified(a_reply(429, nested(by_id("gmail-user-rate-retry-after")))).retry_after_s is None
