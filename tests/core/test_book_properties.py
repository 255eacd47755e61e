from __future__ import annotations

import copy

from hypothesis import given
from hypothesis import strategies as st

from core.ledger_office import (
    CAPS,
    MAILBOX,
    START_US,
    Asks,
    History,
    Office,
    Renews,
    Throttled,
    asking,
    corrections,
    histories,
    leases,
    played,
    whole_asks,
    windows,
)
from core.ledger_oracle import LEASE_US
from proxy.core.book import Admitted, Book, Held, HeldBy


@given(histories(corrections))
def test_no_window_wherever_it_starts_holds_more_than_the_count(history: History) -> None:
    office = played(history)
    for key, tape in office.plain.tapes.items():
        if key not in office.forced:
            assert tape.overfull(history.terms[key][0]) == []


@given(histories(corrections))
def test_who_is_admitted_fits_into_what_is_left_of_every_limit_whatever_was_booked_later(history: History) -> None:
    office = Office(history.terms)
    for step in history.steps:
        if not isinstance(step, Asks):
            office.do(step)
            continue
        ask = office.ask(step)
        exact_us = office.plain.waits(ask, office.now_us)
        assert isinstance(office.do(step), Held) or not exact_us


@given(histories(corrections, windows, leases, asks=whole_asks), whole_asks)
def test_a_named_wait_is_enough_and_no_longer_than_it_must_be(history: History, asks: Asks) -> None:
    office = played(history)
    ask = office.ask(asks)
    held = office.admit(ask)
    if isinstance(held, Admitted):
        return
    assert isinstance(office.after(held.wait_us, ask), Admitted)
    assert isinstance(office.after(held.wait_us - 1, ask), Held)
    if held.by is HeldBy.LIMIT:
        assert held.wait_us <= history.terms[held.key][1]


@given(histories(corrections, windows, leases, asks=whole_asks, exact=True))
def test_every_answer_is_that_of_the_plain_ledger(history: History) -> None:
    office = Office(history.terms)
    for step in history.steps:
        waits = office.plain.waits(office.ask(step), office.now_us) if isinstance(step, Asks) else {}
        answer = office.do(step)
        if isinstance(answer, Held):
            assert waits[answer.by, answer.key] == answer.wait_us == max(waits.values())
            assert answer.probing is (answer.by is HeldBy.WINDOW and not office.plain.windows[answer.key].closed_for_us)
        elif isinstance(answer, Admitted):
            assert waits == {}


@given(histories(corrections, windows, leases, asks=whole_asks), whole_asks)
def test_a_request_is_booked_as_a_whole_or_not_at_all(history: History, asks: Asks) -> None:
    office = played(history)
    before, book = office.state(), copy.deepcopy(office.book)
    answer = office.do(asks)
    if isinstance(answer, Held):
        assert office.state() == before
        return
    assert isinstance(answer, Admitted)
    assert [(receipt.key, receipt.cost) for receipt in answer.receipts] == list(asks.costs)
    assert all(asks.who in office.book.leases[cap] for cap in asks.caps)
    assert all(office.book.windows[probe.scope].probe_id == asks.who for probe in answer.probes)
    unasked = set(CAPS) - set(asks.caps)
    assert all(office.book.leases.get(cap) == book.leases.get(cap) for cap in unasked)
    assert all(office.book.logs[key].entries() == book.logs[key].entries() for key in book.logs if key not in dict(asks.costs))


@given(histories(corrections, windows, leases, asks=whole_asks, exact=True), st.integers(1, 3))
def test_sweeping_changes_no_answer(history: History, at_most: int) -> None:
    office, swept = Office(history.terms), Office(history.terms)
    for step in history.steps:
        swept.book.sweep(swept.now_us, at_most)
        assert office.do(step) == swept.do(step)


@given(histories(corrections, windows, leases, asks=whole_asks, exact=True))
def test_sweeping_leaves_nothing_behind_when_everything_is_over(history: History) -> None:
    office = played(History(history.terms, [step for step in history.steps if not isinstance(step, Throttled)]))
    office.book.sweep(office.now_us + LEASE_US, 10)
    assert (office.book.logs, office.book.leases, office.book.windows) == ({}, {}, {})


@given(histories(leases, asks=whole_asks, exact=True))
def test_a_cap_never_has_more_holders_than_places(history: History) -> None:
    office = Office(history.terms)
    for step in history.steps:
        if isinstance(step, Renews) and step.who not in office.plain.holders(step.cap, office.now_us):
            continue
        office.do(step)
        assert all(len(office.plain.holders(cap, office.now_us)) <= places for cap, places in CAPS.items())


@given(st.integers(1, 10**12), st.integers(0, LEASE_US - 1))
def test_a_clock_that_steps_back_makes_no_lease_last_longer_than_a_lease(back_us: int, after_us: int) -> None:
    book = Book()
    book.admit(asking(caps=[MAILBOX], lease_id="crashed"), START_US, 1)
    held = book.admit(asking(caps=[MAILBOX]), START_US + after_us - back_us, 2)
    assert isinstance(held, Held)
    assert held.wait_us <= LEASE_US
