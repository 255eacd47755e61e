"""A ledger that is used as it should be, the plain one beside it, and what may happen to both."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import NamedTuple

from hypothesis import strategies as st

from core.ledger_oracle import LEASE_US, PROBE_US, REMEMBERED_US, Arrival, PlainLedger, PlainWindow
from proxy.core.book import Admitted, Book, Held, Receipt
from proxy.core.quota import Ask, Cap, Claim, Level, Unit
from proxy.core.window import Opening

START_US = 10_000_000_000
SECOND_US = 1_000_000
KEYS = ("a", "b")
SCOPES = ("application:1", "grant:1")
CAPS = {"mailbox": 1, "endpoint": 2}
NAMES = ("ann", "bob", "cid", "dan")

Terms = dict[str, tuple[int, int]]
"""By key: count and window."""


class Asks(NamedTuple):
    who: str
    costs: tuple[tuple[str, int], ...]
    caps: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()


class Settles(NamedTuple):
    which: int
    cost: int


class Moves(NamedTuple):
    which: int


class Renews(NamedTuple):
    cap: str
    who: str


class Releases(NamedTuple):
    cap: str
    who: str


class Throttled(NamedTuple):
    scope: str
    opening: Opening


class Answered(NamedTuple):
    scope: str
    who: str
    succeeded: bool


class Passed(NamedTuple):
    us: int


Step = Asks | Settles | Moves | Renews | Releases | Throttled | Answered | Passed


class History(NamedTuple):
    terms: Terms
    steps: list[Step]


def alone(step: Step) -> list[Step]:
    return [step]


def evenly(*kinds: st.SearchStrategy[list[Step]]) -> st.SearchStrategy[list[Step]]:
    """`one_of` flattens what it is given and would favour those that have many kinds within."""
    return st.sampled_from(kinds).flatmap(lambda kind: kind)


def subsets(of: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(of), unique=True, max_size=len(of)).map(tuple)


cost = st.one_of(st.just(1), st.integers(1, 6))
costs = st.lists(st.tuples(st.sampled_from(KEYS), cost), min_size=1, max_size=3).map(tuple)
who = st.sampled_from(NAMES)
scope = st.sampled_from(SCOPES)
cap = st.sampled_from(tuple(CAPS))
causes = st.sampled_from(["exchange", "gmail"])
openings = st.builds(Opening, st.integers(1, 60), st.integers(1, 200), st.sampled_from([100, 200]), causes, st.booleans())
limits_only = st.builds(Asks, who, costs, st.just(()), st.just(()))
whole_asks = st.builds(Asks, who, st.one_of(costs, st.just(())), subsets(tuple(CAPS)), subsets(SCOPES))
corrections = st.one_of(st.builds(Settles, st.integers(0, 9), st.integers(0, 8)), st.builds(Moves, st.integers(0, 9)))
windows = st.one_of(st.builds(Throttled, scope, openings), st.builds(Answered, scope, who, st.booleans()))
leases = st.one_of(st.builds(Renews, cap, who), st.builds(Releases, cap, who))


@st.composite
def trials(draw: st.DrawFn) -> list[Step]:
    """A window that runs out, and what its probe brings."""
    tried, prober, after_us = draw(scope), draw(who), draw(st.sampled_from([0, 1, PROBE_US, REMEMBERED_US - 1, REMEMBERED_US]))
    steps: list[Step] = [
        Throttled(tried, draw(openings)),
        Passed(200),
        Asks(prober, (), (), (tried,)),
        Answered(tried, prober, draw(st.booleans())),
        Passed(after_us),
    ]
    return steps[draw(st.integers(0, 1)) : draw(st.integers(3, 5))]


@st.composite
def histories(draw: st.DrawFn, *kinds: st.SearchStrategy[Step], asks: st.SearchStrategy[Asks] = limits_only, exact: bool = False) -> History:
    """`exact`: windows so short that a slot is a microsecond, and a clock that never steps back."""
    window_us = st.integers(5, 32) if exact else st.one_of(st.integers(5, 60), st.just(SECOND_US))
    terms = {key: (draw(st.sampled_from([1, 2, 3, 6])), draw(window_us)) for key in KEYS}
    short = st.sampled_from([one for _, end in terms.values() for one in (1, end // 32, end // 2, end - 1, end)])
    long = [st.sampled_from([PROBE_US, REMEMBERED_US, LEASE_US - 1, LEASE_US])] if leases in kinds else []
    back = [] if exact else [st.sampled_from([-1, -40, -3 * SECOND_US])]
    passed = st.one_of(short, short, *long, *back).map(Passed)
    part = evenly(
        *[asks.map(alone)] * 4, passed.map(alone), passed.map(alone), *(kind.map(alone) for kind in kinds), *([trials()] if windows in kinds else [])
    )
    return History(terms, [step for steps in draw(st.lists(part, min_size=6, max_size=20)) for step in steps])


@dataclass
class Office:
    """A book, the plain ledger beside it, and everything that was charged and not settled yet."""

    terms: Terms
    book: Book = field(default_factory=Book)
    plain: PlainLedger = field(default_factory=PlainLedger)
    now_us: int = START_US
    turn: int = 0
    charged: list[tuple[Receipt, Arrival]] = field(default_factory=list)
    forced: set[str] = field(default_factory=set)

    def ask(self, asks: Asks) -> Ask:
        claims = tuple(Claim(key, f"limit {key}", Level.GRANT, *self.terms[key], cost, Unit.REQUEST) for key, cost in asks.costs)
        return Ask("application", claims, tuple(Cap(key, f"cap {key}", Level.GRANT, CAPS[key]) for key in asks.caps), asks.scopes, asks.who)

    def do(self, step: Step) -> Admitted | Held | None:
        self.turn += 1
        match step:
            case Asks():
                return self.admit(self.ask(step))
            case Settles() | Moves():
                self.correct(step)
            case Throttled(scope, opening):
                expected_us = self.plain.throttle(scope, PlainWindow(*opening), self.now_us)
                assert self.book.open_window(scope, opening, self.now_us) == expected_us
            case Answered(scope, who, succeeded):
                self.book.end_probe(scope, who, self.now_us, succeeded=succeeded)
                if window := self.plain.window(scope, self.now_us):
                    window.answer(who, succeeded=succeeded)
            case Renews(cap, who):
                self.book.renew(cap, who, self.now_us)
                self.plain.renew(cap, who, self.now_us)
            case Releases(cap, who):
                self.book.release(cap, who)
                self.plain.release(cap, who)
            case Passed(us):
                self.now_us += us
        return None

    def admit(self, ask: Ask) -> Admitted | Held:
        self.plain.waits(ask, self.now_us)
        answer = self.book.admit(ask, self.now_us, self.turn)
        if isinstance(answer, Admitted):
            arrivals, probed, reopened = self.plain.admit(ask, self.now_us, self.turn)
            assert (answer.probes, answer.reopened) == (tuple(probed), tuple(reopened))
            self.charged += zip(answer.receipts, arrivals, strict=True)
        return answer

    def correct(self, step: Settles | Moves) -> None:
        if not self.charged:
            return
        receipt, arrival = self.charged.pop(step.which % len(self.charged))
        tape = self.plain.tape(receipt.key, receipt.window_us, self.now_us)
        if isinstance(step, Moves):
            late = tape.at_us - arrival.at_us >= tape.window_us
            moved = tape.book(arrival.units, arrival.admission)
            arrival.units = 0
            self.charged.append((self.book.move(receipt, self.now_us, self.turn), moved))
        else:
            late = step.cost > arrival.units
            tape.book(max(0, step.cost - arrival.units))
            arrival.units = min(step.cost, arrival.units)
            self.book.settle(receipt, step.cost, self.now_us, self.turn)
        if late:
            self.forced.add(receipt.key)

    def after(self, wait_us: int, ask: Ask) -> Admitted | Held:
        return copy.deepcopy(self.book).admit(ask, self.now_us + wait_us, 10**6)

    def state(self) -> object:
        """Return all that can make a difference from now on."""
        book = copy.deepcopy(self.book)
        book.sweep(self.now_us)
        for key, log in book.logs.items():
            log.advance(self.now_us, self.terms[key][1])
        held = {
            key: {who: min(until_us - self.now_us, LEASE_US) for who, until_us in holders.items() if until_us > self.now_us}
            for key, holders in book.leases.items()
        }
        return {key: log.entries() for key, log in book.logs.items()}, book.windows, held


def played(history: History) -> Office:
    office = Office(history.terms)
    for step in history.steps:
        office.do(step)
    return office


MAILBOX = Cap("mailbox", "microsoft in flight", Level.GRANT, 1)
EXCHANGE = Opening(50, 500, 200, "exchange")


def claim(cost: int, key: str = "a", window_us: int = 100, count: int = 4) -> Claim:
    return Claim(key, f"limit {key}", Level.GRANT, count, window_us, cost, Unit.REQUEST)


def asking(*claims: Claim, caps: list[Cap] | None = None, scopes: tuple[str, ...] = (), lease_id: str = "somebody") -> Ask:
    return Ask("application", claims, tuple(caps or ()), scopes, lease_id)
