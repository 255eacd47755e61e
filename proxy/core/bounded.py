"""Tables that many mailboxes pass through, and that must not grow with them."""

from __future__ import annotations

from itertools import islice
from typing import Any


def forget_oldest(table: dict[Any, Any], at_most: int) -> None:
    """Forget what has stood the longest in a table of more than `at_most`: a tenth of it at once, which costs little per key."""
    if len(table) > at_most:
        for key in list(islice(table, len(table) - at_most + at_most // 10)):
            del table[key]
