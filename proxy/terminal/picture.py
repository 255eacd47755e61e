"""The picture of a proxy that an operator sees on a terminal, as wide and as high as that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rich.table import Table
from rich.text import Text

from proxy.page.figures import duration, number
from proxy.terminal.drawings import sparkline
from proxy.terminal.fitting import FRAME_LINES, allotted
from proxy.terminal.heading import identity, machinery, traffic, verdicts
from proxy.terminal.sections import PALE, WIDEST, sections_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType

    from proxy.telemetry.status import Status
    from proxy.terminal.sections import Cell, Column, Section

_GAP: Final = 3
_HISTORY_COLUMNS: Final = 60
_LOST: Final = "bold reverse"
_VERDICTS: Final = 3
_LOW: Final = 24
"""On a terminal of no more lines one sentence has to do, or the tables would have no room."""


class Lost(NamedTuple):
    """The proxy has stopped answering.

    Attributes:
        reason: In words that continue its URL.
        since_s: For how long.
    """

    reason: str
    since_s: float


class Picture(NamedTuple):
    """What is drawn.

    Attributes:
        status: All its texts printable.
        url: Whose it is.
        lost: It is the last that was heard.
    """

    status: Status
    url: str
    lost: Lost | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Draw all of it, or of the most important what fits, where the height is given."""
        width, height = options.max_width, options.height
        head = [line for whole in self._head(width, height, ascii_only=options.ascii_only) for line in whole.wrap(console, width)]
        foot = [Text(), *_packed(machinery(self.status), width)]
        sections = sections_of(self.status, ascii_only=options.ascii_only)
        if height is not None:
            head = head[: max(height - bool(sections), 1)]
        given = _given(sections, None if height is None else height - len(head))
        yield from head
        for section, lines in zip(sections, given, strict=True):
            if lines:
                yield from _drawn(section, lines, width)
        if left_out := [section.name for section, lines in zip(sections, given, strict=True) if not lines]:
            yield _one_line(f"no room for {', '.join(left_out)}", PALE)
        elif height is None or len(head) + sum(given) + FRAME_LINES * len(given) + len(foot) <= height:
            yield from foot

    def _head(self, width: int, height: int | None, *, ascii_only: bool) -> Iterator[Text]:
        """Yield the lines above the tables; those of sentences may be longer than the terminal is wide."""
        yield from _packed(identity(self.status, self.url), width)
        if self.lost:
            yield Text(f"{self.url} {self.lost.reason}, for {duration(self.lost.since_s)} now. Below is what it told last.", _LOST)
        most = None if height is None else _VERDICTS if height > _LOW else 1
        yield from (Text(cell.text, cell.style) for cell in verdicts(self.status)[:most])
        passing = f"{number(self.status.traffic.requests_per_s)} requests/s"
        drawn = sparkline(self.status.traffic.history, min(width - len(passing) - _GAP, _HISTORY_COLUMNS), ascii_only=ascii_only)
        yield _one_line(f"{passing}{' ' * _GAP}{drawn}")
        yield from _packed(traffic(self.status), width)


def _given(sections: Sequence[Section], lines: int | None) -> list[int]:
    """Allot `lines` to the rows of sections, less one that says which have no room if there are any; None gives all that they want."""
    wanted = [len(section.rows) + (section.total > len(section.rows)) for section in sections]
    if lines is None:
        return wanted
    given = allotted(wanted, lines)
    return given if all(given) else allotted(wanted, lines - 1)


def _packed(cells: Sequence[Cell], width: int) -> Iterator[Text]:
    """Put as many items on each line as it has room for; one that is too long by itself is cut."""
    line = _one_line("")
    for cell in cells:
        item = _one_line(cell.text, cell.style)
        if line and line.cell_len + _GAP + item.cell_len > width:
            yield line
            line = _one_line("")
        line = line.append(" " * _GAP if line else "").append_text(item)
    yield line


def _drawn(section: Section, lines: int, width: int) -> Iterator[RenderableType]:
    """Yield a section that takes a blank line, its head and `lines` more."""
    shown = section.rows if section.total <= lines else section.rows[: lines - 1]
    columns = [column for column in section.columns if column.from_width <= width]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    for place, column in enumerate(columns):
        _add(table, column, width, is_first=place == 0)
    for row in shown:
        table.add_row(*(_one_line(cell.text, cell.style) for cell in (column.cell(row) for column in columns)))
    yield Text()
    yield table
    if len(shown) < section.total:
        yield _one_line(f"and {section.total - len(shown):,} more", PALE)


def _add(table: Table, column: Column, width: int, *, is_first: bool) -> None:
    table.add_column(
        _one_line(column.title, "bold" if is_first else PALE),
        justify="right" if column.is_number else "left",
        # Those that may wrap are the first to be made narrower; that they never do is up to the texts.
        no_wrap=not column.gives_way,
        max_width=column.widest if column.widest and width < WIDEST else None,
    )


def _one_line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis", end="\n")
