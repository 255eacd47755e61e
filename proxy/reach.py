"""How far away a ledger is."""

from __future__ import annotations

from typing import Final, NamedTuple


class Reach(NamedTuple):
    """How far away the ledger is.

    Attributes:
        poll_s: How often to ask again about what others may free without this process hearing of it; None where it hears of everything.
        asks_at_once: How many of one line may ask at the same time: more than one where an answer takes a while.
    """

    poll_s: float | None
    asks_at_once: int


HERE: Final = Reach(None, 1)
