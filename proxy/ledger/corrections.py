"""What the server is told beside questions: sent in order and not waited for, kept while the server is away.

A correction that was under way when the server was lost may have reached it or not. It is kept as well where twice is no worse than once: what gives
units back is not, and those come back by themselves.
"""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from proxy.core.bounded import forget_oldest
from proxy.ledger.homes import Homes
from proxy.ledger.mirror import servers_part
from proxy.ledger.scripts import cap_key, log_key, window_key, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proxy.core.book import Receipt
    from proxy.core.quota import Ask
    from proxy.core.window import Opening, ThrottleWindow
    from proxy.ledger.mirror import Missing
    from proxy.ledger.pipe import Pipe
    from proxy.ledger.scripts import Command, Scripts, Word

KEPT_MAX: Final = 10_000
"""So many corrections are kept for a server that is away, and so many moved charges remembered; then the oldest go. Units and places in flight
that nobody gives back come back by themselves."""


class Corrections:
    """Tells the server.

    Args:
        pipe: To the server.
        scripts: What runs there.

    Attributes:
        homes: Whose keys are whose.
        is_away: Keep what should be told.
    """

    def __init__(self, pipe: Pipe, scripts: Scripts) -> None:
        self.homes = Homes()
        self.is_away = False
        self._pipe = pipe
        self._scripts = scripts
        self._kept: deque[Command] = deque(maxlen=KEPT_MAX)
        self._moved: dict[int, int] = {}
        self._opening: asyncio.Future[Any] | None = None

    def settle(self, receipt: Receipt, cost: int, entry_id: int, then: Callable[[int], None] = lambda _there: None) -> None:
        """Correct an estimate; `entry_id` is for what was booked too little, and `then` learns where that is."""
        there, is_more = servers_part(receipt), cost > receipt.cost
        if there or (is_more and not self.is_away):
            units = (self._moved.get(there, there), receipt.cost, cost)
            sent = self._tell(self._log(receipt.key), "settle", receipt.window_us, *units, entry_id)
            _then(sent if is_more else None, then)

    def move(self, receipt: Receipt, entry_id: int, then: Callable[[int], None]) -> None:
        """Book a charge that the server knows again, now; `then` learns its entry."""
        there = servers_part(receipt)
        sent = self._tell(self._log(receipt.key), "move", receipt.window_us, self._moved.get(there, there), receipt.cost, entry_id)
        _then(sent, partial(self._note_moved, entry_id))
        _then(sent, then)

    def renew(self, ask: Ask) -> None:
        """Keep places in flight for longer."""
        for cap in ask.caps:
            self._tell(cap_key(ask.application, cap.key), "renew", ask.lease_id)

    def release(self, ask: Ask) -> None:
        """Give places in flight back."""
        for cap in ask.caps:
            self._tell(cap_key(ask.application, cap.key), "release", ask.lease_id)

    def open_window(self, scope: str, opening: Opening, then: Callable[[int], None]) -> None:
        """Tell of a throttling answer; `then` learns for how long the scope is closed."""
        sent = self.send(self._scripts.correct(self._window(scope), "open", *words_of(opening)))
        _then(sent, then)
        self._opening = sent

    async def announced(self) -> None:
        """Return when the windows that were told of are known to the server, or it was lost. The last one is answered last."""
        if self._opening is not None and not self._opening.done():
            await asyncio.wait([self._opening])

    def end_probe(self, scope: str, lease_id: str, *, succeeded: bool) -> None:
        """Tell what a probe has brought."""
        self._tell(self._window(scope), "end_probe", lease_id, int(succeeded))

    def recall(self, missing: Missing, entry_ids: Iterator[int], then: Callable[[int], None], otherwise: Callable[[], None]) -> asyncio.Future[Any]:
        """Tell what was spent of a limit, where the server lacks it; `then` learns the entry to name next time."""
        spent = (word for each in missing.spent for word in (*each, next(entry_ids)))
        sent = self.send(self._scripts.correct(self._log(missing.key), "recall", missing.window_us, missing.entry_id, *spent))
        _then(sent, then, otherwise)
        return sent

    def restore(self, scope: str, window: ThrottleWindow, wait_us: int) -> asyncio.Future[Any]:
        """Tell of a window that is closed; a longer one stays."""
        opening = window.opening._replace(wait_us=wait_us)
        return self.send(self._scripts.correct(self._window(scope), "restore", *words_of(opening), window.length_us))

    def restore_lease(self, key: str, lease_id: str) -> asyncio.Future[Any]:
        """Tell of a place in flight."""
        return self.send(self._scripts.correct(cap_key(self.homes.of(key), key), "renew", lease_id))

    def undo(self, ask: Ask, receipts: tuple[Receipt, ...]) -> None:
        """Give back all that was booked for a request, or may have been; `receipts` are the server's own."""
        for receipt in receipts:
            self.settle(receipt, 0, 0)
        self.release(ask)
        for scope in ask.scopes:
            self.end_probe(scope, ask.lease_id, succeeded=False)

    def take_kept(self) -> deque[Command]:
        """Return what was kept, the oldest first, and keep it no longer."""
        kept, self._kept = self._kept, deque(maxlen=KEPT_MAX)
        return kept

    def keep_again(self, commands: deque[Command]) -> None:
        """Keep what was not sent after all, before what has come since."""
        self._kept = deque((*commands, *self._kept), maxlen=KEPT_MAX)

    def send(self, command: Command) -> asyncio.Future[Any]:
        """Send a correction, and keep it where nobody can say whether it has arrived."""
        sent = self._pipe.send(command)
        if _is_harmless_twice(command):
            _then(sent, otherwise=partial(self._keep, command))
        return sent

    def _tell(self, key: str, what: str, *words: Word) -> asyncio.Future[Any] | None:
        command = self._scripts.correct(key, what, *words)
        if self.is_away:
            self._keep(command)
            return None
        return self.send(command)

    def _keep(self, command: Command) -> None:
        self._kept.append(command)

    def _log(self, key: str) -> str:
        return log_key(self.homes.of(key), key)

    def _window(self, scope: str) -> str:
        return window_key(self.homes.of(scope), scope)

    def _note_moved(self, entry_id: int, there: int) -> None:
        if entry_id != there:
            self._moved[entry_id] = there
            forget_oldest(self._moved, KEPT_MAX)


def _is_harmless_twice(command: Command) -> bool:
    what, *words = command.arguments
    return what in {"release", "end_probe"} or (what == "settle" and int(words[3]) > int(words[2]))


def _then(sent: asyncio.Future[Any] | None, tell: Callable[[int], None] = lambda _answer: None, otherwise: Callable[[], None] = lambda: None) -> None:
    """Let the answer be known where there is one, and that there is none where the server was lost."""

    def answered(answer: asyncio.Future[Any]) -> None:
        if answer.cancelled() or answer.exception() is not None:
            otherwise()
        else:
            tell(answer.result())

    if sent is not None:
        sent.add_done_callback(answered)
