from __future__ import annotations

import io

import pytest

from proxy.demo import table
from proxy.demo.cases import CASES
from proxy.demo.evidence import Burst, Evidence, Fact, Reports, Sent, Throttled
from proxy.demo.main import Played
from proxy.demo.scenes import SCENES
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


NOTHING = Reports((), (), {"messages": [], "duplicates": 0})
LONGEST: tuple[Evidence, ...] = (
    Burst(calls=600, served=600, refused=0, span_s=99.99, best_s=2.0),
    Throttled(length_s=4.0, closed_s=99.9, knocks=99, again_after_s=None, others=99, others_served=99),
    Sent(mails=40, dropped=5, cut=5, arrived=40, duplicates=99),
)


BEST: tuple[Evidence, ...] = (
    Burst(calls=600, served=600, refused=0, span_s=99.99, best_s=2.0),
    Throttled(length_s=4.0, closed_s=4.0, knocks=0, again_after_s=9.9, others=99, others_served=99),
    Sent(mails=40, dropped=5, cut=5, arrived=40, duplicates=0),
)


def test_every_line_about_scenes_fits_120_columns_and_nothing_is_cut() -> None:
    empty = [scene.read(NOTHING) for scene in SCENES]
    facts = [fact for evidence in (*LONGEST, *empty) for fact in evidence.facts]
    rows = [table.fact_row(fact, fact, colour=False) for fact in facts]
    conclusions = [Played(scene, without, through).conclusion for scene, without, through in zip(SCENES, LONGEST, BEST, strict=True)]

    assert max(len(line) for line in (*table.head(table.SCENE_HEADINGS), *rows, *conclusions, *(scene.title for scene in SCENES))) <= 120
    assert [row for row in rows if "..." in row] == []


def test_a_fact_is_marked_where_it_is_not_as_wanted_with_the_proxy() -> None:
    bad, good, neutral = Fact("served", "1 of 2", is_good=False), Fact("served", "2 of 2", is_good=True), Fact("served", "2")

    assert table.fact_row(good, bad, colour=False).startswith("! served ")
    assert table.fact_row(bad, good, colour=False).startswith("- served ")
    assert table.fact_row(bad, neutral, colour=False).startswith("- served ")


@pytest.mark.parametrize(("is_good", "colour"), [(True, table.GREEN), (False, table.RED), (None, "")])
def test_a_fact_is_coloured_by_whether_it_is_as_wanted(is_good: bool | None, colour: str) -> None:
    fact = Fact("served", "2 of 2", is_good)
    plain, coloured = (table.fact_row(fact, fact, colour=wanted) for wanted in (False, True))

    assert coloured.count("\x1b") == (4 if colour else 0)
    assert colour in coloured
    assert coloured.replace(colour or "-none-", "").replace(table.PLAIN, "").rstrip() == plain
