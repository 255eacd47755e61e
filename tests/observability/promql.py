"""As much of PromQL as is needed to take an alert's expression apart, and to see which metrics one names."""

from __future__ import annotations

import re
from typing import Final

_OPERATOR: Final = re.compile(r" (?:and|or|unless)(?: (?:on|ignoring) ?\([^)]*\))? | (?:==|!=|>=|<=|>|<) ")
_QUOTED: Final = re.compile(r'"[^"]*"')
_OPENING, _CLOSING = "([{", ")]}"


def sides(expression: str) -> list[str]:
    """What is compared, and what is joined, each for itself; not what it is compared with."""
    parts = _split(" ".join(expression.split()))
    if len(parts) == 1:
        return [re.sub(r" offset \w+", "", parts[0])]
    return [side for part in parts for side in sides(part) if not re.fullmatch(r"[\d. *]+", side)]


def _split(expression: str) -> list[str]:
    depth, began = 0, 0
    parts: list[str] = []
    for at, character in enumerate(expression):
        depth += (character in _OPENING) - (character in _CLOSING)
        operator = _OPERATOR.match(expression, at) if depth == 0 and at >= began else None
        if operator:
            parts.append(expression[began:at])
            began = operator.end()
    parts.append(expression[began:])
    return [_bare(part.strip()) for part in parts]


def _bare(part: str) -> str:
    """Without parentheses around all of it."""
    depth = 0
    for at, character in enumerate(part):
        depth += (character in _OPENING) - (character in _CLOSING)
        if depth == 0:
            return _bare(part[1:-1].strip()) if part[0] == "(" and at == len(part) - 1 else part
    return part


def metrics_in(expression: str) -> set[str]:
    """Names of metrics: of the proxy, of its process, and recorded ones."""
    return set(re.findall(r"\b(?:[a-z_]+:)?(?:nylas_proxy|process|up\b|python)[a-z_0-9]*(?::[a-z_0-9]+)?", _QUOTED.sub('""', expression)))
