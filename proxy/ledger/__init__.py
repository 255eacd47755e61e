"""Who may go, how long others wait: the limits, the places in flight and the throttle windows, within this process or shared by several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from proxy.core.book import Admitted, Book, Held, Receipt
    from proxy.core.quota import Ask, Claim
    from proxy.core.window import Opening


class LedgerAwayError(Exception):
    """The ledger is away, and nothing may go without it."""


class Ledger(Protocol):
    """What the pipeline needs of a ledger. Only `admit` and `announced` may wait for anybody; the rest takes effect for this process at once.

    Attributes:
        book: What this process knows: to be looked at, never changed.
    """

    book: Book

    async def admit(self, ask: Ask) -> Admitted | Held:
        """Book all that is asked, or nothing."""

    def settle(self, receipt: Receipt, cost: int) -> None:
        """Correct an estimate, once."""

    def move(self, receipt: Receipt) -> Receipt:
        """Book a charge again now, when its request really left; the receipt returned counts from then on."""

    def renew(self, ask: Ask) -> None:
        """Keep the places in flight for longer."""

    def release(self, ask: Ask) -> None:
        """Give the places in flight back; harmless where there are none."""

    def open_window(self, scope: str, opening: Opening, application: str = "") -> int:
        """Take in a throttling answer; returns for how many microseconds the scope is closed now.

        `application` says whose the scope is, where nobody may have asked for it yet.
        """

    def sweep(self) -> None:
        """Forget what holds nothing back any more; to be called every second or so."""

    async def announced(self) -> None:
        """Return when the windows opened here so far are known to all who share the ledger, or nobody can tell them. Never raises."""

    def end_probe(self, scope: str, lease_id: str, *, succeeded: bool) -> None:
        """Take in what a probe has brought."""

    def forecast_us(self, claim: Claim, units: int) -> int:
        """Return how many microseconds it takes until the last of `units` that queue for a limit has its turn, as far as this process knows."""

    def lets_pass(self, claim: Claim, before: int, within_us: int) -> bool:
        """Tell whether a claim fits now, and `before` units of its limit would fit within `within_us` all the same, as far as this process knows."""
