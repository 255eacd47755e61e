"""The ledger that several processes share: scripts within a Redis server, whose clock counts.

An admission is one script and one round trip. All else is sent and not waited for; this process' mirror takes it in at once, so that nothing is
admitted here into a window that was opened here, however slow the server is. What was admitted for a caller who has left is given back.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from proxy.core.book import Held, Receipt
from proxy.ledger.away import AwayError
from proxy.ledger.corrections import Corrections
from proxy.ledger.mirror import ID_BITS, Mirror, servers_part
from proxy.ledger.scripts import Scripts, read_answer, script

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterable, Iterator

    from proxy.core.book import Admitted
    from proxy.core.quota import Ask, Claim
    from proxy.core.window import Opening
    from proxy.ledger.mirror import Unshared
    from proxy.ledger.pipe import Pipe
    from proxy.ledger.scripts import Command

_AT_ONCE: Final = 1000
"""So many commands are under way at a time when what the server missed is given to it."""


class SharedLedger:
    """Keeps the limits together with the other processes on one server.

    Args:
        pipe: To the server.
        now_us: A clock of this process that never steps back, in whole microseconds.
        scripts: What runs within the server.

    Attributes:
        mirror: What this process knows.
        book: The same, in a form that can be read.
        on_answered: Told how many seconds each admission's round trip took.
    """

    def __init__(self, pipe: Pipe, now_us: Callable[[], int], scripts: Scripts | None = None) -> None:
        self.mirror = Mirror(now_us)
        self.book = self.mirror.book
        self.on_answered: Callable[[float], None] = lambda _seconds: None
        self._pipe = pipe
        self._scripts = scripts or Scripts(script("admit"), script("correct"))
        self._corrections = Corrections(pipe, self._scripts)
        self._entry_ids = itertools.count(secrets.randbits(ID_BITS - 1) + 1)

    def admit_alone(self, ask: Ask) -> Admitted | Held:
        """Admit without the server."""
        self._corrections.homes.remember(ask)
        return self.mirror.admit_alone(ask)

    async def admit(self, ask: Ask) -> Admitted | Held:
        """Book all that is asked, or nothing; raises AwayError where the server does not answer."""
        self._corrections.homes.remember(ask)
        entry_id = next(self._entry_ids)
        sent, sent_at = self._pipe.send(self._scripts.admit(ask, entry_id)), time.monotonic()
        try:
            reply = await asyncio.shield(sent)
        except asyncio.CancelledError:
            sent.add_done_callback(partial(self._undo, ask, entry_id))
            raise
        except AwayError:
            self._undo(ask, entry_id, sent)
            raise
        self.on_answered(time.monotonic() - sent_at)
        answer, closed = read_answer(ask, reply), self.mirror.closed(ask.scopes)
        if isinstance(answer.result, Held):
            if answer.opening is not None and not answer.result.probing:
                self.mirror.learn_window(answer.result.key, answer.opening, answer.result.wait_us)
            return answer.result if closed is None else max(answer.result, closed, key=_wait_us)
        if closed is not None:
            self._corrections.undo(ask, answer.result.receipts)
            return closed
        return self.mirror.admitted(ask, answer.result)

    def _undo(self, ask: Ask, entry_id: int, sent: asyncio.Future[Any]) -> None:
        """Give back what was admitted for nobody. Where the server did not say, it may have: units come back if they began an entry."""
        if sent.exception() is not None:
            receipts = tuple(Receipt(claim.key, entry_id, claim.cost, claim.window_us) for claim in ask.claims)
            self._corrections.undo(ask, receipts)
            return
        with contextlib.suppress(AwayError):  # of nonsense nothing can be given back
            if not isinstance(result := read_answer(ask, sent.result()).result, Held):
                self._corrections.undo(ask, result.receipts)

    def settle(self, receipt: Receipt, cost: int) -> None:
        """Correct an estimate, once."""
        self.mirror.settle(receipt, cost, is_alone=self._corrections.is_away)
        self._corrections.settle(receipt, cost, next(self._entry_ids), partial(self.mirror.told, receipt.key))

    def move(self, receipt: Receipt) -> Receipt:
        """Book a charge again, now."""
        if self._corrections.is_away and not servers_part(receipt):
            return self.mirror.move(receipt, 0)
        entry_id = next(self._entry_ids)
        self._corrections.move(receipt, entry_id, partial(self.mirror.told, receipt.key))
        return self.mirror.move(receipt, entry_id)

    def renew(self, ask: Ask) -> None:
        """Keep the places in flight for longer."""
        for cap in ask.caps:
            self.mirror.renew(cap.key, ask.lease_id)
        if not self._corrections.is_away:
            self._corrections.renew(ask)

    def release(self, ask: Ask) -> None:
        """Give the places in flight back."""
        for cap in ask.caps:
            self.mirror.book.release(cap.key, ask.lease_id)
        self._corrections.release(ask)

    def open_window(self, scope: str, opening: Opening, application: str = "") -> int:
        """Take in a throttling answer; returns for how many microseconds the scope is closed now, as far as this process knows."""
        if application:
            self._corrections.homes.note(scope, application)
        closed_us = self.mirror.open_window(scope, opening)
        if not self._corrections.is_away:
            self._corrections.open_window(scope, opening, partial(self.mirror.learn_window, scope, opening))
        return closed_us

    async def announced(self) -> None:
        """Return when the windows opened here so far are known to all, or nobody can tell them; nobody who leaves meanwhile stops that."""
        await self._corrections.announced()

    def end_probe(self, scope: str, lease_id: str, *, succeeded: bool) -> None:
        """Take in what a probe has brought."""
        self.mirror.end_probe(scope, lease_id, succeeded=succeeded)
        self._corrections.end_probe(scope, lease_id, succeeded=succeeded)

    def forecast_us(self, claim: Claim, units: int) -> int:
        """Return how long until the last of `units` that queue for a limit has its turn, as far as this process knows."""
        return self.mirror.forecast_us(claim, units)

    def lets_pass(self, claim: Claim, before: int, within_us: int) -> bool:
        """Tell whether a claim fits now, and `before` units of its limit would fit within `within_us` all the same, as far as this process knows."""
        return self.mirror.lets_pass(claim, before, within_us)

    def sweep(self) -> None:
        """Forget what holds nothing back any more."""
        self.mirror.sweep()

    async def touch(self) -> None:
        """Return where the server runs scripts that write; raises AwayError where it does not."""
        await self._pipe.send(self._scripts.touch())

    def leave(self) -> None:
        """Tell the server nothing until `come_back`."""
        self._corrections.is_away = True

    async def give_back(self) -> None:
        """Give the server what it missed: charges, windows, places in flight. Raises AwayError where it does not take it."""
        kept, unshared = self._corrections.take_kept(), self._take_unshared()
        try:
            sent: list[asyncio.Future[Any]] = []
            for one in self._missed(kept, unshared):
                sent.append(one)
                if len(sent) >= _AT_ONCE:
                    await asyncio.gather(*sent)
                    sent.clear()
            await asyncio.gather(*sent)
        except AwayError:
            self._corrections.keep_again(kept)
            self.mirror.keep_unshared(unshared)
            raise

    def come_back(self) -> None:
        """Tell the server everything again, first what has come during `give_back`."""
        self._corrections.is_away = False
        for command in self._corrections.take_kept():
            self._corrections.send(command)
        unshared = self._take_unshared()
        for _ in (*self._windows(), *self._charges(list(unshared), unshared)):
            pass
        for key, lease_id in self.mirror.leases():
            self._corrections.restore_lease(key, lease_id)

    def _take_unshared(self) -> Unshared:
        unshared, self.mirror.unshared = self.mirror.unshared, {}
        return unshared

    def _missed(self, kept: deque[Command], unshared: Unshared) -> Iterator[asyncio.Future[Any]]:
        """Send it, one at a time. Places that may have been lent for nobody are given back before those that are held are told."""
        while kept:
            yield self._corrections.send(kept.popleft())
        yield from self._windows()
        yield from self._charges(list(self.mirror.book.logs), unshared)
        for key, lease_id in list(self.mirror.leases()):
            yield self._corrections.restore_lease(key, lease_id)

    def _windows(self) -> Iterator[asyncio.Future[Any]]:
        for scope, window, wait_us in list(self.mirror.closed_windows()):
            yield self._corrections.restore(scope, window, wait_us)

    def _charges(self, keys: Iterable[str], unshared: Unshared) -> Iterator[asyncio.Future[Any]]:
        for key in keys:
            never = unshared.pop(key, {})
            missing = self.mirror.missing(key, never)
            if missing.spent:
                keep = partial(self.mirror.keep_unshared, {key: never})
                yield self._corrections.recall(missing, self._entry_ids, partial(self.mirror.told, key), keep)


def _wait_us(held: Held) -> int:
    return held.wait_us
