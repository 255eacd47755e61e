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
from collections import Counter
from typing import TYPE_CHECKING, Final

from proxy.closing_time import ClosingTime
from proxy.core.book import Admitted, Held, HeldBy
from proxy.core.model import Cause
from proxy.entrance import Entered, Room
from proxy.forecast import UNKNOWN_WAIT_S, US_PER_S, Forecast, is_known
from proxy.lines import Lines
from proxy.metronome import Metronomes
from proxy.reach import HERE
from proxy.turned_away import TurnedAway
from proxy.waiter import Waiter, line_key

if TYPE_CHECKING:
    from proxy.core.quota import Ask
    from proxy.core.window import Probe
    from proxy.ledger import Ledger
    from proxy.reach import Reach
    from proxy.waiter import LineKey

_UNTIL_RESUMED_US: Final = 120_000_000
_ENDING: Final = TurnedAway(UNKNOWN_WAIT_S, None, 0.0, is_ending=True)


class Turnstile:
    """Lets requests through to the ledger.

    Args:
        ledger: Whom to ask.
        room: How many may wait, one more is turned away; and how many bytes of their bodies.
        reach: How far away the ledger is.

    Attributes:
        room: As given; may be replaced at any time.
        waiting: How many wait, and how many bytes they hold.
        waiters, held_by: Tell all of them, and what holds one or the head of its line.
        closing_time: Ends their waiting.
    """

    def __init__(self, ledger: Ledger, room: Room, reach: Reach = HERE) -> None:
        self._ledger = ledger
        self.room = room
        self._reach = reach
        self._asking: Counter[LineKey] = Counter()
        self._lines = Lines()
        self.waiters = self._lines.waiters
        self._metronomes = Metronomes()
        self._suspended: Counter[str] = Counter()
        self._loop = asyncio.get_running_loop()
        self._forecast = Forecast(ledger, self._lines, self._metronomes, self._loop.time)
        self.held_by = self._forecast.held_by
        self.waiting = Room(0, 0)
        self.closing_time = ClosingTime()

    async def enter(self, ask: Ask, patience_s: float, held_bytes: int = 0) -> Entered | TurnedAway:
        """Wait for the turn of a request, as long as `patience_s` at most. Whoever is cancelled here has booked nothing.

        `held_bytes` is what its body takes in memory meanwhile.
        """
        held: Held | None = None
        if not self._lines.has_before(ask) and not self._metronomes.concern(ask.scopes) and not self._is_crowded(ask):
            asked_at = self._loop.time()
            result = await self._asked(ask)
            if isinstance(result, Admitted):
                return Entered(result, 0.0, asked_at)
            held = result
        if self.waiting.requests >= self.room.requests or self.waiting.body_bytes + held_bytes > self.room.body_bytes:
            return TurnedAway(UNKNOWN_WAIT_S, None, 0.0)
        started_at = self._loop.time()
        waiter = Waiter(ask, started_at, started_at + patience_s)
        self._lines.add(waiter, held, 0.0 if held is None else self._until(held))
        self._fill_up(waiter)
        self.waiting = Room(self.waiting.requests + 1, self.waiting.body_bytes + held_bytes)
        try:
            result_or_refusal: Admitted | TurnedAway | None = (early := self._forecast.early_refusal(waiter))
            if result_or_refusal is None:
                result_or_refusal = await self.closing_time.unless_over(self._turn(waiter), _ENDING)
        except BaseException:
            self._leave(waiter, held_bytes, served=False)
            raise
        held = waiter.last_held or waiter.behind or self.held_by(waiter)
        self._leave(waiter, held_bytes, served=isinstance(result_or_refusal, Admitted))
        waited_s = 0.0 if early is not None else self._loop.time() - started_at
        if isinstance(result_or_refusal, TurnedAway):
            return result_or_refusal._replace(waited_s=waited_s)
        return Entered(result_or_refusal, waited_s, waiter.asked_at, held)

    def _leave(self, waiter: Waiter, held_bytes: int, *, served: bool) -> None:
        self.waiting = Room(self.waiting.requests - 1, self.waiting.body_bytes - held_bytes)
        key, was_first = waiter.row, self._lines.first_held_by(waiter.row) is waiter
        self._lines.leave(waiter, served=served)
        if served or was_first:
            self._let_pass(key)

    def wake(self, key: str) -> None:
        """Let the first who is held by `key` ask again: something was freed."""
        self._lines.wake_first(key)

    def suspend(self, scope: str) -> None:
        """Let nobody of a scope go for a moment: an answer that may close it is being read."""
        self._suspended[scope] += 1

    def resume(self, scope: str) -> None:
        """The ledger knows by now what the answer meant."""
        self._suspended[scope] -= 1
        if not self._suspended[scope]:
            del self._suspended[scope]
            self.wake(scope)

    def _suspension(self, ask: Ask) -> Held | None:
        scope = next((scope for scope in ask.scopes if scope in self._suspended), None) if self._suspended else None
        return None if scope is None else Held(_UNTIL_RESUMED_US, HeldBy.WINDOW, scope, Cause.RATE_LIMIT_AMBIGUOUS, probing=True)

    def reopened(self, probe: Probe) -> None:
        """Begin to pace a scope whose window has ended, and let the first go."""
        self._metronomes.begin(probe.scope, probe.length_us / US_PER_S)
        self.wake(probe.scope)

    def closed(self, scope: str) -> None:
        """A window has opened: there is nothing to pace."""
        self._metronomes.end(scope)

    def sweep(self) -> None:
        """Forget what is paced no longer."""
        self._metronomes.sweep(self._loop.time())

    async def _asked(self, ask: Ask) -> Admitted | Held:
        """Ask the ledger; what has reopened lately is paced from now on."""
        result = self._suspension(ask) or await (self._ledger.admit(ask) if self._reach is HERE else self._counted(ask))
        if isinstance(result, Admitted):
            for scope, age_us, length_us in result.reopened:
                self._metronomes.begin(scope, length_us / US_PER_S, age_us / US_PER_S)
        return result

    async def _counted(self, ask: Ask) -> Admitted | Held:
        line = line_key(ask)
        self._asking[line] += 1
        try:
            return await self._ledger.admit(ask)
        finally:
            self._asking[line] -= 1
            if not self._asking[line]:
                del self._asking[line]

    def _is_crowded(self, ask: Ask) -> bool:
        """Tell whether as many of its line ask as may: a thousand at once would ask in vain what the first hundred are about to be told."""
        return bool(self._asking) and self._asking[line_key(ask)] >= self._reach.asks_at_once

    async def _turn(self, waiter: Waiter) -> Admitted | TurnedAway:
        """Wait until the ledger lets the request go, or until that is hopeless."""
        while True:
            is_first = waiter.held is None and self._lines.is_first(waiter)
            if is_first or waiter.follows or self._forecast.is_unheard(waiter) or self._forecast.may_pass(waiter):
                waiter.follows = waiter.is_called = False
                if not await self._beat(waiter):
                    return self._forecast.refusal_by_pace(waiter)
                if is_first:
                    self._have_followed(waiter)
                waiter.asked_at = self._loop.time()
                result = await self._asked(waiter.ask)
                if isinstance(result, Admitted):
                    return result
                self._lines.hold(waiter, result, self._until(result))
                if waiter.is_called:
                    waiter.held = None
                    continue
                self._fill_up(waiter)
            refusal = self._forecast.refusal(waiter)
            if refusal is not None:
                return refusal
            await self._sleep(waiter)
            if self._lines.is_first(waiter):
                waiter.held = None

    def _have_followed(self, first: Waiter) -> None:
        """Have some of those behind ask as well where the ledger is far: else each of them would wait for the answer to the one before."""
        is_by_limit = first.last_held is None or first.last_held.by is HeldBy.LIMIT  # places and probes come back one at a time
        if self._reach.asks_at_once > 1 and is_by_limit and not self._metronomes.concern(first.ask.scopes):
            for waiter in self._lines.followers(first, self._reach.asks_at_once - self._asking[first.line]):
                waiter.follow()

    def _fill_up(self, held: Waiter) -> None:
        """Let others have what the first in a row cannot use yet."""
        if self._lines.is_first(held):
            self._forecast.note_first(held)
            self._let_pass(held.row)

    def _let_pass(self, key: str) -> None:
        """Have the next in a row look whether there is room for them before the first."""
        first = self._lines.first_held_by(key)
        if first is not None and first.latest_at is not None:
            for waiter in self._lines.next_held_by(key):
                waiter.look()

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
        return self._loop.time() + (wait_s if is_known(held) or self._reach.poll_s is None else min(wait_s, self._reach.poll_s))

    async def _sleep(self, waiter: Waiter) -> None:
        """Until it is called, its next question is due, or its patience ends."""
        if waiter.held is not None and self._lines.is_first(waiter):
            until = min(waiter.until, waiter.deadline)
        else:
            until = self._forecast.look_again_at(waiter)
        waiter.call = self._loop.create_future()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await waiter.call
