"""The lists of a status document as tables: what each is called, which columns it has, from which width on, and which rows.

A section without rows is none. The most important comes first. No cell says by its style alone what it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from proxy.page.figures import duration, number, precise, share
from proxy.terminal.drawings import bar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proxy.telemetry.status import Failing, Grant, Refusal, Status, Usage, Waiting, Window

NARROW, USUAL, WIDE, WIDEST = 60, 80, 110, 150
"""From so many columns of the terminal on a column of a table is shown."""

CALM, LOUD, ALARM, PALE = "", "yellow", "bold red", "dim"
"""How cells look."""

_BAR_COLUMNS: Final = 10
_GRANT_COLUMNS: Final = 12
_NEARLY_FULL: Final = 0.9
_NAMED_BY: Final = {"retry_after": "upstream", "default": "our default", "operator": "an operator", "elsewhere": "elsewhere"}


class Cell(NamedTuple):
    """Something in a table.

    Attributes:
        text: One line.
        style: As the library that draws calls it; empty for none.
    """

    text: str
    style: str = CALM


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        title: Its head; of the first column, with the section's name.
        cell: Makes the cell of a row.
        from_width: The terminal has at least so many columns where this one is shown.
        is_number: Stands at the right.
        gives_way: Is cut first where the table is too wide.
        widest: Has at most so many columns, below `WIDEST`; 0 for any number.
    """

    title: str
    cell: Callable[[Any], Cell]
    from_width: int = 0
    is_number: bool = False
    gives_way: bool = False
    widest: int = 0


class Section(NamedTuple):
    """A table.

    Attributes:
        name: Of the section.
        columns: All that it could show.
        rows: What `Column.cell` is called with, the most important first.
        total: How many rows there are, told or not.
    """

    name: str
    columns: Sequence[Column]
    rows: Sequence[object]
    total: int


def sections_of(status: Status, *, ascii_only: bool) -> list[Section]:
    """Return what there is to show, the most important first."""
    windows, failing = status.windows, status.traffic.failing
    usages = [usage for usage in status.limits if usage.used > 0]
    found = (
        Section("windows", _WINDOWS, windows, max(status.windows_open, len(windows)) if windows else 0),
        Section("waiting", _WAITING, status.waiting, len(status.waiting)),
        Section("errors", _ERRORS, failing, len(failing)),
        Section("limits", _limits(ascii_only=ascii_only), usages, len(usages)),
        Section("grants", _GRANTS, status.grants, len(status.grants)),
        Section("refusals", _REFUSALS, status.refusals, len(status.refusals)),
    )
    return [section for section in found if section.rows]


def _grant(row: Window | Grant | Usage | Refusal) -> Cell:
    return Cell(row.grant or "-")


def _known(length_s: float | None, *, otherwise: str = "-") -> Cell:
    return Cell(otherwise, PALE) if length_s is None else Cell(precise(length_s))


def _opens_in(window: Window) -> Cell:
    if window.state == "closed" or window.closes_in_s > 0:
        return Cell(duration(window.closes_in_s), LOUD)
    return Cell(window.state)


_WINDOWS: Final = (
    Column("WINDOWS", lambda window: Cell(window.cause, LOUD), gives_way=True),
    Column("holds", lambda window: Cell(window.scope), NARROW),
    Column("grant", _grant, widest=_GRANT_COLUMNS),
    Column("open in", _opens_in, is_number=True),
    Column("waiting", lambda window: Cell(f"{window.waiting:,}"), NARROW, is_number=True),
    Column("state", lambda window: Cell(window.state), WIDE),
    Column("named by", lambda window: Cell(_NAMED_BY.get(window.source, window.source)), USUAL),
    Column("since", lambda window: Cell(duration(window.opened_ago_s)), WIDE, is_number=True),
    Column("meaning", lambda window: Cell(window.meaning, PALE), WIDEST, gives_way=True),
)


def _waits_for(waiting: Waiting) -> Cell:
    """`in_flight microsoft_concurrency`; `turn` has no name."""
    return Cell(f"{waiting.by} {waiting.name}".rstrip())


_WAITING: Final = (
    Column("WAITING FOR", _waits_for, gives_way=True),
    Column("of", lambda waiting: Cell(waiting.level), USUAL),
    Column("requests", lambda waiting: Cell(f"{waiting.requests:,}", LOUD), is_number=True),
    Column("grants", lambda waiting: Cell(f"{waiting.grants:,}"), USUAL, is_number=True),
    Column("longest", lambda waiting: Cell(precise(waiting.longest_s)), is_number=True),
    Column("next in", lambda waiting: _known(waiting.next_s, otherwise="unknown"), NARROW, is_number=True),
)


def _error_style(failing: Failing) -> str:
    return LOUD if failing.throttles else ALARM


_ERRORS: Final = (
    Column("ERRORS", lambda failing: Cell(failing.cause, _error_style(failing))),
    Column("from", lambda failing: Cell(failing.origin), NARROW),
    Column("per s", lambda failing: Cell(number(failing.per_s)), is_number=True),
    Column("throttling", lambda failing: Cell("yes" if failing.throttles else "no"), WIDE),
    Column("meaning", lambda failing: Cell(failing.meaning, PALE), USUAL, gives_way=True),
)


def _limits(*, ascii_only: bool) -> Sequence[Column]:
    def used(usage: Usage) -> Cell:
        part = usage.used / usage.count if usage.count else 1.0  # of nothing, anything is all
        style = ALARM if part >= 1 else LOUD if part >= _NEARLY_FULL else CALM
        return Cell(f"{bar(part, _BAR_COLUMNS, ascii_only=ascii_only)} {share(part)}", style)

    return (
        Column("LIMITS", lambda usage: Cell(usage.name), gives_way=True),
        Column("used by the fullest", used),
        Column("used", lambda usage: Cell(f"{usage.used:,}"), NARROW, is_number=True),
        Column("of", lambda usage: Cell(f"{usage.count:,}"), NARROW, is_number=True),
        Column("in", lambda usage: Cell(precise(usage.per_s) if usage.per_s > 0 else "flight"), NARROW, is_number=True),
        Column("grant", _grant, USUAL, widest=_GRANT_COLUMNS),
        Column("others", lambda usage: Cell(f"{usage.others:,}"), WIDE, is_number=True),
        Column("unit", lambda usage: Cell(usage.unit), WIDE),
        Column("of each", lambda usage: Cell(usage.level), WIDE),
        Column("family", lambda usage: Cell(usage.family), WIDEST),
    )


def _throttled(grant: Grant) -> Cell:
    return Cell(f"{grant.throttles:,}", LOUD if grant.throttles else CALM)


_GRANTS: Final = (
    Column("GRANTS", _grant, widest=_GRANT_COLUMNS),
    Column("provider", lambda grant: Cell(grant.provider or "-"), NARROW),
    Column("per min", lambda grant: Cell(number(grant.requests_per_min)), is_number=True),
    Column("throttled", _throttled, is_number=True),
    Column("last ago", lambda grant: _known(grant.throttled_ago_s), NARROW, is_number=True),
    Column("window", lambda grant: Cell("open" if grant.closed else "-", LOUD if grant.closed else PALE), USUAL),
    Column("last by", lambda grant: Cell(grant.throttled_by or "-"), USUAL, gives_way=True),
)


def _refused_by(refusal: Refusal) -> Cell:
    return Cell(f"{refusal.by} {refusal.name}".rstrip())


_REFUSALS: Final = (
    Column("REFUSED", lambda refusal: Cell(f"{duration(refusal.ago_s)} ago")),
    Column("times", lambda refusal: Cell(f"{refusal.times:,}"), is_number=True),
    Column("status", lambda refusal: Cell(str(refusal.status)), WIDE),
    Column("by", _refused_by, gives_way=True),
    Column("route", lambda refusal: Cell(refusal.route), USUAL, gives_way=True),
    Column("grant", _grant, USUAL, widest=_GRANT_COLUMNS),
    Column("told to wait", lambda refusal: Cell(duration(refusal.wait_s)), NARROW, is_number=True),
    Column("cause", lambda refusal: Cell(refusal.cause), WIDE, gives_way=True),
    Column("solution", lambda refusal: Cell(refusal.solution, PALE), WIDEST, gives_way=True),
)
