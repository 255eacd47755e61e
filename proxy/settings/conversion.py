"""From what tomllib or the environment gave to a value in its setting's type, or to what is wrong with it."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from proxy.settings.checks import CHECKS
from proxy.settings.fields import Field, did_you_mean, kind_of, nearest_names, printable, shown
from proxy.settings.kinds import Switch

CONTROL: Final = "holds a control character or a byte that is not UTF-8"


class Wrong(NamedTuple):
    """A value cannot be used, for reasons that continue its name."""

    what: str


def converted(value: object, field: Field, *, is_text: bool) -> object:
    """Return `value` in the type of `field`, or `Wrong`.

    Args:
        value: As given.
        field: What it is meant for.
        is_text: Numbers and switches are written as text, as in the environment.
    """
    allowed = f"; allowed {field.allowed}"
    if isinstance(value, str) and printable(value) != value:
        return Wrong(f"{CONTROL}{allowed}")
    if is_text and isinstance(value, str) and field.type == Switch:
        value = {"yes": True, "no": False}.get(value.lower(), value)
    try:
        right = msgspec.convert(value, field.type, strict=not is_text)
    except msgspec.ValidationError:
        hint = did_you_mean(nearest_names(value, field.choices)) if isinstance(value, str) else ""
        return Wrong(f"got {kind_of(value) if field.secret else shown(value)}{allowed}{hint}")
    what = CHECKS[field.check](right) if field.check and right else None
    return Wrong(what + allowed) if what else right
