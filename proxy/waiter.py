"""One request that waits, and in which line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from proxy.core.book import Held
    from proxy.core.quota import Ask

LineKey = tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]


class Waiter:
    """One request that waits.

    Attributes:
        ask: What it asks.
        began_at: Since when it waits, in the loop's time.
        deadline: When its patience ends, in the loop's time.
        line: Where it stands.
        row: The key of what holds it, once it is the head of its line; or empty.
        held: What the ledger last said to it, or to the one whose place it took; None when it is to ask.
        last_held: The same, kept when it is to ask.
        behind: What held those before it in its line, as far as it was not held itself.
        until: When that is worth another question.
        latest_at: By when it must go although others go ahead of it; None where nobody may.
        asked_at: When it asked the ledger last.
        follows: It is to ask although another one of its line stands first.
        is_called: Something has changed since it asked last.
        call: What to wake it by.
    """

    __slots__ = (
        "ask", "asked_at", "began_at", "behind", "call", "deadline", "follows", "held", "is_called",
        "last_held", "latest_at", "line", "row", "until",
    )  # fmt: skip

    def __init__(self, ask: Ask, began_at: float, deadline: float) -> None:
        self.ask = ask
        self.began_at = began_at
        self.deadline = deadline
        self.line = line_key(ask)
        self.row = ""
        self.held: Held | None = None
        self.last_held: Held | None = None
        self.behind: Held | None = None
        self.until = 0.0
        self.latest_at: float | None = None
        self.asked_at = 0.0
        self.follows = False
        self.is_called = False
        self.call: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Let it ask, once more where it is being answered."""
        self.held = None
        self.is_called = True
        self.look()

    def follow(self) -> None:
        """Let it ask behind the first of its line, unless it does."""
        self.follows |= self.look()

    def look(self) -> bool:
        """Let it look whether anything has changed for it; tell whether it was waiting for that."""
        if self.call is None or self.call.done():
            return False
        self.call.set_result(None)
        return True


def line_key(ask: Ask) -> LineKey:
    """Return what requests must share to stand in one line."""
    return ask.subject, tuple(claim.key for claim in ask.claims), tuple(cap.key for cap in ask.caps), ask.scopes
