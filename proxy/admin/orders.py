"""What an operator can order, read from bodies of requests. What is wrong is told by its name and by what is allowed, never with the value."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar, get_type_hints

import msgspec
from msgspec import Meta, Struct

from proxy.settings.checks import CHECKS
from proxy.settings.fields import Field, did_you_mean, field_of, nearest_names, printable

_HASH: Final = re.compile(r"[0-9a-fA-F]{32}")
_TELLABLE: Final = re.compile(r"[a-z_]{1,32}")
_KINDS: Final = {type(None): "null", bool: "true or false", int: "a number", float: "a number", str: "text", list: "an array"}
_SCOPE: Final = Meta(
    description='"grant" (all that is asked of it), "sends" (of a grant) or "application"',
    extra={"choices": ("grant", "sends", "application")},
)

Level = Literal["debug", "info", "warning", "error"]
_Seconds = Annotated[int, Meta(ge=1, le=86400, description="a whole number of seconds from 1 to 86400")]
_Grant = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=320,
        description="the id or the address of a grant, or its hash as on the status page, at most 320 characters",
        extra={"check": "grant"},
    ),
]
_Application = Annotated[str, Meta(pattern=r"^[0-9a-fA-F]{32}\Z", description="the hash of an application as on the status page, 32 hex digits")]


class CloseGrant(Struct, frozen=True, forbid_unknown_fields=True):
    """Admit nothing of a grant, or none of its sends.

    Attributes:
        scope: `grant` or `sends`.
        grant: Its id or address, or its keyed hash: see `grant_hash`.
        seconds: For at least so long.
    """

    scope: Annotated[Literal["grant", "sends"], _SCOPE]
    grant: _Grant
    seconds: _Seconds

    @property
    def grant_hash(self) -> str:
        """The keyed hash in lower case, or empty where an id (which has dashes or fewer characters) or an address names the grant."""
        return self.grant.lower() if _HASH.fullmatch(self.grant) else ""

    def __repr__(self) -> str:
        return f"CloseGrant(scope={self.scope!r}, seconds={self.seconds}, ...)"


class CloseApplication(Struct, frozen=True, forbid_unknown_fields=True):
    """Admit nothing of an application.

    Attributes:
        scope: `application`.
        seconds: For at least so long.
        application: Its keyed hash; empty where there is one alone.
    """

    scope: Annotated[Literal["application"], _SCOPE]
    seconds: _Seconds
    application: _Application = ""


Closing = CloseGrant | CloseApplication


class SetLevel(Struct, frozen=True, forbid_unknown_fields=True):
    """Write lines of this level and above."""

    level: Level


class Bare(Struct, frozen=True, forbid_unknown_fields=True):
    """An order of which nothing more is to be said."""


class Mistaken(NamedTuple):
    """A body is no such order.

    Attributes:
        what: All that is wrong.
    """

    what: str


Order = TypeVar("Order", bound=Struct)


def read_closing(body: bytes) -> Closing | Mistaken:
    """Read what is to be closed."""
    told = _object(body)
    if isinstance(told, Mistaken):
        return told
    # Of a scope that is wrong, nothing more is said: what else is needed depends on it.
    if what := _of_field("scope", told, field_of(Annotated[Literal["grant", "sends", "application"], _SCOPE])):
        return Mistaken(what)
    if told["scope"] == "application":
        return _order(told, CloseApplication)
    return _order(told, CloseGrant)


def read_level(body: bytes) -> SetLevel | Mistaken:
    """Read a level of the log."""
    told = _object(body)
    return told if isinstance(told, Mistaken) else _order(told, SetLevel)


def read_bare(body: bytes) -> Bare | Mistaken:
    """Read an order without anything to it: an empty body, or an empty object."""
    told = _object(body or b"{}")
    return told if isinstance(told, Mistaken) else _order(told, Bare)


def _object(body: bytes) -> dict[str, Any] | Mistaken:
    try:
        told = msgspec.json.decode(body)
    except (ValueError, RecursionError):  # of msgspec and of UTF-8; of what is nested too deep
        return Mistaken(f"the body is {'no JSON' if body else 'empty'}; allowed a JSON object in UTF-8")
    return told if isinstance(told, dict) else Mistaken(f"the body is {_KINDS[type(told)]}; allowed a JSON object")


def _order(told: dict[str, Any], kind: type[Order]) -> Order | Mistaken:
    """Convert what was told, or name all that is wrong, in the order in which the fields are described."""
    fields = {name: field_of(annotation) for name, annotation in get_type_hints(kind, include_extras=True).items()}
    needed = {field.name for field in msgspec.structs.fields(kind) if field.required}
    found = [_of_field(name, told, field) for name, field in fields.items() if name in told or name in needed]
    found += [_of_unknown(name, list(fields)) for name in told if name not in fields]
    wrong = [what for what in found if what]
    return Mistaken(". ".join(wrong)) if wrong else msgspec.convert(told, kind)


def _of_field(name: str, told: dict[str, Any], field: Field) -> str:
    """Say what is wrong with a field, if anything."""
    if name not in told:
        return f"{name}: is missing; allowed {field.allowed}"
    value = told[name]
    what: str | None = None
    hint = ""
    try:
        msgspec.convert(value, field.type)
    except msgspec.ValidationError:
        what = f"got {_KINDS.get(type(value), 'an object')}"
        hint = did_you_mean(nearest_names(value, field.choices)) if isinstance(value, str) else ""
    else:
        if isinstance(value, str) and printable(value) != value:
            what = "holds a control character"
        elif field.check:
            what = CHECKS[field.check](value)
    return f"{name}: {what}; allowed {field.allowed}{hint}" if what else ""


def _of_unknown(name: str, known: list[str]) -> str:
    # What looks like no name of a field may be an address that has slipped into its place.
    shown = name if _TELLABLE.fullmatch(name) else "a name that is not shown"
    return f"{shown}: unknown field; allowed {', '.join(known) or 'none'}{did_you_mean(nearest_names(name, known))}"
