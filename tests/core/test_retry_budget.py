from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.retry_budget import RetryBudget


def spent(budget: RetryBudget, now_s: float) -> int:
    """Repeat as often as it allows."""
    repeats = 0
    while budget.has_token(now_s):
        budget.withdraw()
        repeats += 1
    return repeats


def test_it_begins_full() -> None:
    budget = RetryBudget(0.1, 50.0)
    assert budget.share_left(50.0) == 1
    assert spent(budget, 50.0) == 100
    assert budget.share_left(50.0) == 0


def test_ten_first_attempts_pay_for_one_repetition() -> None:
    budget = RetryBudget(0.125, 0.0)
    spent(budget, 0.0)
    for _ in range(7):
        budget.deposit()
    assert not budget.has_token(0.0)
    budget.deposit()
    assert spent(budget, 0.0) == 1


def test_a_quiet_proxy_may_repeat_once_a_second() -> None:
    budget = RetryBudget(0.0, 0.0)
    spent(budget, 0.0)
    assert not budget.has_token(0.75)
    assert spent(budget, 1.0) == 1
    assert spent(budget, 4.5) == 3


def test_no_more_than_a_hundred_are_saved() -> None:
    budget = RetryBudget(0.5, 0.0)
    for _ in range(1000):
        budget.deposit()
    assert spent(budget, 1000.0) == 100


def test_what_is_left_is_told_as_a_share() -> None:
    budget = RetryBudget(0.1, 0.0)
    for _ in range(50):
        budget.withdraw()
    assert budget.share_left(0.0) == 0.5
    assert budget.share_left(10.0) == 0.6


def test_an_overdrawn_budget_has_nothing_left_and_no_less() -> None:
    budget = RetryBudget(0.1, 0.0)
    for _ in range(103):
        budget.withdraw()
    assert budget.share_left(0.0) == 0
    assert spent(budget, 4.0) == 1


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 40)), max_size=60), st.sampled_from([0.0, 0.1, 0.25]))
def test_repetitions_stay_under_the_share_of_the_traffic_and_one_a_second(steps: list[tuple[float, int]], ratio: float) -> None:
    budget = RetryBudget(ratio, 0.0)
    now_s, firsts, repeats = 0.0, 0, 0
    for pause_s, arrivals in steps:
        now_s += pause_s
        for _ in range(arrivals):
            budget.deposit()
        firsts += arrivals
        repeats += spent(budget, now_s)
        assert repeats <= 100 + ratio * firsts + now_s + 1e-6
