from __future__ import annotations

import io

import pytest

from proxy.demo import table
from proxy.demo.cases import CASES
from proxy.demo.sdk import Crash, Outcome, OwnError, PoorError, Returned

CLEAN = OwnError("NylasApiError", 502, "api.gateway_error", "a long text " * 20)
CRASH = Crash("JSONDecodeError", "Expecting value:\nline 1")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_every_line_fits_120_columns() -> None:
    lines = [*table.head(), *(table.row(case.title, (CRASH, CLEAN), is_as_promised=False, colour=False) for case in CASES)]

    assert max(len(line) for line in lines) <= 120


def test_no_title_of_a_case_is_cut() -> None:
    assert max(len(f"! {case.title}") for case in CASES) <= table.WIDTHS[0]


def test_a_row_says_crash_where_the_exception_is_not_the_sdks_own() -> None:
    row = table.row("502", (CRASH, CLEAN), is_as_promised=True, colour=False)

    assert "CRASH JSONDecodeError: Expecting value: line 1" in table.said(CRASH).replace("\n", " ")
    assert "CRASH JSONDecodeError" in row
    assert "NylasApiError 502 api.gateway_error: a long" in row


def test_an_error_that_lacks_something_says_what() -> None:
    assert table.said(PoorError("NylasApiError", "a type, a request id")) == "NylasApiError without a type, a request id"


def test_a_case_that_is_not_as_promised_is_marked() -> None:
    assert table.row("502", (CRASH, CRASH), is_as_promised=False, colour=False).startswith("! 502 ")
    assert table.row("502", (CRASH, CLEAN), is_as_promised=True, colour=False).startswith("502 ")


def test_colours_come_on_a_terminal_alone_and_not_where_no_color_is_set() -> None:
    assert table.wants_colour(Terminal(), {})
    assert not table.wants_colour(Terminal(), {"NO_COLOR": "1"})
    assert not table.wants_colour(io.StringIO(), {})


@pytest.mark.parametrize(("outcome", "colour"), [(Returned("3 messages"), table.GREEN), (CLEAN, table.GREEN), (CRASH, table.RED)])
def test_a_coloured_cell_ends_its_colour_and_keeps_its_width(outcome: Outcome, colour: str) -> None:
    plain = table.row("case", (outcome, outcome), is_as_promised=True, colour=False)
    coloured = table.row("case", (outcome, outcome), is_as_promised=True, colour=True)

    assert coloured.count(colour) == coloured.count(table.PLAIN) == 2
    assert coloured.replace(colour, "").replace(table.PLAIN, "").rstrip() == plain
