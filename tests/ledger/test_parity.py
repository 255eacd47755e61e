"""Python and Lua agree to the microsecond, on any history, also where the clock steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from core.ledger_office import (
    NAMES,
    SCOPES,
    Answered,
    Asks,
    History,
    Moves,
    Passed,
    Releases,
    Renews,
    Settles,
    Step,
    Throttled,
    corrections,
    histories,
    leases,
    whole_asks,
    windows,
)
from core.ledger_oracle import LEASE_US, PROBE_US, REMEMBERED_US
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.parity import Pair, Recalls
from proxy.core.window import Opening

if TYPE_CHECKING:
    from ledger.conftest import Server

tight = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

who = st.sampled_from(NAMES[:2])
waits_us, caps_us, growths = st.sampled_from([5, 20, 60]), st.sampled_from([1, 30, 100]), st.sampled_from([100, 150, 200])
openings = st.builds(Opening, waits_us, caps_us, growths, st.sampled_from(["exchange", "gmail"]), st.booleans())
passed = st.sampled_from([1, 5, 20, 60, 200, PROBE_US, REMEMBERED_US - 1, REMEMBERED_US, -1, -100]).map(Passed)
knock = st.builds(Asks, who, st.just(()), st.just(()), st.just(SCOPES[:1]))
throttle = st.builds(Throttled, st.just(SCOPES[0]), openings)
answer = st.builds(Answered, st.just(SCOPES[0]), who, st.booleans())


def alone(step: Step) -> list[Step]:
    return [step]


@st.composite
def trials(draw: st.DrawFn) -> list[Step]:
    """A window that runs out, and what its probe brings."""
    prober = draw(who)
    steps: list[Step] = [draw(throttle), Passed(200), Asks(prober, (), (), SCOPES[:1]), Answered(SCOPES[0], prober, draw(st.booleans()))]
    return steps[: draw(st.integers(2, 4))]


def in_a_row(parts: list[list[Step]]) -> list[Step]:
    return [step for part in parts for step in part]


single = st.one_of(knock, throttle, passed, answer).map(alone)
lives = st.lists(st.one_of(trials(), knock.map(alone), passed.map(alone), single), min_size=6, max_size=15).map(in_a_row)

limited = st.sampled_from([(("a", 1),), (("a", 2),), (("a", 1), ("a", 1)), (("a", 5),), (("b", 1),)])
ticks = st.sampled_from([1, 1, 2, 3, 4, 400, 796, 797, 799, 800, 1_240, 310_000, 320_000, -1, -810]).map(Passed)
charges = st.builds(Asks, who, limited, st.just(()), st.just(()))
settles = st.builds(Settles, st.integers(0, 3), st.integers(0, 4))
moves = st.builds(Moves, st.integers(0, 3))
limit_lives: st.SearchStrategy[list[Step]] = st.lists(st.one_of(charges, charges, ticks, ticks, settles, moves), min_size=15, max_size=40)

units = st.integers(0, 2)
edges_us = st.builds(
    lambda slots, slot_us, more_us: slots * slot_us + more_us, st.integers(0, 32), st.sampled_from([1_250, 10_000]), st.sampled_from([-1, 0, 0, 1])
)
recalls = st.one_of(
    st.builds(Recalls, st.just("a"), st.none() | st.integers(0, 3), st.lists(st.tuples(st.integers(0, 801), units, units), max_size=6).map(tuple)),
    st.builds(Recalls, st.just("b"), st.none() | st.integers(0, 3), st.lists(st.tuples(edges_us.map(abs), units, units), max_size=40).map(tuple)),
)
recalled_lives: st.SearchStrategy[list[Step | Recalls]] = st.lists(
    st.one_of(charges, ticks, ticks, settles, moves, recalls, recalls), min_size=5, max_size=20
)

caps = st.sampled_from([("endpoint",), ("endpoint",), ("mailbox", "endpoint")])
ages = st.sampled_from([1, LEASE_US // 3, LEASE_US - 1, LEASE_US, -1, -LEASE_US]).map(Passed)
places = st.one_of(
    st.builds(Asks, st.sampled_from(NAMES), st.just(()), caps, st.just(())),
    st.builds(Renews, caps.map(lambda of: of[0]), st.sampled_from(NAMES)),
    st.builds(Releases, caps.map(lambda of: of[0]), st.sampled_from(NAMES)),
)
cap_lives: st.SearchStrategy[list[Step]] = st.lists(st.one_of(places, places, ages), min_size=10, max_size=30)


@tight
@given(limit_lives)
def test_the_scripts_say_what_the_book_says_in_the_life_of_one_limit(server: Server, life: list[Step]) -> None:
    with server.client() as client:
        pair = Pair({"a": (4, 800), "b": (3, 320_000)}, client)
        for step in life:
            pair.do(step)


@tight
@given(recalled_lives)
def test_the_scripts_say_what_the_book_says_in_the_life_of_a_limit_that_proxies_lose_and_find(server: Server, life: list[Step | Recalls]) -> None:
    with server.client() as client:
        pair = Pair(LIMITS, client)
        for step in life:
            pair.do(step)


@tight
@given(histories(corrections, windows, leases, asks=whole_asks), whole_asks)
def test_the_scripts_say_what_the_book_says_of_limits_caps_and_windows(server: Server, history: History, last: Asks) -> None:
    with server.client() as client:
        pair = Pair(history.terms, client)
        for step in (*history.steps, last):
            pair.do(step)


@tight
@given(lives)
def test_the_scripts_say_what_the_book_says_in_the_life_of_one_window(server: Server, life: list[Step]) -> None:
    with server.client() as client:
        pair = Pair({}, client)
        for step in life:
            pair.do(step)


@tight
@given(cap_lives)
def test_the_scripts_say_what_the_book_says_in_the_life_of_two_caps(server: Server, life: list[Step]) -> None:
    with server.client() as client:
        pair = Pair({}, client)
        for step in life:
            pair.do(step)


def throttled(wait_us: int, *, scope: str = SCOPES[0], growth: int = 200, probes: bool = True) -> Throttled:
    return Throttled(scope, Opening(wait_us, 10**6, growth, "exchange", probes))


KNOCK, OTHER = Asks("ann", (), (), SCOPES[:1]), Asks("bob", (), (), SCOPES[:1])
A, B, C, D = (Asks("ann", ((key, cost),)) for key, cost in (("a", 1), ("b", 3), ("c", 1), ("d", 3)))
APART: list[Step] = [C, Passed(1_300)]
LIMITS = {"a": (4, 800), "b": (3, 320_000), "c": (100, 320_000), "d": (3, 3_200_000)}
PROBED: list[Step] = [throttled(5), Passed(5), KNOCK]
SUCCESS = Answered(SCOPES[0], "ann", succeeded=True)
REOPENED: list[Step] = [*PROBED, SUCCESS]
HISTORIES: dict[str, list[Step | Recalls]] = {
    "an entry expires at its very end": [A, Passed(400), A, A, A, Passed(400), A, A],
    "as much as is needed must expire": [A, Passed(400), A, A, A, A],
    "a slot is so long": [*APART * 31, C, Passed(10_100), C],
    "a slot is finer up to so many entries": [*APART * 32, C],
    "a fine slot is so long": [C, Passed(1_252), C],
    "a slot is rounded up": [A, Passed(3), A, Passed(797), Asks("ann", (("a", 4),))],
    "a slot is counted from its first arrival": [A, Passed(3), A, Passed(3), A, Passed(797), Asks("ann", (("a", 4),))],
    "a slot steps back with the clock": [A, Passed(-10), A, Passed(5), A],
    "a log lives as long as its newest arrival": [Asks("ann", (("d", 2),)), Passed(9_000), Asks("ann", (("d", 1),)), Passed(3_195_000), D],
    "what has expired stays so when the clock steps back": [A, A, A, A, B, Passed(800), Asks("ann", (("a", 1), ("b", 1))), Passed(-480), A],
    "what is recalled stands between the arrivals of an entry": [C, Passed(1000), C, Recalls("c", None, ((500, 0, 1),))],
    "what is recalled is nearer to the first arrival of an entry": [C, Passed(1000), C, Recalls("c", None, ((1500, 0, 1),))],
    "what is recalled came with the newest of an entry": [C, Passed(1240), C, Passed(20), C, Recalls("c", None, ((20, 0, 1),))],
    "what is recalled came soon after an entry": [C, Passed(100_000), C, Recalls("c", None, ((99_500, 0, 1),)), Passed(220_100), C],
    "what is recalled came a slot before an entry": [C, Recalls("c", None, ((1250, 0, 1),))],
    "what is recalled came with an entry": [C, Passed(1300), C, Recalls("c", None, ((1300, 0, 1),))],
    "what is recalled came a window ago": [C, Recalls("c", None, ((320_000, 0, 1),))],
    "of two equal waits the first is told": [throttled(50), throttled(50, scope=SCOPES[1]), Asks("ann", (), (), SCOPES)],
    "growth is rounded down": [throttled(5, growth=150), Passed(5), KNOCK, throttled(5, growth=150), Passed(7), KNOCK, throttled(5, growth=150)],
    "a window without a probe lives until its end": [throttled(10_000, probes=False), Passed(8_000), KNOCK],
    "a window steps back with the clock": [throttled(50), Passed(20), KNOCK, Passed(-10), KNOCK],
    "a reopening is remembered for so long": [*REOPENED, Passed(REMEMBERED_US - 1), KNOCK, Passed(1), KNOCK],
    "a reopening steps back with the clock": [*REOPENED, Passed(10), KNOCK, Passed(-4), KNOCK],
    "how long a window was is told as it has grown": [*PROBED, throttled(5), Passed(10), KNOCK, SUCCESS, Passed(7), KNOCK],
    "what was reopened closes": [*REOPENED, throttled(5), KNOCK],
    "a window is tried out from its very end": [throttled(5), Passed(5), throttled(5)],
    "a probe holds others at once": [*PROBED, OTHER],
    "a probe that fails lets the next one go": [*PROBED, Answered(SCOPES[0], "ann", succeeded=False), OTHER],
    "a probe's end steps back with the clock": [throttled(5), Passed(5), KNOCK, Passed(-3), KNOCK, Passed(3), KNOCK],
}


@pytest.mark.parametrize("history", HISTORIES)
def test_the_scripts_say_what_the_book_says_where_it_is_delicate(server: Server, history: str) -> None:
    with server.client() as client:
        pair = Pair(LIMITS, client)
        for step in HISTORIES[history]:
            pair.do(step)


def test_more_is_never_given_back_than_an_entry_holds(server: Server) -> None:
    with server.client() as client:
        pair = Pair({"a": (4, 800)}, client)
        for step in (Asks("ann", (("a", 2),)), Passed(400), A):
            pair.do(step)
        for _ in range(2):
            pair.receipts.insert(0, pair.receipts[0])
            pair.do(Settles(0, 0))
        for _ in range(4):
            pair.do(A)


def test_the_scripts_say_what_the_book_says_of_a_lease_that_outlives_a_later_one(server: Server) -> None:
    with server.client() as client:
        pair = Pair({}, client)
        for step in (Renews("mailbox", "bob"), Passed(-LEASE_US), Renews("mailbox", "ann"), Passed(LEASE_US + 9_000), Asks("cid", (), ("mailbox",))):
            pair.do(step)


def test_the_scripts_say_what_the_book_says_of_leases_that_went_with_their_key(server: Server) -> None:
    with server.client() as client:
        pair = Pair({}, client)
        for step in (Renews("mailbox", "bob"), Passed(LEASE_US + 3_000), Renews("mailbox", "ann"), Passed(-LEASE_US), Asks("bob", (), ("mailbox",))):
            pair.do(step)
