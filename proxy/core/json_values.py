"""JSON as values that survive a round trip: numbers keep the text they came with, and nothing a sender does raises.

`1.10` stays `1.10`, a thousand-digit integer stays one, `1e999` does not become infinity. Duplicate keys: the last one wins. The words
NaN and Infinity, which are no JSON but which many writers emit, become strings. Output is ASCII, so half a surrogate pair passes as it came.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import Final, TypeAlias

EXACT_INTEGER_MAX_CHARS: Final = 18
_WORDS: Final = {None: "null", True: "true", False: "false"}
DEPTH_MAX: Final = 100
"""Levels of nesting that are read; Nylas uses fewer than ten, and every further one is stack."""


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number as its sender wrote it: a fraction, an exponent, or more digits than a machine word holds."""

    text: str


Json: TypeAlias = "bool | int | str | Numeral | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document that could be read; its value may be null."""

    value: Json


def read_json(text: str) -> Parsed | None:
    """Return the value of a JSON document, or None for what is none, or is nested more than `DEPTH_MAX` levels deep."""
    try:
        value = json.loads(text, parse_int=_integer, parse_float=Numeral, parse_constant=str)
    except (ValueError, RecursionError):  # RecursionError: nested deeper than the interpreter's own stack
        return None
    return Parsed(value) if _depth_is_bounded(value) else None


def write_json(value: Json) -> str:
    """Return `value` as ASCII JSON without blanks. `value` is at most a few levels deeper than `DEPTH_MAX`."""
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    if isinstance(value, dict):
        return "{" + ",".join([f"{encode_basestring_ascii(key)}:{write_json(item)}" for key, item in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([write_json(item) for item in value]) + "]"
    if isinstance(value, Numeral):
        return value.text
    return _WORDS[value] if value is None or isinstance(value, bool) else str(value)


def _integer(text: str) -> int | Numeral:
    # int("-0") is 0, and int() refuses or takes quadratic time for thousands of digits.
    return int(text) if len(text) <= EXACT_INTEGER_MAX_CHARS and text != "-0" else Numeral(text)


def _depth_is_bounded(value: Json) -> bool:
    level = [value]
    for _ in range(DEPTH_MAX + 1):
        level = [child for parent in level for child in _children(parent) if isinstance(child, (dict, list))]
        if not level:
            return True
    return False


def _children(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
