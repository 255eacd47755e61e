"""The demo's table: plain text that fits 120 columns, colours only for people who did not ask for none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from proxy.demo.sdk import Crash, OwnError, PoorError, Returned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import TextIO

    from proxy.demo.evidence import Fact
    from proxy.demo.sdk import Outcome

WIDTHS: Final = (32, 38, 46)
HEADINGS: Final = ("what Nylas does", "what the application saw without", "with the proxy")
SCENE_HEADINGS: Final = ("what Nylas counted", "without the proxy", "with the proxy")
RED, GREEN, YELLOW, PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"
FACT_COLOURS: Final = {True: GREEN, False: RED, None: ""}


def wants_colour(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Tell whether to colour: on a terminal, unless NO_COLOR is set (no-color.org)."""
    return stream.isatty() and not environment.get("NO_COLOR")


def said(outcome: Outcome) -> str:
    """Put an outcome into words."""
    match outcome:
        case Returned(summary):
            return summary
        case OwnError(name, status, kind, message):
            return f"{name} {status} {kind}: {message}"
        case PoorError(name, missing):
            return f"{name} without {missing}"
        case Crash(name, message):
            return f"CRASH {name}: {message}"
        case _:
            assert_never(outcome)


def _colour(outcome: Outcome) -> str:
    match outcome:
        case Returned() | OwnError():
            return GREEN
        case PoorError():
            return YELLOW
        case Crash():
            return RED
        case _:
            assert_never(outcome)


def head(headings: Iterable[str] = HEADINGS) -> Iterator[str]:
    """Give a table's first two lines."""
    yield "  ".join(_cell(heading, width) for heading, width in zip(headings, WIDTHS, strict=True)).rstrip()
    yield "  ".join("-" * width for width in WIDTHS)


def row(title: str, outcomes: Iterable[Outcome], *, is_as_promised: bool, colour: bool) -> str:
    """Give the line of one case; one that is not as promised is marked."""
    return _line(title if is_as_promised else f"! {title}", [(said(outcome), _colour(outcome)) for outcome in outcomes], colour=colour)


def fact_row(without: Fact, through: Fact, *, colour: bool) -> str:
    """Give the line of one fact of a scene; one that is not as promised with the proxy is marked."""
    mark = "!" if through.is_good is False else "-"
    return _line(f"{mark} {without.name}", [(fact.text, FACT_COLOURS[fact.is_good]) for fact in (without, through)], colour=colour)


def _line(first: str, others: Iterable[tuple[str, str]], *, colour: bool) -> str:
    """Put cells together; all but the first come with their colours."""
    cells = [_cell(first, WIDTHS[0])]
    for (text, shade), width in zip(others, WIDTHS[1:], strict=True):
        cell = _cell(text, width)
        cells.append(f"{shade}{cell}{PLAIN}" if colour and shade else cell)
    return "  ".join(cells).rstrip()


def _cell(text: str, width: int) -> str:
    """Give one line of exactly `width` characters; a longer text ends in dots."""
    line = " ".join(text.split())
    return line.ljust(width) if len(line) <= width else f"{line[: width - 3]}..."
