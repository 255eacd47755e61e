"""The documentation of faults is what the cases say."""

from __future__ import annotations

from faults.mixture import CASES
from faults.page import PAGE, page


def test_the_page_says_what_the_cases_say() -> None:
    assert PAGE.read_text() == page()


def test_no_case_is_there_twice() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
