"""What is told about each cause, read from `facts/causes.toml`."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from proxy.core.model import Cause, CauseText
from proxy.core.rows import Row

if TYPE_CHECKING:
    from collections.abc import Mapping


def cause_texts(tables: Mapping[str, Mapping[str, object]]) -> Mapping[Cause, CauseText]:
    """Return the text of every cause.

    Args:
        tables: A table for each cause, under its name, with the fields of `CauseText`.

    Raises:
        ValueError: A cause has no table, a table belongs to no cause, or a key is missing, misspelt or of the wrong type.
    """
    missing = sorted(cause for cause in Cause if cause not in tables)
    if missing:
        raise ValueError(f"causes: no text for {', '.join(missing)}")
    return MappingProxyType({Cause(name): _text(name, values) for name, values in tables.items()})


def _text(name: str, values: Mapping[str, object]) -> CauseText:
    row = Row(values, f"cause {name!r}")
    text = CauseText(
        meaning=row.take("meaning", str),
        reason=row.take("reason", str),
        solution=row.take("solution", str),
        handling=row.take("handling", str),
        retryable=row.take("retryable", bool),
        status=row.take("status", int) if row.has("status") else None,
    )
    row.finish()
    return text
