"""The book and the scripts side by side: what happens to one happens to the other, at the same time, and both say the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from core.ledger_office import CAPS, START_US, Answered, Asks, Moves, Passed, Releases, Renews, Settles, Step, Terms, Throttled
from redis.exceptions import NoScriptError

from proxy.core.book import Admitted, Book, Held, Receipt
from proxy.core.coalescing_log import CoalescingLog
from proxy.core.quota import Ask, Cap, Claim, Level, Unit
from proxy.ledger.scripts import Script, Scripts, cap_key, log_key, read_answer, script, window_key, words_of

if TYPE_CHECKING:
    import redis

    from proxy.ledger.scripts import Command

FAKED_CLOCK = (Path(__file__).parent / "faked_clock.lua").read_text()
APPLICATION = "application"
UNPACKED = "local packed = redis.call('GET', KEYS[1]) return packed and cmsgpack.unpack(packed) or {}"


class Recalls(NamedTuple):
    """Somebody tells what it has spent: how long ago, units that were known when it was told of an entry, units that never were.

    `which` of the charges is in that entry; None where it has expired, or was never told.
    """

    key: str
    which: int | None
    spent: tuple[tuple[int, int, int], ...]


def with_faked_clock(of: Script) -> Script:
    return Script(FAKED_CLOCK + of.source)


def scripts(admit: Script | None = None, correct: Script | None = None) -> Scripts:
    return Scripts(with_faked_clock(admit or script("admit")), with_faked_clock(correct or script("correct")))


@dataclass
class Pair:
    terms: Terms
    client: redis.Redis
    scripts: Scripts = field(default_factory=scripts)
    book: Book = field(default_factory=Book)
    now_us: int = START_US
    turn: int = 0
    receipts: list[Receipt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client.flushall()

    def run(self, command: Command) -> Any:
        told = command._replace(arguments=(*command.arguments, self.now_us))
        try:
            return self.client.execute_command(*told.words(by_name=True))  # type: ignore[no-untyped-call]  # by redis-py
        except NoScriptError:
            return self.client.execute_command(*told.words(by_name=False))  # type: ignore[no-untyped-call]

    def correct(self, key: str, *what: str | int) -> Any:
        return self.run(self.scripts.correct(key, *what))

    def ask(self, asks: Asks) -> Ask:
        claims = tuple(Claim(key, f"limit {key}", Level.GRANT, *self.terms[key], cost, Unit.REQUEST) for key, cost in asks.costs)
        return Ask(APPLICATION, claims, tuple(Cap(key, f"cap {key}", Level.GRANT, CAPS[key]) for key in asks.caps), asks.scopes, asks.who)

    def do(self, step: Step | Recalls) -> None:
        self.turn += 1
        match step:
            case Asks():
                self.admit(self.ask(step))
            case Settles() | Moves():
                self.correct_charge(step)
            case Recalls():
                self.recall(step)
            case Throttled(scope, opening):
                told = self.correct(window_key(APPLICATION, scope), "open", *words_of(opening))
                assert told == self.book.open_window(scope, opening, self.now_us)
                self.admit(Ask(APPLICATION, (), (), (scope,), "who knocks at once"))
            case Answered(scope, who, succeeded):
                self.book.end_probe(scope, who, self.now_us, succeeded=succeeded)
                self.correct(window_key(APPLICATION, scope), "end_probe", who, int(succeeded))
            case Renews(cap, who):
                self.drop_with_the_key(cap)
                self.book.renew(cap, who, self.now_us)
                self.correct(cap_key(APPLICATION, cap), "renew", who)
            case Releases(cap, who):
                self.drop_with_the_key(cap)
                self.book.release(cap, who)
                self.correct(cap_key(APPLICATION, cap), "release", who)
            case Passed(us):
                self.now_us += us

    def drop_with_the_key(self, cap: str) -> None:
        """Leases that had ended went with their key; in the book a clock that steps back would find them again."""
        expires_us = self.client.get(f"{cap_key(APPLICATION, cap)} expires")
        if expires_us is not None and self.now_us >= int(expires_us):
            assert all(until_us <= self.now_us for until_us in self.book.leases.pop(cap, {}).values())

    def admit(self, ask: Ask) -> Admitted | Held:
        expected = self.book.admit(ask, self.now_us, self.turn)
        told = read_answer(ask, self.run(self.scripts.admit(ask, self.turn)))
        assert told.result == expected
        if isinstance(expected, Admitted):
            self.receipts += expected.receipts
        elif told.opening is not None:
            window = self.book.windows[expected.key]
            assert told.opening == window.opening._replace(wait_us=window.length_us)
        return expected

    def correct_charge(self, step: Settles | Moves) -> None:
        if not self.receipts:
            return
        receipt = self.receipts.pop(step.which % len(self.receipts))
        key, booked = log_key(APPLICATION, receipt.key), (receipt.window_us, receipt.entry_id, receipt.cost)
        if isinstance(step, Settles):
            self.book.settle(receipt, step.cost, self.now_us, self.turn)
            self.correct(key, "settle", *booked, step.cost, self.turn)
        else:
            moved = self.book.move(receipt, self.now_us, self.turn)
            assert self.correct(key, "move", *booked, self.turn) == moved.entry_id
            self.receipts.append(moved)

    def recall(self, step: Recalls) -> None:
        window_us, told = self.terms[step.key][1], self.told(step)
        spent = [(*each, 1000 * self.turn + number) for number, each in enumerate(step.spent)]
        answer = self.correct(log_key(APPLICATION, step.key), "recall", window_us, told, *(word for each in spent for word in each))
        log = self.book.logs.setdefault(step.key, CoalescingLog())
        log.advance(self.now_us, window_us)
        was_lost = all(entry_id != told for _, _, _, entry_id in log.entries())
        for age_us, known, unknown, entry_id in spent:
            if missing := unknown + known * was_lost:
                log.recall(missing, age_us, entry_id)
        assert answer == (0 if log.is_empty() else log.entries()[-1][3])
        assert self.stored(step.key) == log.entries()

    def told(self, step: Recalls) -> int:
        entry_ids = [receipt.entry_id for receipt in self.receipts if receipt.key == step.key]
        return 0 if step.which is None or not entry_ids else entry_ids[step.which % len(entry_ids)]

    def stored(self, key: str) -> list[tuple[int, int, int, int]]:
        """Return a log's entries as the server has them, told as the book tells them."""
        _, *numbers = self.client.eval(UNPACKED, 1, log_key(APPLICATION, key)) or [0]
        rows = zip(*(iter(numbers),) * 4, strict=True)
        return [(self.now_us - first, self.now_us - newest, cost, entry_id) for first, newest, cost, entry_id in rows]
