"""Reads the rows of the fact tables strictly: an unknown key or a wrong type is refused with the name of the row."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")


class Row:
    """One row of a fact table, read key by key.

    Args:
        values: The row as TOML gave it.
        label: How error messages name the row.
    """

    def __init__(self, values: Mapping[str, object], label: str) -> None:
        self._values = dict(values)
        self._label = label

    def take(self, key: str, kind: type[T], default: T | None = None) -> T:
        """Return the value of `key` and mark it as read.

        Raises:
            ValueError: The value is missing without a default, or is not of `kind`.
        """
        value = self._values.pop(key, default)
        if isinstance(value, kind):
            return value
        raise ValueError(f"{self._label}: {key} must be of type {kind.__name__}, not {value!r}")

    def take_texts(self, key: str) -> tuple[str, ...]:
        """Return the list of strings under `key`, empty where there is none; ValueError for anything else."""
        values = self.take(key, list, [])
        if not all(isinstance(value, str) for value in values):
            raise ValueError(f"{self._label}: {key} must hold strings, not {values!r}")
        return tuple(values)

    def take_text_table(self, key: str) -> Mapping[str, str]:
        """Return the table of strings under `key`, read-only, empty where there is none; ValueError for anything else, or for an empty string."""
        values = self.take(key, dict, {})
        if not all(isinstance(value, str) and value for value in values.values()):
            raise ValueError(f"{self._label}: {key} must hold non-empty strings, not {values!r}")
        return MappingProxyType(dict(values))

    def has(self, key: str) -> bool:
        """Tell whether `key` was given and not read yet."""
        return key in self._values

    def finish(self) -> None:
        """Refuse keys that nobody read: ValueError."""
        if self._values:
            raise ValueError(f"{self._label}: unknown key {', '.join(sorted(self._values))}")
