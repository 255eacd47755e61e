from __future__ import annotations

from typing import TYPE_CHECKING

from core.ledger_office import EXCHANGE, MAILBOX, SECOND_US, START_US, asking, claim
from core.ledger_oracle import LEASE_US, PROBE_US, REMEMBERED_US
from proxy.core.book import Admitted, Book, Held, HeldBy, Receipt
from proxy.core.window import FORGOTTEN_US, Probe, Reopened

if TYPE_CHECKING:
    from proxy.core.quota import Ask


def used(book: Book, key: str = "a") -> int:
    return book.logs[key].used


def admitted(book: Book, ask: Ask, now_us: int = START_US, entry_id: int = 1) -> Admitted:
    answer = book.admit(ask, now_us, entry_id)
    assert isinstance(answer, Admitted)
    return answer


def test_claims_on_one_key_are_summed() -> None:
    book = Book()
    admitted(book, asking(claim(2), claim(2)))
    assert book.admit(asking(claim(1)), START_US, 2) == Held(100, HeldBy.LIMIT, "a", "limit a")
    assert book.admit(asking(claim(2), claim(1)), START_US + 100, 3) == Admitted((book_receipt(3, 2), book_receipt(3, 1)))
    assert book.admit(asking(claim(1), claim(1)), START_US + 100, 4) == Held(100, HeldBy.LIMIT, "a", "limit a")


def book_receipt(entry_id: int, cost: int) -> Receipt:
    return Receipt("a", entry_id, cost, 100)


def test_what_holds_the_longest_is_told() -> None:
    book = Book()
    admitted(book, asking(claim(4), claim(4, "b", window_us=70), claim(4, "c", window_us=20), caps=[MAILBOX]))
    book.open_window("grant:1", EXCHANGE, START_US)
    both = asking(claim(1, "b", window_us=70), claim(1), scopes=("grant:1",), lease_id="other")
    assert book.admit(both, START_US, 2) == Held(100, HeldBy.LIMIT, "a", "limit a")
    assert book.admit(asking(claim(1, "c", window_us=20), scopes=("grant:1",)), START_US, 2) == Held(50, HeldBy.WINDOW, "grant:1", "exchange")
    assert book.admit(both._replace(caps=(MAILBOX,)), START_US, 2) == Held(LEASE_US, HeldBy.IN_FLIGHT, "mailbox", "microsoft in flight")


def test_settling_frees_what_was_booked_too_much_and_books_what_was_too_little() -> None:
    book = Book()
    (dear, cheap) = admitted(book, asking(claim(3), claim(1))).receipts
    book.settle(dear, 1, START_US + 10, 2)
    assert used(book) == 2
    book.settle(cheap, 9, START_US + 20, 3)
    assert used(book) == 10
    assert book.admit(asking(claim(1)), START_US + 100, 4) == Held(20, HeldBy.LIMIT, "a", "limit a")


def test_settling_at_the_estimate_or_after_a_window_frees_nothing() -> None:
    book = Book()
    (receipt,) = admitted(book, asking(claim(3))).receipts
    book.settle(receipt, 3, START_US, 2)
    assert used(book) == 3
    admitted(book, asking(claim(4)), START_US + 100, 3)
    book.settle(receipt, 0, START_US + 100, 4)
    assert used(book) == 4


def test_a_receipt_names_the_entry_that_it_was_booked_in() -> None:
    book = Book()
    admitted(book, asking(claim(1, window_us=25600)))
    (joined,) = admitted(book, asking(claim(1, window_us=25600)), START_US + 99, 2).receipts
    (apart,) = admitted(book, asking(claim(1, window_us=25600)), START_US + 100, 3).receipts
    assert (joined.entry_id, apart.entry_id, apart.window_us) == (1, 3, 25600)


def test_a_charge_that_is_moved_counts_from_the_moment_it_is_moved_to() -> None:
    book = Book()
    (receipt,) = admitted(book, asking(claim(4))).receipts
    moved = book.move(receipt, START_US + 60, 2)
    assert (moved, used(book)) == (receipt._replace(entry_id=2), 4)
    assert book.admit(asking(claim(1)), START_US + 100, 3) == Held(60, HeldBy.LIMIT, "a", "limit a")
    book.settle(moved, 3, START_US + 100, 4)
    admitted(book, asking(claim(1)), START_US + 100, 5)


def test_a_charge_is_moved_also_when_its_entry_has_expired() -> None:
    book = Book()
    (receipt,) = admitted(book, asking(claim(4))).receipts
    book.move(receipt, START_US + 150, 2)
    assert used(book) == 4


def test_a_lease_ends_by_itself_unless_it_is_renewed_or_given_back() -> None:
    book = Book()
    admitted(book, asking(caps=[MAILBOX], lease_id="ann"))
    others = asking(caps=[MAILBOX], lease_id="bob")
    assert book.admit(others, START_US + 1, 2) == Held(LEASE_US - 1, HeldBy.IN_FLIGHT, "mailbox", "microsoft in flight")
    admitted(book, asking(caps=[MAILBOX], lease_id="ann"), START_US + 1)
    book.renew("mailbox", "ann", START_US + 10)
    assert book.admit(others, START_US + LEASE_US, 2) == Held(10, HeldBy.IN_FLIGHT, "mailbox", "microsoft in flight")
    admitted(book, others, START_US + LEASE_US + 10)
    book.release("mailbox", "bob")
    admitted(book, asking(caps=[MAILBOX], lease_id="cid"), START_US + LEASE_US + 10)


def test_giving_back_what_nobody_holds_is_harmless() -> None:
    book = Book()
    book.release("mailbox", "ann")
    admitted(book, asking(caps=[MAILBOX], lease_id="ann"))
    book.release("mailbox", "bob")
    assert book.leases == {"mailbox": {"ann": START_US + LEASE_US}}


def test_a_lease_renewed_beyond_the_cap_is_waited_for_too() -> None:
    book = Book()
    admitted(book, asking(caps=[MAILBOX], lease_id="ann"))
    admitted(book, asking(caps=[MAILBOX], lease_id="bob"), START_US + LEASE_US)
    book.renew("mailbox", "ann", START_US + LEASE_US + 10)
    held = book.admit(asking(caps=[MAILBOX]), START_US + LEASE_US + 10, 2)
    assert held == Held(LEASE_US, HeldBy.IN_FLIGHT, "mailbox", "microsoft in flight")


def test_a_window_holds_then_one_probe_goes_and_its_success_reopens_the_scope() -> None:
    book = Book()
    ask = asking(scopes=("grant:1",), lease_id="ann")
    assert book.open_window("grant:1", EXCHANGE, START_US) == 50
    assert book.admit(ask, START_US + 49, 1) == Held(1, HeldBy.WINDOW, "grant:1", "exchange")
    assert admitted(book, ask, START_US + 50).probes == (Probe("grant:1", 50),)
    assert book.admit(ask._replace(lease_id="bob"), START_US + 50, 2) == Held(PROBE_US, HeldBy.WINDOW, "grant:1", "exchange", probing=True)
    book.end_probe("grant:1", "bob", START_US + 50, succeeded=True)
    assert isinstance(book.admit(ask, START_US + 50, 2), Held)
    book.end_probe("grant:1", "ann", START_US + 60, succeeded=True)
    assert admitted(book, ask, START_US + 65) == Admitted((), (), (Reopened("grant:1", 5, 50),))
    assert admitted(book, ask, START_US + 60 + REMEMBERED_US) == Admitted(())
    assert book.windows == {}


def test_how_long_a_window_was_is_told_as_it_has_grown() -> None:
    book = Book()
    ask = asking(scopes=("grant:1",), lease_id="ann")
    book.open_window("grant:1", EXCHANGE, START_US)
    assert book.open_window("grant:1", EXCHANGE, START_US + 50) == 100
    assert admitted(book, ask, START_US + 150).probes == (Probe("grant:1", 100),)
    book.end_probe("grant:1", "ann", START_US + 150, succeeded=True)
    assert admitted(book, ask, START_US + 155).reopened == (Reopened("grant:1", 5, 100),)


def test_a_throttle_after_all_is_forgotten_is_the_first_again() -> None:
    book = Book()
    book.open_window("grant:1", EXCHANGE._replace(probes=False), START_US)
    assert book.open_window("grant:1", EXCHANGE, START_US + 50) == 50
    assert book.open_window("grant:1", EXCHANGE, START_US + 100) == 100
    book.end_probe("grant:2", "ann", START_US, succeeded=True)


def test_a_probe_does_not_go_while_something_else_holds_it() -> None:
    book = Book()
    admitted(book, asking(claim(4)))
    book.open_window("grant:1", EXCHANGE, START_US)
    assert isinstance(book.admit(asking(claim(1), scopes=("grant:1",)), START_US + 50, 2), Held)
    assert admitted(book, asking(scopes=("grant:1",), lease_id="ann"), START_US + 50).probes == (Probe("grant:1", 50),)


def test_a_forecast_counts_from_now() -> None:
    book = Book()
    admitted(book, asking(claim(4)))
    forecasts_us = [book.forecast_us(claim(1), queued, START_US + after_us) for queued, after_us in [(4, 0), (4, 30), (5, 30), (1, 100)]]
    assert forecasts_us == [100, 70, 170, 0]


def test_who_may_go_ahead_is_judged_as_of_now() -> None:
    book = Book()
    admitted(book, asking(claim(3)))
    ahead = [book.lets_pass(claim(1), 2, 70, START_US + after_us) for after_us in (0, 29, 30, 99, 100)]
    assert ahead == [False, False, True, True, True]


def test_sweeping_looks_at_some_logs_at_a_time_and_comes_round_to_all() -> None:
    book = Book()
    admitted(book, asking(claim(1, "long", window_us=SECOND_US)))
    admitted(book, asking(claim(1, "b"), claim(1, "c")))
    left = []
    for _ in range(3):
        book.sweep(START_US + 100, 1)
        left.append(set(book.logs))
    assert left == [{"long", "b", "c"}, {"long", "c"}, {"long"}]


def test_sweeping_keeps_open_windows_and_leases_that_last() -> None:
    book = Book()
    book.open_window("grant:1", EXCHANGE, START_US)
    book.open_window("grant:2", EXCHANGE._replace(probes=False), START_US)
    admitted(book, asking(caps=[MAILBOX], lease_id="ann"))
    book.renew("mailbox", "bob", START_US + 50)
    book.sweep(START_US + LEASE_US)
    assert (set(book.windows), set(book.leases)) == ({"grant:1"}, {"mailbox"})


def test_a_window_that_nobody_asks_for_any_more_is_forgotten_after_a_day() -> None:
    book = Book()
    ends_us = START_US + book.open_window("grant:1", EXCHANGE, START_US)
    book.sweep(ends_us + FORGOTTEN_US - 1)
    assert set(book.windows) == {"grant:1"}
    book.sweep(ends_us + FORGOTTEN_US)
    assert set(book.windows) == set()
