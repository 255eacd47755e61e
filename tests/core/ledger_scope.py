"""A throttle window that is used as it should be, the plain one beside it, and what may happen to both."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from core.ledger_oracle import PROBE_US, REMEMBERED_US, PlainWindow
from proxy.core.window import Opening, opened

START_US = 10_000_000_000

causes = st.sampled_from(["exchange", "gmail"])
openings = st.builds(Opening, st.integers(1, 60), st.integers(1, 200), st.sampled_from([100, 150, 200]), causes, st.sampled_from([True, True, False]))
pauses_us = st.one_of(st.integers(0, 70), st.sampled_from([PROBE_US - 1, PROBE_US, REMEMBERED_US - 1, REMEMBERED_US, -1, -40, -REMEMBERED_US]))
names = st.sampled_from(["ann", "bob"])


class Throttled(NamedTuple):
    opening: Opening


class Asks(NamedTuple):
    who: str


class Answered(NamedTuple):
    who: str
    succeeded: bool


class Passed(NamedTuple):
    us: int


Step = Throttled | Asks | Answered | Passed
steps = st.one_of(st.builds(Passed, pauses_us), st.builds(Asks, names), st.builds(Answered, names, st.booleans()), st.builds(Throttled, openings))
alone = steps.map(lambda step: [step])
answered = st.tuples(
    st.just(Passed(200)), st.just(Asks("ann")), st.builds(Answered, st.just("ann"), st.booleans()), st.builds(Passed, pauses_us)
).map(list)
failed = st.tuples(st.just(Passed(200)), st.just(Asks("ann")), st.builds(Throttled, openings), st.builds(Passed, pauses_us)).map(list)
histories = st.lists(st.one_of(alone, alone, answered, failed), min_size=3, max_size=12).map(lambda parts: [step for part in parts for step in part])


def plain(opening: Opening) -> PlainWindow:
    return PlainWindow(opening.wait_us, opening.cap_us, opening.growth_percent, opening.cause, opening.probes)


class Scope:
    """A window that is used as it should be, and the plain one beside it."""

    def __init__(self, opening: Opening) -> None:
        self.clock_us = START_US
        self.begin(opening)

    def begin(self, opening: Opening) -> None:
        self.window, self.plain = opened(opening, self.clock_us), plain(opening)
        self.plain.look(self.clock_us)

    def do(self, step: Step) -> None:
        if isinstance(step, Passed):
            self.look(step.us)
        elif isinstance(step, Throttled):
            self.throttle(step.opening)
        elif isinstance(step, Asks):
            self.ask(step.who)
        else:
            self.answer(step.who, succeeded=step.succeeded)

    def look(self, after_us: int) -> None:
        self.clock_us += after_us
        self.window.advance(self.clock_us)
        self.plain.look(self.clock_us)

    def throttle(self, opening: Opening) -> None:
        if self.window.is_over():
            self.begin(opening)
        else:
            self.window.prolong(opening)
            self.plain.throttle(plain(opening))

    def ask(self, who: str) -> None:
        if not self.window.is_over() and not self.window.wait_us() and self.window.needs_probe():
            self.window.begin_probe(who)
            self.plain.prober, self.plain.prober_has_us = who, PROBE_US

    def answer(self, who: str, *, succeeded: bool) -> None:
        self.window.end_probe(who, succeeded=succeeded)
        self.plain.answer(who, succeeded=succeeded)

    def tried_out(self) -> Scope:
        """Let its time pass and one probe go."""
        self.look(self.window.wait_us())
        self.ask("prober")
        return self


def played(opening: Opening, history: list[Step]) -> Scope:
    scope = Scope(opening)
    for step in history:
        scope.do(step)
    return scope


def seen(scope: Scope) -> tuple[int, bool, bool, str, int | None]:
    window = scope.window
    reopened_for_us = None if window.reopened_at_us is None else scope.clock_us - window.reopened_at_us
    return window.wait_us(), window.needs_probe(), window.is_over(), window.opening.cause, reopened_for_us
