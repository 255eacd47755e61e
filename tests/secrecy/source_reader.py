"""Reads the tests' own sources: which tokens, addresses and texts of mails they write out."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_AUTHORIZATION: Final = re.compile(r"(?:Bearer|Basic) +(\w[^\s={]*=*)\r?$", re.MULTILINE)
_ADDRESS: Final = re.compile(r"\w[\w.+%-]*@\w[\w.-]*")
_URL: Final = re.compile(r"\w+://\S*")
_TOKEN_NAME: Final = re.compile(r"(?i)(?:^|_)(?:token|api_key|client_secret|password)$")
_MAIL_KEYS: Final = frozenset({"subject", "body"})


def secrets_in(source: str) -> Iterator[tuple[int, str]]:
    """Give what a source writes out that looks like a secret, and in which line."""
    tree = ast.parse(source)
    prose = set(map(id, _docstrings(tree)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in prose:
            text = _text(node) or ""
            yield from ((node.lineno, found) for found in _AUTHORIZATION.findall(text))
            yield from ((node.lineno, found) for found in _ADDRESS.findall(_URL.sub("", text)))
        for name, value in _named(node):
            text = _text(value) or ""
            if text and (_is_token(name, text) or (name in _MAIL_KEYS and isinstance(node, ast.Dict))):
                yield value.lineno, text


def _is_token(name: str, text: str) -> bool:
    return _TOKEN_NAME.search(name) is not None and text[0].isalnum() and " " not in text


def _named(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Give what gets a name here: by assignment, as an argument, or in a dictionary."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) | ast.keyword(arg=str(name), value=value):
            yield name, value
        case ast.Dict(keys=keys, values=values):
            yield from ((_text(key) or "", value) for key, value in zip(keys, values, strict=True) if key is not None)


def _text(value: ast.expr) -> str | None:
    """Return a literal's text, with a digit for each part of an f-string that is not known."""
    match value:
        case ast.Constant(value=str(text)):
            return text
        case ast.Constant(value=bytes(data)):
            return data.decode(errors="replace")
        case ast.JoinedStr(values=parts):
            return "".join(_text(part) or "" if isinstance(part, ast.Constant) else "1" for part in parts)
    return None


def _docstrings(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            yield node.value
