from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.core.backoff import above_floor_s, full_jitter_s, growing_s

ROLLS = st.floats(0, 1, exclude_max=True)
SECONDS = st.floats(0.01, 100)
REPEATS = st.integers(0, 2000)


@given(SECONDS, SECONDS, REPEATS, ROLLS)
def test_a_backoff_never_passes_its_cap(initial_s: float, cap_s: float, repeats: int, roll: float) -> None:
    assert 0 <= full_jitter_s(initial_s, cap_s, repeats, roll=roll) <= cap_s


@given(SECONDS, SECONDS, REPEATS, ROLLS, ROLLS)
def test_a_backoff_shrinks_with_the_roll(initial_s: float, cap_s: float, repeats: int, one: float, two: float) -> None:
    lower, higher = sorted((one, two))
    assert full_jitter_s(initial_s, cap_s, repeats, roll=lower) <= full_jitter_s(initial_s, cap_s, repeats, roll=higher)
    assert full_jitter_s(initial_s, cap_s, repeats, roll=0.0) == 0


def test_a_backoff_doubles_until_its_cap() -> None:
    assert [full_jitter_s(0.5, 20, repeats, roll=0.5) for repeats in range(7)] == [0.25, 0.5, 1, 2, 4, 8, 10]


@given(SECONDS, st.floats(0, 100_000), ROLLS)
def test_what_upstream_asked_for_is_a_floor_with_a_little_on_top(wait_s: float, floor_s: float, roll: float) -> None:
    assert max(wait_s, floor_s) <= above_floor_s(wait_s, floor_s, roll=roll) <= max(wait_s, floor_s * 1.1, floor_s)
    assert above_floor_s(wait_s, floor_s, roll=roll) <= max(wait_s, floor_s + 30)


def test_the_little_on_top_is_a_tenth_and_at_most_half_a_minute() -> None:
    assert [above_floor_s(0, floor_s, roll=0.5) for floor_s in (2.0, 100.0, 1200.0)] == [2.1, 105, 1215]
    assert above_floor_s(0.3, None, roll=0.5) == 0.3


@given(st.lists(ROLLS, min_size=20, max_size=20), st.floats(0.1, 2), st.floats(0, 30))
def test_growing_waits_end_within_their_bound_and_after_few(rolls: list[float], initial_s: float, most_s: float) -> None:
    waited_s, waits = 0.0, 0
    for roll in rolls:
        wait_s = growing_s(initial_s, waited_s, most_s, roll=roll)
        if wait_s is None:
            break
        assert wait_s >= min(initial_s, most_s - waited_s) / 2
        waited_s, waits = waited_s + wait_s, waits + 1
    else:
        raise AssertionError("did not end")
    assert waited_s <= most_s + 1e-9
    assert most_s - waited_s < initial_s


def test_a_growing_wait_is_about_as_long_as_all_before_it() -> None:
    assert [growing_s(0.5, waited_s, 20, roll=0.0) for waited_s in (0, 0.5, 4, 15, 19.6)] == [0.25, 0.25, 2, 2.5, None]
    assert growing_s(0.5, 4, 20, roll=0.5) == 3
