"""A limit's log that is used as it should be, the tape of what was booked beside it, and what may happen to both."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal, NamedTuple

from hypothesis import strategies as st

from core.ledger_oracle import Arrival, Tape
from proxy.core.coalescing_log import CoalescingLog

SECOND_US = 1_000_000

windows_us = st.one_of(st.integers(5, 60), st.sampled_from([320, SECOND_US]))
counts = st.integers(1, 6)


class Step(NamedTuple):
    what: Literal["ask", "wait", "force", "give back", "recall"]
    after_us: int
    units: int
    which: int = 0
    age_us: int = 0


@dataclass(frozen=True)
class Traffic:
    """A history of one limit."""

    window_us: int
    count: int
    steps: list[Step]

    @property
    def slot_us(self) -> int:
        return (self.window_us + 31) // 32


def pauses_us(window_us: int) -> st.SearchStrategy[int]:
    slot_us = (window_us + 31) // 32
    short = st.sampled_from([0, 1, slot_us - 1, slot_us, slot_us + 1])
    long = st.sampled_from([window_us // 2, window_us - slot_us, window_us - slot_us + 1, window_us - 1, window_us])
    return st.sampled_from([short, short, long]).flatmap(lambda pause: pause)


@st.composite
def traffic(draw: st.DrawFn, *whats: Literal["ask", "force", "give back", "recall"], back: bool = True, sparse: bool = False) -> Traffic:
    window_us, count = draw(windows_us), draw(counts)
    pause = pauses_us(window_us)
    if sparse:
        pause = pause.map(lambda pause_us: pause_us + (window_us + 31) // 32)
    if back:
        pause = st.one_of(*[pause] * 5, st.sampled_from([-1, -window_us, -3 * SECOND_US]))
    cost = st.one_of(st.just(1), st.integers(1, 2 * count))
    age = st.one_of(pauses_us(window_us), st.integers(0, window_us + 1)) if "recall" in whats else st.just(0)
    step = st.builds(Step, st.sampled_from(("ask", "wait", *whats)), pause, cost, st.integers(0, 7), age)
    return Traffic(window_us, count, draw(st.lists(step, min_size=4, max_size=20)))


class Desk:
    """A log, and beside it the tape of what was booked in it."""

    def __init__(self, window_us: int, count: int) -> None:
        self.log, self.tape = CoalescingLog(), Tape(window_us)
        self.window_us, self.count = window_us, count
        self.clock_us = 10 * SECOND_US
        self.booked: list[tuple[int, Arrival]] = []
        self.look(0)

    def look(self, after_us: int) -> None:
        self.clock_us += after_us
        self.log.advance(self.clock_us, self.window_us)
        self.tape.look(self.clock_us)

    def do(self, step: Step) -> None:
        self.look(step.after_us)
        if step.what == "give back":
            self.give_back(step)
        elif step.what == "recall":
            self.recall(step.units, step.age_us)
        elif step.what == "force":
            self.book(step.units, None)
        elif step.what == "wait":
            self.look(self.wait_us(step.units))
            self.book(step.units, len(self.booked))
        elif not self.wait_us(step.units):
            self.book(step.units, len(self.booked))

    def book(self, cost: int, admission: int | None) -> None:
        self.booked.append((self.log.charge(cost, 1 + len(self.booked)), self.tape.book(cost, admission)))

    def recall(self, cost: int, age_us: int) -> None:
        self.log.recall(cost, age_us, 1000 + len(self.tape.arrivals))
        self.tape.book(cost, None, age_us)

    def give_back(self, step: Step) -> None:
        if self.booked:
            entry_id, arrival = self.booked[step.which % len(self.booked)]
            given = min(step.units, arrival.units)
            self.log.give_back(entry_id, given)
            arrival.units -= given

    def wait_us(self, cost: int) -> int:
        return self.log.wait_us(cost, self.count)

    def after(self, wait_us: int) -> Desk:
        """Return how things are then, when nothing else happens."""
        later = copy.deepcopy(self)
        later.look(wait_us)
        return later


def played(history: Traffic) -> Desk:
    desk = Desk(history.window_us, history.count)
    for step in history.steps:
        desk.do(step)
    return desk
