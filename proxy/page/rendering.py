"""A `Status` as HTML, section by section: the one way in which it becomes a page, with JavaScript and without.

Making a `Rendering` loads Jinja2 and compiles the templates, which takes a tenth of a second and 2 MB: nobody who is not looking pays it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proxy.page import words
from proxy.page.figures import count, duration, number, precise
from proxy.page.finding import Figure, Until
from proxy.page.sparkline import outline, spoken
from proxy.page.tiles import tiles
from proxy.page.verdict import findings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

    from proxy.telemetry.status import Status, Waiting, Window

TITLES: Final[Mapping[str, str]] = {
    "numbers": "Now",
    "windows": "Throttle windows",
    "waiting": "What waits",
    "errors": "Errors by cause",
    "limits": "Limits in use",
    "grants": "Mailboxes",
    "refusals": "Refused by this proxy",
    "settings": "Settings",
}
"""Those with a heading, in the order of the page."""

SECTIONS: Final = ("clock", "verdict", *TITLES)

_RUNNING: Final = re.compile(r"(<time [^>]*data-(?:until|since)=[^>]*>)[^<]*")


def standing(html: str) -> str:
    """Return a section without the texts that a browser keeps running by itself: what must differ for it to be sent again."""
    return _RUNNING.sub(r"\1", html)


class Rendering:
    """The templates, ready for use."""

    def __init__(self) -> None:
        environment = _environment()
        self._page = environment.get_template("page.html")
        self._sections = {name: environment.get_template(f"{name}.html") for name in SECTIONS}

    def section(self, name: str, status: Status) -> str:
        """Return the inside of a section."""
        made = {"findings": findings(status)} if name == "verdict" else {"tiles": tiles(status)} if name == "numbers" else {}
        return self._sections[name].render(status=status, **made)

    def page(self, sections: Mapping[str, str]) -> str:
        """Return the whole page around its sections."""
        return self._page.render(sections=sections, titles=TITLES)


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  nobody who is not looking pays for it

    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, auto_reload=False
    )
    made.filters |= {function.__name__: function for function in (duration, number, precise, outline, spoken)}
    made.filters |= {function.__name__: function for function in (words.word, words.filled, words.fullness, words.measure)}
    made.filters |= {"count": count, "moment": _moment, "left": _left, "whose": _whose}
    made.tests |= {"figure": lambda part: isinstance(part, Figure), "ahead": lambda part: isinstance(part, Until)}
    made.globals |= {name.lower(): table for name, table in vars(words).items() if name.isupper() and not name.startswith("_")}
    return made



def _moment(since_1970_s: float) -> str:
    return datetime.fromtimestamp(since_1970_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _left(window: Window) -> float:
    """Return what is left of a window, 0 to 1."""
    return min(1.0, window.closes_in_s / window.length_s) if window.length_s > 0 else 1.0


def _whose(line: Waiting) -> str:
    """Say of whom requests wait: `of 3 mailboxes`."""
    one, more = words.LEVELS.get(line.level, (line.level, ""))
    return f"of {count(line.grants, one, more)}"
