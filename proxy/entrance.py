"""What a request hears that gets through the turnstile, and how many may stand before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from proxy.core.book import Admitted, Held


class Entered(NamedTuple):
    """Go.

    Attributes:
        admitted: What was booked.
        waited_s: How long that took.
        asked_at: When the ledger was asked, in the loop's time: it was not booked earlier.
        held: What held it meanwhile, as far as known.
    """

    admitted: Admitted
    waited_s: float
    asked_at: float
    held: Held | None = None


class Room(NamedTuple):
    """How much waits, or may: requests, and bytes of their bodies."""

    requests: int
    body_bytes: int
