"""Reading header fields: names in any case, lines that repeat (RFC 9110 5.2, 5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.core.model import Fields


def first_value(fields: Fields, name: bytes) -> str | None:
    """Return the value of the first line called `name` (given in lower case), trimmed, with unreadable bytes replaced; None where there is none."""
    for key, value in fields:
        if key.lower() == name:
            return value.decode("ascii", "replace").strip()
    return None


def elements(fields: Fields, name: bytes) -> tuple[str, ...]:
    """Return the non-empty elements of a list field over all its lines (RFC 9110 5.6.1), in lower case."""
    lines = [value.decode("ascii", "replace") for key, value in fields if key.lower() == name]
    parts = [part.strip().lower() for part in ",".join(lines).split(",")]
    return tuple(part for part in parts if part)
