from __future__ import annotations

from typing import Any

import pytest

from proxy.simulator.limit_rows import LIMITS
from proxy.simulator.limit_settings import LimitSettings, read_limits


def limits_of(**table: Any) -> dict[str, tuple[int, float]]:
    settings = read_limits(table)
    assert isinstance(settings, LimitSettings), settings
    return {limit.name: (limit.count, limit.per_s) for limit in settings.limits()}


def test_an_empty_table_keeps_the_published_limits() -> None:
    limits = limits_of()
    assert limits["v3_messages"] == (200, 1.0)
    assert limits["microsoft_in_flight"] == (4, 0.0)
    assert limits["gmail_user_second"] == (250, 1.0)
    assert len({limit.name for limit in LIMITS}) == len(LIMITS)


def test_without_the_table_none_is_kept() -> None:
    assert LimitSettings().limits() == ()


def test_a_limit_gets_another_count_period_or_none() -> None:
    limits = limits_of(v3_messages={"count": 7}, v3_contacts={"per_s": 0.05}, v3_calendar=False, ews_mailbox={"count": 9, "per_s": 0.5})
    assert (limits["v3_messages"], limits["v3_contacts"], limits["ews_mailbox"]) == ((7, 1.0), (200, 0.05), (9, 0.5))
    assert "v3_calendar" not in limits


def test_a_limit_that_nobody_knows_is_not_kept() -> None:
    assert "ews_mailbox" not in limits_of()


def test_limits_belong_to_a_profile() -> None:
    assert {name for name in limits_of(gmail_profile="2026") if name.startswith("gmail")} == {
        "gmail_user_minute_2026",
        "gmail_project",
        "gmail_messages_day",
    }


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"v3_mesages": {"count": 1}}, "unknown key 'v3_mesages'; allowed are speed, gmail_profile, exchange_window_s, v3_applications,"),
        ({"v3_messages": {"count": 0}}, "key 'v3_messages' must have a count that is a whole number from 1"),
        ({"v3_messages": {"count": True}}, "key 'v3_messages' must have a count"),
        ({"v3_messages": {"per_s": 0}}, "key 'v3_messages' must have a per_s above 0"),
        ({"v3_messages": {"per_s": float("nan")}}, "key 'v3_messages' must have a per_s above 0"),
        ({"v3_messages": {"counts": 1}}, "key 'v3_messages' must be { count = N"),
        ({"v3_messages": True}, "key 'v3_messages' must be { count = N"),
        ({"v3_messages": {}}, "key 'v3_messages' must be { count = N"),
        ({"microsoft_in_flight": {"per_s": 1.0}}, "key 'microsoft_in_flight' counts requests at once"),
        ({"speed": 0}, "key 'speed' must be a number above 0"),
        ({"speed": True}, "key 'speed' must be a number above 0"),
        ({"exchange_window_s": "8"}, "key 'exchange_window_s' must be a number of seconds"),
        ({"gmail_profile": "new"}, "key 'gmail_profile' must be one of classic, 2026"),
        (5, "'limits' must be written as a table"),
    ],
)
def test_a_mistake_is_told_with_its_key(table: object, told: str) -> None:
    mistakes = read_limits(table)
    assert isinstance(mistakes, list)
    assert mistakes[0].startswith(told)


def test_all_mistakes_are_told() -> None:
    mistakes = read_limits({"x": 1, "speed": 0, "v3_send": 1})
    assert isinstance(mistakes, list)
    assert len(mistakes) == 3
