from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from builders import NOW, a_reply
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.retry_after import WAIT_MAX_S, retry_after_s, whole_seconds

if TYPE_CHECKING:
    from proxy.core.model import Fields


def wait_of(fields: Fields = (), text: str = "", status: int = 429) -> float | None:
    return retry_after_s(a_reply(status, None, fields), text, now=NOW)


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        (b"20", 20.0),
        (b" 20 ", 20.0),
        (b"+20", 20.0),
        (b"0", 0.0),
        (b"0.249", 0.249),
        (b"Tue, 14 Nov 2023 22:23:20 GMT", 600.0),
        (b"Tuesday, 14-Nov-23 22:23:20 GMT", 600.0),
        (b"Tue Nov 14 22:23:20 2023", 600.0),
        (b"Tue, 14 Nov 2023 23:23:20 +0100", 600.0),
        (b"999999999", WAIT_MAX_S),
        (b"Fri, 14 Nov 2098 22:23:20 GMT", WAIT_MAX_S),
        (b"Tue, 14 Nov 2023 22:00:00 GMT", None),
        (b"-1", None),
        (b"NaN", None),
        (b"inf", None),
        (b"1e9", None),
        (b"1_000", None),
        (b"\xb2", None),
        (b"<seconds>", None),
        (b"", None),
        (b"9" * 65, None),
        (b"Tue, 99 Nov 2023 22:23:20 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date_or_ignored(value: bytes, wait_s: float | None) -> None:
    assert wait_of(((b"Retry-After", value),)) == wait_s


def test_a_date_without_a_zone_means_utc_wherever_the_proxy_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert wait_of(((b"Retry-After", b"Tue Nov 14 22:23:20 2023"),)) == 600.0
    finally:
        monkeypatch.undo()
        time.tzset()


def test_no_field_and_no_text_name_no_wait() -> None:
    assert wait_of() is None


@pytest.mark.parametrize(
    ("value", "wait_s"), [(b"10", 10.0), (b"1700000030", 30.0), (b"1600000000", None), (b"Tue, 14 Nov 2023 22:23:20 GMT", 600.0), (b"abc", None)]
)
def test_a_limit_reset_is_a_duration_or_a_time_since_1970(value: bytes, wait_s: float | None) -> None:
    assert wait_of(((b"X-RateLimit-Reset", value),)) == wait_s


def test_a_limit_reset_means_no_wait_unless_the_limit_was_hit() -> None:
    assert wait_of(((b"x-ratelimit-reset", b"10"),), status=400) is None


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("User-rate limit exceeded.  Retry after 2023-11-14T22:28:20.500Z (Mail sending)", 900.5),
        ("retry after: 2023-11-14T23:28:20+01:00", 900.0),
        ("Retry after 2023-03-07T18:18:23.688Z", None),
        ("Retry after 2023-13-41T18:18:23Z", None),
        ("Retry after 2098-11-14T22:28:20Z", WAIT_MAX_S),
        ("Retry after a while", None),
        ('<t:Value Name="BackOffMilliseconds">297749</t:Value>', 297.749),
        ('{"BackOffMilliseconds": 1500}', 1.5),
        ('\\"BackOffMilliseconds\\": \\"250\\"', 0.25),
        ("BackOffMilliseconds unknown", None),
    ],
)
def test_a_wait_is_found_inside_a_message(text: str, wait_s: float | None) -> None:
    assert wait_of(text=text) == wait_s


def test_of_several_waits_the_longest_counts() -> None:
    fields = ((b"Retry-After", b"1"), (b"X-RateLimit-Reset", b"10"))
    assert wait_of(fields) == 10.0
    assert wait_of(fields, "Retry after 2023-11-14T22:28:20Z") == 900.0
    assert wait_of(((b"Retry-After", b"1200"),), "Retry after 2023-11-14T22:28:20Z") == 1200.0


@pytest.mark.parametrize(("wait_s", "whole"), [(0.0, 1), (0.2, 1), (1.0, 1), (1.01, 2), (WAIT_MAX_S, 86400)])
def test_a_wait_is_told_rounded_up_and_never_as_zero(wait_s: float, whole: int) -> None:
    assert whole_seconds(wait_s) == whole


@given(st.binary(max_size=70), st.text(max_size=60))
def test_any_value_gives_a_wait_within_bounds_or_none(value: bytes, text: str) -> None:
    wait_s = wait_of(((b"Retry-After", value), (b"X-RateLimit-Reset", value)), "Retry after " + text)
    assert wait_s is None or 0 <= wait_s <= WAIT_MAX_S


@given(st.from_regex(r"[A-Za-z]{3}, \d{1,4} [A-Za-z]{3} \d{1,6} \d{1,3}:\d{1,3}:\d{1,3} ([+-]\d{1,6}|GMT|[A-Z]{1,4})", fullmatch=True))
def test_anything_like_a_date_gives_a_wait_within_bounds_or_none(value: str) -> None:
    wait_s = wait_of(((b"Retry-After", value.encode()),))
    assert wait_s is None or 0 <= wait_s <= WAIT_MAX_S
