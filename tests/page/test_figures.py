from __future__ import annotations

import pytest

from proxy.page.figures import bytes_of, count, duration, number, precise, share
from proxy.page.sparkline import SECONDS, outline, spoken


@pytest.mark.parametrize(
    ("length_s", "text"),
    [
        (-3.0, "0 s"), (0.0, "0 s"), (0.4, "0 s"), (0.5, "1 s"), (59.4, "59 s"), (59.6, "1 min"), (60, "1 min"), (61, "1 min 1 s"),
        (1100, "18 min 20 s"), (3599.7, "1 h"), (3600, "1 h"), (3659, "1 h"), (3660, "1 h 1 min"),
        (86_399, "23 h 59 min"), (86_400, "1 d"), (360_000, "4 d 4 h"),
    ],
)  # fmt: skip
def test_a_duration_is_told_in_its_two_largest_units(length_s: float, text: str) -> None:
    assert duration(length_s) == text


@pytest.mark.parametrize(
    ("length_s", "text"),
    [(0.0, "0 ms"), (4e-6, "0.004 ms"), (21e-5, "0.21 ms"), (0.182, "182 ms"), (1.24, "1.24 s"), (59.7, "1 min"), (1100, "18 min 20 s")],
)
def test_a_short_time_is_told_as_exactly_as_it_matters(length_s: float, text: str) -> None:
    assert precise(length_s) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.017, "0.017"), (0.0999, "0.1"), (0.182, "0.18"), (1.0, "1"), (9.994, "9.99"), (9.999, "10"), (12.34, "12.3"), (1234.5, "1,234")],
)
def test_a_number_has_the_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(("size_bytes", "text"), [(0, "0 B"), (999, "999 B"), (999_800, "1 MB"), (466e5, "46.6 MB"), (4e18, "4,000 PB")])
def test_a_size_is_told_in_powers_of_a_thousand(size_bytes: float, text: str) -> None:
    assert bytes_of(size_bytes) == text


@pytest.mark.parametrize(("part", "text"), [(0, "0 %"), (0.001, "under 1 %"), (0.34, "34 %"), (0.999, "over 99 %"), (1, "100 %")])
def test_a_share_never_passes_for_nothing_or_for_all(part: float, text: str) -> None:
    assert share(part) == text


def test_one_is_told_as_one() -> None:
    assert [count(1, "mailbox", "mailboxes"), count(2, "mailbox", "mailboxes")] == ["1 mailbox", "2 mailboxes"]
    assert [count(1, "request"), count(1204, "request")] == ["1 request", "1,204 requests"]


def test_the_newest_second_stands_at_the_right_edge_and_the_highest_at_the_top() -> None:
    assert outline([0, 5, 10]) == "57,20 58,20 58,10 59,10 59,0 60,0"


def test_seconds_without_requests_are_a_line_at_the_bottom() -> None:
    assert {point.split(",")[1] for point in outline([]).split()} == {"20"}
    assert outline([0]) == "59,20 60,20"


def test_more_than_a_minute_is_not_drawn() -> None:
    assert outline([9] * 10 + [1] * SECONDS) == outline([1] * SECONDS)


def test_a_drawing_is_told_in_words_too() -> None:
    assert spoken([4, 9, 6]) == "Requests in each of the last 3 seconds: from 4 to 9, 6 in the last"
    assert spoken([0, 0]) == spoken([]) == "Requests in each of the last 60 seconds: none"
