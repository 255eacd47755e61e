"""How many repetitions there may be in all: a share of the traffic, so that an outage is not answered with a multiple of the usual load.

Each first attempt pays in a fraction of a token, each repetition takes one. A token a second comes for nothing, since the share of a quiet proxy's
traffic would never let it repeat anything. Every `now_s` is of a clock that does not step back.
"""

from __future__ import annotations

from typing import Final

FREE_PER_S: Final = 1.0
CAP: Final = 100.0


class RetryBudget:
    """The tokens of one process. It begins full: a process that repeats a hundred requests once does no harm.

    Args:
        ratio: Tokens for each first attempt, 0.1 for a tenth of the traffic.
        now_s: The time.

    Attributes:
        ratio: As given; may be changed at any time.
    """

    __slots__ = ("_seen_s", "_tokens", "ratio")

    def __init__(self, ratio: float, now_s: float) -> None:
        self.ratio = ratio
        self._tokens = CAP
        self._seen_s = now_s

    def deposit(self) -> None:
        """Count a first attempt."""
        self._tokens += self.ratio

    def has_token(self, now_s: float) -> bool:
        """Tell whether one more repetition may be made."""
        self._advance(now_s)
        return self._tokens >= 1

    def withdraw(self) -> None:
        """Count a repetition that `has_token` has just allowed."""
        self._tokens -= 1

    def share_left(self, now_s: float) -> float:
        """Return how full the budget is, 0 to 1."""
        self._advance(now_s)
        return max(0.0, self._tokens / CAP)

    def _advance(self, now_s: float) -> None:
        self._tokens = min(CAP, self._tokens + (now_s - self._seen_s) * FREE_PER_S)
        self._seen_s = now_s
