"""A TOML file and the line of each of its keys: tomllib does not tell lines, and a mistake without one is hard to find.

The scan for lines reads texts that tomllib has accepted (TOML 1.0, https://toml.io/en/v1.0.0; inline tables over several lines as in 1.1, which
the tomllib of a later Python may take) and checks nothing again. Keys inside arrays have no line of their own: no setting stands there.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

Keys = tuple[str, ...]
"""The way to a key from the top: `("listen", "port")`."""

_TOKEN: Final = re.compile(
    r'''
      (?P<skipped> [ \t\r]+ | \#[^\n]* )
    | """ (?: [^\\] | \\. )*? "{3,5}   # up to two quotes may stand right before the closing three
    | \'\'\' .*? \'{3,5}
    | " (?: [^"\\] | \\. )* "
    | ' [^']* '
    | [\[\]{}=,.\n]
    | [^\s\[\]{}=,.\#"']+
    ''',
    re.VERBOSE | re.DOTALL,
)


class _Token(NamedTuple):
    """A word or mark as written, and the line that it begins on; the empty text stands for the end."""

    text: str
    line: int


class TomlFile(NamedTuple):
    """What a file holds, and the line, from 1, on which each key and table is first named."""

    document: dict[str, Any]
    lines: dict[Keys, int]


def read_toml(path: Path) -> TomlFile | str:
    """Read a file, or tell what is wrong with it, in words that continue the file's name."""
    try:
        text = path.read_bytes().decode()
    except OSError as failed:
        return f": cannot be read ({failed.strerror})"
    except UnicodeDecodeError as failed:
        line = 1 + failed.object.count(b"\n", 0, failed.start)
        return f":{line}: not valid TOML: the text is not UTF-8"
    except ValueError:
        return ": is no name of a file"  # it holds a NUL
    return parse_toml(text)


def parse_toml(text: str) -> TomlFile | str:
    """Parse a text, or tell what is wrong with it, in words that continue its file's name."""
    try:
        return TomlFile(tomllib.loads(text), key_lines(text))
    except tomllib.TOMLDecodeError as failed:
        return _syntax_mistake(str(failed), last_line=1 + text.count("\n"))
    except (ValueError, RecursionError):
        return ": cannot be read as TOML"  # a number of thousands of digits, hundreds of arrays in arrays


def _syntax_mistake(message: str, last_line: int) -> str:
    """Turn tomllib's `Invalid value (at line 3, column 7)` into `:3:7: not valid TOML: Invalid value`."""
    what, _, where = message.rpartition(" (at ")
    if match := re.fullmatch(r"line (\d+), column (\d+)\)", where):
        return f":{match[1]}:{match[2]}: not valid TOML: {what}"
    return f":{last_line}: not valid TOML: {what} at the end of the file"


def key_lines(text: str) -> dict[Keys, int]:
    """Map the path of every key and table of `text` to the line, from 1, on which it is first named.

    Args:
        text: Valid TOML; any other text gives a result of no meaning, never an error.
    """
    walk = _Walk(_tokens(text))
    walk.document()
    return walk.lines


def _tokens(text: str) -> list[_Token]:
    """Cut `text` into words and marks, without blanks and comments."""
    tokens, line = [], 1
    for match in _TOKEN.finditer(text):
        if not match["skipped"]:
            tokens.append(_Token(match[0], line))
        line += match[0].count("\n")
    return [*tokens, _Token("", line)]


def _unquoted(word: str) -> str:
    """Return the name that a part of a key stands for, without quotes and escapes."""
    if not word.startswith('"'):
        return word.strip("'")
    try:
        return str(tomllib.loads(f"key = {word}")["key"])
    except tomllib.TOMLDecodeError:
        return word


class _Walk:
    """One pass over the tokens of a document that notes where its keys stand."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.lines: dict[Keys, int] = {}
        self._tokens = tokens
        self._at = 0

    def document(self) -> None:
        table: Keys = ()
        while self._next.text:
            if self._next.text == "\n":
                self._take()
            elif self._next.text == "[":
                table = self._header()
            else:
                self._pair(table)

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> str:
        """Step over one token, but never over the end."""
        token = self._next
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token.text

    def _header(self) -> Keys:
        """`[a.b]` or `[[a.b]]`."""
        while self._next.text == "[":
            self._take()
        path = self._key(())
        while self._next.text == "]":
            self._take()
        return path

    def _key(self, base: Keys) -> Keys:
        """Read `a."b".c` up to what ends it, and note it and the tables that it implies."""
        line, path = self._next.line, base
        while self._next.text not in {"=", "]", ""}:
            word = self._take()
            if word != ".":
                path = (*path, _unquoted(word))
                self.lines.setdefault(path, line)
        return path

    def _pair(self, base: Keys) -> None:
        """`key = value`."""
        path = self._key(base)
        self._take()
        if self._next.text == "{":
            self._inline_table(path)
        elif self._next.text == "[":
            self._array()
        else:
            self._until({"\n", ",", "}"})

    def _inline_table(self, path: Keys) -> None:
        self._take()
        while self._next.text not in {"}", ""}:
            if self._next.text in {",", "\n"}:
                self._take()
            else:
                self._pair(path)
        self._take()

    def _array(self) -> None:
        """Step over an array and all that it holds."""
        depth = 0
        while self._next.text:
            depth += {"[": 1, "]": -1}.get(self._take(), 0)
            if not depth:
                return

    def _until(self, ends: set[str]) -> None:
        while self._next.text not in ends | {""}:
            self._take()
