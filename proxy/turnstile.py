"""Who may ask the ledger next, within this process.

Requests of one grant with exactly the same claims form a line, first come first served. The head of a line asks the ledger. Where something holds it
that other lines share (the application's limit, a window), it joins that thing's row, one head from each line, and only the first in the row asks
again: so lines take turns, one greedy mailbox cannot hold up the others, and one freed unit wakes one request. A request that leaves
frees its place at once.

The wait is predicted before it begins. One that would outlast the request's patience is refused at once, with that prediction.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.core.book import Admitted, Held, HeldBy
from proxy.core.model import Cause
from proxy.forecast import UNKNOWN_WAIT_S, US_PER_S, Forecast, is_known
from proxy.lines import Lines
from proxy.metronome import Metronomes
from proxy.waiter import Waiter

if TYPE_CHECKING:
    from proxy.core.quota import Ask
    from proxy.ledger import Ledger

_UNTIL_RESUMED_US: Final = 120_000_000


class Entered(NamedTuple):
    """Go.

    Attributes:
        admitted: What was booked.
        waited_s: How long that took.
        asked_at: When the ledger was asked, in the loop's time: it was not booked earlier.
    """

    admitted: Admitted
    waited_s: float
    asked_at: float


class TurnedAway(NamedTuple):
    """The wait would outlast the request's patience.

    Attributes:
        wait_s: How long it would be, as far as known.
        held: What holds it; None where too many wait already.
        waited_s: How long it waited before that was clear.
    """

    wait_s: float
    held: Held | None
    waited_s: float


class Room(NamedTuple):
    """How much waits, or may: requests, and bytes of their bodies."""

    requests: int
    body_bytes: int


class Turnstile:
    """Lets requests through to the ledger.

    Args:
        ledger: Whom to ask.
        room: How many may wait, one more is turned away; and how many bytes of their bodies.
        poll_s: How often to ask again about what others may free without this process hearing of it; None where it hears of everything.

    Attributes:
        waiting: How many wait, and how many bytes they hold.
    """

    def __init__(self, ledger: Ledger, room: Room, poll_s: float | None = None) -> None:
        self._ledger = ledger
        self._room = room
        self._poll_s = poll_s
        self._lines = Lines()
        self._metronomes = Metronomes()
        self._suspended: set[str] = set()
        self._loop = asyncio.get_running_loop()
        self._forecast = Forecast(ledger, self._lines, self._loop.time)
        self.waiting = Room(0, 0)

    async def enter(self, ask: Ask, patience_s: float, held_bytes: int = 0) -> Entered | TurnedAway:
        """Wait for the turn of a request, as long as `patience_s` at most. Whoever is cancelled here has booked nothing.

        `held_bytes` is what its body takes in memory meanwhile.
        """
        held: Held | None = None
        if not self._lines.has_before(ask) and not self._metronomes.concern(ask.scopes):
            asked_at = self._loop.time()
            result = await self._asked(ask)
            if isinstance(result, Admitted):
                return Entered(result, 0.0, asked_at)
            held = result
        if self.waiting.requests >= self._room.requests or self.waiting.body_bytes + held_bytes > self._room.body_bytes:
            return TurnedAway(UNKNOWN_WAIT_S, None, 0.0)
        started_at = self._loop.time()
        waiter = Waiter(ask, started_at + patience_s)
        self._lines.add(waiter, held, 0.0 if held is None else self._until(held))
        self._fill_up(waiter)
        self.waiting = Room(self.waiting.requests + 1, self.waiting.body_bytes + held_bytes)
        try:
            result_or_refusal = self._predicted_refusal(waiter) or await self._turn(waiter)
        except BaseException:
            self._leave(waiter, held_bytes, served=False)
            raise
        self._leave(waiter, held_bytes, served=isinstance(result_or_refusal, Admitted))
        waited_s = self._loop.time() - started_at
        if isinstance(result_or_refusal, TurnedAway):
            return result_or_refusal._replace(waited_s=waited_s)
        return Entered(result_or_refusal, waited_s, waiter.asked_at)

    def _leave(self, waiter: Waiter, held_bytes: int, *, served: bool) -> None:
        self.waiting = Room(self.waiting.requests - 1, self.waiting.body_bytes - held_bytes)
        key = waiter.row
        self._lines.leave(waiter, served=served)
        self._let_pass(key)

    def wake(self, key: str) -> None:
        """Let the first who is held by `key` ask again: something was freed."""
        first = self._lines.first_held_by(key)
        if first is not None:
            first.wake()

    def suspend(self, scope: str) -> None:
        """Let nobody of a scope go for a moment: an answer that may close it is being read."""
        self._suspended.add(scope)

    def resume(self, scope: str) -> None:
        """The ledger knows by now what the answer meant."""
        self._suspended.discard(scope)
        self.wake(scope)

    def _suspension(self, ask: Ask) -> Held | None:
        scope = next((scope for scope in ask.scopes if scope in self._suspended), None) if self._suspended else None
        return None if scope is None else Held(_UNTIL_RESUMED_US, HeldBy.WINDOW, scope, Cause.RATE_LIMIT_AMBIGUOUS, probing=True)

    def reopened(self, scope: str) -> None:
        """Begin to pace a scope whose window has ended, and let the first go."""
        self._metronomes.begin(scope, self._loop.time())
        self.wake(scope)

    def closed(self, scope: str) -> None:
        """A window has opened: there is nothing to pace."""
        self._metronomes.end(scope)

    def sweep(self) -> None:
        """Forget what is paced no longer."""
        self._metronomes.sweep(self._loop.time())

    async def _asked(self, ask: Ask) -> Admitted | Held:
        """Ask the ledger; what has reopened lately is paced from now on."""
        result = self._suspension(ask) or await self._ledger.admit(ask)
        if isinstance(result, Admitted):
            for scope, age_us in result.reopened_us:
                self._metronomes.begin(scope, self._loop.time() - age_us / US_PER_S)
        return result

    async def _turn(self, waiter: Waiter) -> Admitted | TurnedAway:
        """Wait until the ledger lets the request go, or until that is hopeless."""
        while True:
            if (waiter.held is None and self._lines.is_first(waiter)) or self._forecast.may_pass(waiter):
                if not await self._beat(waiter):
                    return TurnedAway(self._metronomes.interval_s(waiter.ask.scopes), self._held_by(waiter), 0.0)
                waiter.asked_at = self._loop.time()
                result = await self._asked(waiter.ask)
                if isinstance(result, Admitted):
                    return result
                self._lines.hold(waiter, result, self._until(result))
                self._fill_up(waiter)
            refusal = self._known_refusal(waiter)
            if refusal is not None:
                return refusal
            await self._sleep(waiter)
            if self._lines.is_first(waiter):
                waiter.held = None

    def _fill_up(self, held: Waiter) -> None:
        """Let others have what the first in a row cannot use yet."""
        if self._lines.is_first(held):
            self._forecast.note_first(held)
            self._let_pass(held.row)

    def _let_pass(self, key: str) -> None:
        """Let one go for which the first in a row leaves room."""
        passer = self._forecast.passer(key) if key else None
        if passer is not None:
            passer.wake()

    async def _beat(self, waiter: Waiter) -> bool:
        """Wait for the beat of what is paced; False where that would outlast the patience."""
        try:
            async with asyncio.timeout_at(waiter.deadline):
                await self._metronomes.tick(waiter.ask.scopes)
        except TimeoutError:
            return False
        return True

    def _until(self, held: Held) -> float:
        """When it is worth asking again."""
        wait_s = held.wait_us / US_PER_S
        return self._loop.time() + (wait_s if is_known(held) or self._poll_s is None else min(wait_s, self._poll_s))

    async def _sleep(self, waiter: Waiter) -> None:
        """Until it is called, its next question is due, or its patience ends."""
        until = min(waiter.until, waiter.deadline) if waiter.held is not None and self._lines.is_first(waiter) else waiter.deadline
        waiter.call = self._loop.create_future()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await waiter.call

    def _known_refusal(self, waiter: Waiter) -> TurnedAway | None:
        """Refuse where the patience has ended, or would before the wait that the ledger named."""
        now, held = self._loop.time(), waiter.held
        if held is not None and is_known(held) and waiter.until > waiter.deadline:
            return TurnedAway(max(waiter.until - now, self._forecast.wait_s(waiter)), held, 0.0)
        if now >= waiter.deadline:
            return TurnedAway(max(UNKNOWN_WAIT_S, self._forecast.wait_s(waiter)), self._held_by(waiter), 0.0)
        return None

    def _held_by(self, waiter: Waiter) -> Held | None:
        """Return what holds a request or the head of its line, if only the pace after a window; None where the ledger has said nothing yet."""
        held = waiter.last_held or self._lines.head_of(waiter).last_held
        if held is None and self._metronomes.concern(waiter.ask.scopes):
            interval_s = self._metronomes.interval_s(waiter.ask.scopes)
            return Held(int(interval_s * US_PER_S), HeldBy.WINDOW, waiter.ask.scopes[0], Cause.RATE_LIMIT_AMBIGUOUS)
        return held

    def _predicted_refusal(self, waiter: Waiter) -> TurnedAway | None:
        """Refuse one whose turn in its line would come too late."""
        held = waiter.last_held or self._lines.head_of(waiter).last_held
        if held is None:
            return None
        wait_s = self._forecast.wait_s(waiter)
        if not is_known(held) and waiter.deadline > self._loop.time():
            return None
        return TurnedAway(wait_s, held, 0.0) if self._loop.time() + wait_s > waiter.deadline else None
