from __future__ import annotations

from io import StringIO
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from cli.told import FAILING, GRANT, HEALTH, REFUSAL, TRAFFIC, USAGE, WAITING, WINDOW, a_busy_status, a_status
from proxy.telemetry.status import Status
from proxy.terminal.asking import Unanswered
from proxy.terminal.drawings import bar, sparkline
from proxy.terminal.fitting import FRAME_LINES, allotted
from proxy.terminal.picture import Lost, Picture
from proxy.terminal.reading import read_status

URL = "http://127.0.0.1:8701"
NAMES = ("WINDOWS", "WAITING FOR", "ERRORS", "LIMITS", "GRANTS", "REFUSED")
HOSTILE = "\x1b[2J[bold red]\x9b31m\u202e\r\n\t:boom:[/]\x7f"
SHOWN = "\\x1b[2J[bold red]"


def drawn(status: Status, columns: int = 160, rows: int | None = None, lost: Lost | None = None, *, color: bool = False) -> str:
    """The picture as a terminal of that size gets it; all of it where nothing says how many rows there are."""
    file = StringIO()
    console = Console(file=file, width=columns, height=rows or 25, force_terminal=color, color_system="truecolor" if color else None, markup=False)
    console.print(Picture(status, URL, lost), height=rows)
    return file.getvalue()


def lines_of(status: Status, columns: int = 160, rows: int | None = None, lost: Lost | None = None) -> list[str]:
    return [line.rstrip() for line in drawn(status, columns, rows, lost).splitlines()]


def section(name: str, status: Status, columns: int = 160) -> list[list[str]]:
    """The lines of a section, split at the gaps between columns."""
    lines = lines_of(status, columns)
    start = next(place for place, line in enumerate(lines) if line.startswith(name))
    end = lines.index("", start)
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines[start:end]]


def test_a_calm_proxy_takes_a_few_lines_and_no_section() -> None:
    assert lines_of(a_status(), 80) == [
        f"nylas-proxy 0.1.0   {URL}   ready   ledger local",
        "limits enforce   up 3 h 12 min",
        "All is well: 12.3 requests/s, nothing waits.",
        "12.3 requests/s   " + "▁▂▄█" * 15,
        "errors 0/s   throttled 0/s   refused 0/s   waiting 0   in flight 4",
        "own time p50 0.21 ms p99 0.84 ms   Nylas p50 120 ms p99 910 ms",
        "",
        "attempts 12.3/s   retries 0/s   retry budget 100 %   clients 3",
        "upstream connections 2   loop lag 0.4 ms   memory 46.6 MB   open files 34",
        "2023-11-14 22:13:20 UTC",
    ]


def test_where_nothing_has_passed_nothing_is_made_up() -> None:
    quiet = msgspec.structs.replace(TRAFFIC, own_p50_s=None, own_p99_s=None, upstream_p50_s=None, upstream_p99_s=None, history=[])
    assert "own time p50 - p99 -   Nylas p50 - p99 -" in lines_of(a_status(traffic=quiet), 80)


def test_a_degraded_proxy_says_for_how_long_and_why() -> None:
    health = msgspec.structs.replace(HEALTH, state="degraded", ledger="local-safe", ledger_since_s=12, ledger_why="connect timed out")
    lines = lines_of(a_status(health=health))
    assert lines[0].startswith(f"nylas-proxy 0.1.0   {URL}   degraded   ledger local-safe for 12 s   limits enforce")
    assert lines[1].startswith("Trouble: ")
    assert "connect timed out" in lines[1]


def test_a_time_that_no_calendar_has_is_left_out() -> None:
    assert "UTC" not in drawn(a_status(made_at=1e300))


@pytest.mark.parametrize(
    ("name", "narrow", "wide"),
    [
        (
            "WINDOWS",
            ["exchange_throttle", "grant", "9b25c9ecd63…", "18 min 20 s", "9", "upstream"],
            ["exchange_throttle", "grant", GRANT.grant, "18 min 20 s", "9", "closed", "upstream", "1 min 40 s", "Exchange has closed the mailbox."],
        ),
        (
            "WAITING FOR",
            ["in_flight microsoft_concurrency", "grant", "13", "2", "4.2 s", "unknown"],
            ["in_flight microsoft_concurrency", "grant", "13", "2", "4.2 s", "unknown"],
        ),
        (
            "ERRORS",
            ["upstream_unreachable", "network", "0.3", "Nylas could not be reached."],
            ["upstream_unreachable", "network", "0.3", "no", "Nylas could not be reached."],
        ),
        (
            "LIMITS",
            ["nylas_messages_get", "██░░░░░░░░ 15 %", "30", "200", "1 s", "9b25c9ecd63…"],
            ["nylas_messages_get", "██░░░░░░░░ 15 %", "30", "200", "1 s", GRANT.grant, "3", "request", "grant", "messages"],
        ),
        (
            "GRANTS",
            ["9b25c9ecd63…", "microsoft", "120", "9", "30 s", "open", "exchange_throttle"],
            [GRANT.grant, "microsoft", "120", "9", "30 s", "open", "exchange_throttle"],
        ),
        (
            "REFUSED",
            ["12 s ago", "40", "limit nylas_m…", "messages.list", "9b25c9ecd63…", "12 min 48 s"],
            ["12 s ago", "40", "429", "limit nylas_messages_get", "messages.list", GRANT.grant, "12 min 48 s", "own_limit", "Ask less often."],
        ),
    ],
)
def test_a_section_shows_what_the_width_has_room_for(name: str, narrow: list[str], wide: list[str]) -> None:
    status = a_busy_status()
    head, row = section(name, status, 80)
    assert head[0] == name
    assert len(head) == len(row)
    assert [shown.rstrip("…") == cell[: len(shown) - 1] if shown.endswith("…") else shown == cell for shown, cell in zip(row, narrow, strict=True)]
    assert section(name, status, 170)[1] == wide


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 110, 160, 250])
@pytest.mark.parametrize("rows", [None, 1, 10, 24, 60])
def test_nothing_is_wider_or_higher_than_the_terminal(columns: int, rows: int | None) -> None:
    lines = drawn(a_busy_status(12), columns, rows, Lost("answered 401", 12)).splitlines()
    assert [line for line in lines if len(line) > columns] == []
    assert rows is None or rows == 1 or len(lines) <= rows


def test_on_a_narrow_terminal_every_section_keeps_its_first_columns() -> None:
    status = a_busy_status()
    assert [section(name, status, 40)[0] for name in NAMES[:2]] == [["WINDOWS", "grant", "open in"], ["WAITING FOR", "requests", "longest"]]
    assert section("LIMITS", status, 40)[0] == ["LIMITS", "used by the fullest"]


def test_a_low_terminal_shows_the_most_important_rows_and_says_how_many_more_there_are() -> None:
    lines = lines_of(a_busy_status(12), 80, 24)
    assert len(lines) == 24
    cut = ["and 10 more", "and 11 more", "and 11 more", "and 11 more", "no room for grants, refusals"]
    assert [line for line in lines if line.startswith(("and ", "no room"))] == cut


def test_what_is_cut_is_seen_to_be_cut_and_of_the_history_the_latest_stays() -> None:
    lines = lines_of(a_status(), 24)
    assert lines[1] == URL
    assert lines_of(a_status(), 20)[1] == f"{URL[:19]}…"
    assert next(line for line in lines if line.startswith("12.3")) == "12.3 requests/s   ▄█▁▂▄█"


def test_a_high_terminal_cuts_nothing() -> None:
    lines = lines_of(a_busy_status(12), 80, 120)
    assert [line for line in lines if line.startswith(("and ", "no room"))] == []
    assert lines[-1] == "2023-11-14 22:13:20 UTC"


def test_rows_that_the_proxy_did_not_tell_are_counted_too() -> None:
    status = a_status(windows=[WINDOW, WINDOW], windows_open=53)
    assert "and 51 more" in lines_of(status)


def test_windows_that_are_not_closed_say_what_they_are() -> None:
    probing = msgspec.structs.replace(WINDOW, state="probing", closes_in_s=0, source="default", waiting=0)
    assert section("WINDOWS", a_status(windows=[probing], windows_open=1), 80)[1][3:] == ["probing", "0", "our default"]


def test_limits_that_nobody_uses_are_not_shown_and_full_ones_are() -> None:
    told = ({"used": 0}, {"count": 3, "per_s": 0, "used": 3}, {"count": 0, "used": 1})
    rows = section("LIMITS", a_status(limits=[msgspec.structs.replace(USAGE, **said) for said in told]), 80)[1:]
    assert [row[1:5] for row in rows] == [["██████████ 100 %", "3", "3", "flight"], ["██████████ 100 %", "1", "0", "1 s"]]


def test_a_picture_that_is_not_of_now_says_so_first() -> None:
    lines = lines_of(a_status(), 160, None, Lost("does not answer (Connection refused)", 75))
    assert lines[1] == f"{URL} does not answer (Connection refused), for 1 min 15 s now. Below is what it told last."


def hostile(value: Any) -> Any:
    """The same document with a hostile text in the place of every text."""
    match value:
        case str():
            return HOSTILE
        case list():
            return [hostile(item) for item in value]
        case dict():
            return {key: hostile(item) for key, item in value.items()}
        case _:
            return value


def test_no_text_of_the_document_acts_on_the_terminal() -> None:
    told = read_status(msgspec.json.encode(hostile(msgspec.to_builtins(a_busy_status(2)))))
    assert isinstance(told, Status)
    for columns in (80, 160, 400):
        printed = drawn(told, columns)
        assert [character for character in printed if not character.isprintable() and character != "\n"] == []
        assert SHOWN in printed
    assert "\x1b[2J" not in drawn(told, 160, color=True)


def test_texts_are_never_read_as_markup() -> None:
    named = msgspec.structs.replace(FAILING, cause="[red]x[/red] :smile:")
    assert "[red]x[/red] :smile:" in drawn(a_status(traffic=msgspec.structs.replace(TRAFFIC, failing=[named])), color=True)


def test_colours_are_left_out_where_they_are_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[1;32m" in drawn(a_status(), color=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "32m" not in drawn(a_status(), color=True)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(texts, min_size=8, max_size=8), st.integers(10, 200))
def test_any_texts_stay_within_their_lines(said: list[str], columns: int) -> None:
    one, two, three, four, five, six, seven, eight = said
    status = a_status(
        version=one,
        windows=[msgspec.structs.replace(WINDOW, cause=two, grant=three, source=four)],
        waiting=[msgspec.structs.replace(WAITING, name=five)],
        refusals=[msgspec.structs.replace(REFUSAL, route=six)],
        grants=[msgspec.structs.replace(GRANT, provider=seven, throttled_by=eight)],
    )
    told = read_status(msgspec.json.encode(status))
    assert not isinstance(told, Unanswered)
    console = Console(file=StringIO(), width=columns, height=25, markup=False)
    lines = console.render_lines(Picture(told, URL), console.options, pad=False)
    assert all(segment.text.isprintable() for line in lines for segment in line)
    assert all(cell_len("".join(segment.text for segment in line)) <= columns for line in lines)


@given(st.lists(st.integers(1, 8), max_size=6), st.integers(-5, 40))
def test_lines_are_given_in_the_order_of_importance_and_never_more_than_there_are(wanted: list[int], lines: int) -> None:
    shares = allotted(wanted, lines)
    assert sum(share + FRAME_LINES for share in shares if share) <= max(lines, 0)
    assert all(share <= wish for share, wish in zip(shares, wanted, strict=True))
    assert all(share >= min(wish, 2) for share, wish in zip(shares, wanted, strict=True) if share)
    left = lines - sum(share + FRAME_LINES for share in shares if share)
    assert left <= 0 or all(share in {0, wish} for share, wish in zip(shares, wanted, strict=True))


def test_what_there_is_stands_above_the_ground_and_only_what_is_full_looks_full() -> None:
    assert sparkline([0, 1, 999, 1000], 60, ascii_only=False) == "▁▂▇█"
    assert sparkline([9, 0, 0], 2, ascii_only=True) == "__"
    assert sparkline([1], 0, ascii_only=True) == ""
    assert [bar(part, 5, ascii_only=True) for part in (0, 0.001, 0.999, 1, 3)] == [".....", "#....", "####.", "#####", "#####"]
