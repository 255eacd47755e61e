"""The words of an HTML or XML page: what a developer would read in a browser, on one line."""

from __future__ import annotations

import html
import re
from typing import Final

_SILENT: Final = ("script", "style")
_NAME: Final = re.compile(r"/?[a-z][a-z0-9:-]*", re.IGNORECASE)


def visible_text(markup: str) -> str:
    """Return the text between the tags, without scripts and styles, entities resolved, blanks collapsed.

    One pass without backtracking: error pages of any size and malice take time in proportion to their length.
    """
    head, *pieces = markup.split("<")
    words = [head]
    silent = ""
    for piece in pieces:
        inside, closed, after = piece.partition(">")
        name = _tag_name(inside)
        if silent:
            if name != "/" + silent:
                continue
            silent = ""
        elif name in _SILENT and not inside.endswith("/"):
            silent = name
            continue
        words.append(after if closed and (name or inside[:1] in "!?") else "<" + piece)
    return one_line(html.unescape(" ".join(words)))


def one_line(text: str) -> str:
    """Return `text` with runs of blanks and control characters reduced to single blanks, trimmed."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _tag_name(inside: str) -> str:
    found = _NAME.match(inside)
    return found.group().lower() if found else ""
