"""How late the event loop runs what is due: when it is late, every request is."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

EVERY_S: Final = 0.25
KEPT_S: Final = 10.0


class LoopLag:
    """Looks four times a second, by a timer alone.

    Args:
        observe: Is told each time how late the loop was, in seconds.
    """

    def __init__(self, observe: Callable[[float], None]) -> None:
        self._observe = observe
        self._seen: deque[tuple[float, float]] = deque(maxlen=int(KEPT_S / EVERY_S) + 1)
        self._timer: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look from now on."""
        self.stop()
        self._look_later(loop)

    def stop(self) -> None:
        """Look no more; what was seen stays known."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def worst_s(self, now: float) -> float:
        """Return how late it was at worst in the ten seconds until `now`, in seconds; `now` is the loop's time."""
        return max((late_s for seen_at, late_s in self._seen if seen_at >= now - KEPT_S), default=0.0)

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        due_at = loop.time() + EVERY_S
        self._timer = loop.call_at(due_at, self._look, loop, due_at)

    def _look(self, loop: asyncio.AbstractEventLoop, due_at: float) -> None:
        now = loop.time()
        late_s = max(0.0, now - due_at)  # clocks are rounded: a loop may call a moment early
        self._seen.append((now, late_s))
        # From now, not from when it was due: a loop that was late for a second is not looked at four times in a row.
        self._look_later(loop)
        self._observe(late_s)
