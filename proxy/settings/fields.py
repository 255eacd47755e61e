"""What there is to know about each setting, taken from the annotations of its values, and how mistakes speak of names and values."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from proxy.settings.values import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from msgspec import Meta

VARIABLE_PREFIX: Final = "NYLAS_PROXY__"
_SHOWN_MAX_CHARS: Final = 60
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_KINDS: Final = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "an array", dict: "a table"}

Name = tuple[str, str]
"""Section and key."""


class Field(NamedTuple):
    """One setting.

    Attributes:
        type: Its annotation, bounds included.
        allowed: What a value may be, in words.
        choices: The values, where they are a closed set of texts.
        check: The name of a further check in `proxy.settings.checks`, or empty.
        secret: The value may hold a password or a token.
        rules: Of a table, which only the file can hold: the name of what must hold inside it, in `proxy.settings.tables`. Where there are `choices`
            as well, the setting is one of them or a table.
    """

    type: Any
    allowed: str
    choices: tuple[str, ...] = ()
    check: str = ""
    secret: bool = False
    rules: str = ""


def field_of(annotation: object) -> Field:
    """Return what an annotation says."""
    if get_origin(annotation) is Literal:
        choices = get_args(annotation)
        return Field(annotation, ", ".join(f'"{choice}"' for choice in choices), choices)
    meta: Meta = get_args(annotation)[1]
    extra = meta.extra or {}
    return Field(
        annotation,
        meta.description or "",
        choices=extra.get("choices", ()),
        check=extra.get("check", ""),
        secret=extra.get("secret", False),
        rules=extra.get("rules", ""),
    )


SECTIONS: Final[dict[str, Any]] = get_type_hints(Settings)
FIELDS: Final = {
    (section, key): field_of(annotation)
    for section, struct in SECTIONS.items()
    for key, annotation in get_type_hints(struct, include_extras=True).items()
}
TABLES: Final = [name for name, field in FIELDS.items() if field.rules and not field.choices]
VARIABLES: Final = {f"{VARIABLE_PREFIX}{section}__{key}".upper(): (section, key) for section, key in FIELDS}


def printable(text: str) -> str:
    """Return `text` if it can stand on a line of a terminal, else with everything escaped that cannot."""
    return text if text.isprintable() else ascii(text)[1:-1]


def dotted(keys: Iterable[str]) -> str:
    """Write the way to a key as TOML does: `providers.known."ann@example.com"`."""
    return ".".join(key if _BARE_KEY.fullmatch(key) else printable(msgspec.json.encode(key).decode()) for key in keys)


def kind_of(value: object) -> str:
    """Name the kind of a value that tomllib gave."""
    return _KINDS.get(type(value), "a date or time")


def shown(value: object) -> str:
    """Write a value as TOML does, shortened; arrays, tables and endless numbers by their kind."""
    match value:
        case bool():
            return str(value).lower()
        case float():
            return repr(value)
        case int() if abs(value) < 2**64:
            return str(value)
        case str():
            return f'"{value[:_SHOWN_MAX_CHARS]}"'
        case _:
            return kind_of(value)


def nearest_names(wrong: str, names: Iterable[str]) -> list[str]:
    """Return the one of `names` that `wrong` is a slip of, as a list of none or one."""
    return difflib.get_close_matches(wrong, names, n=1)


def did_you_mean(names: list[str]) -> str:
    """Return `; did you mean 'x'?` with the first of `names`, or nothing."""
    return f"; did you mean '{names[0]}'?" if names else ""
