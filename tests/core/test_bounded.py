"""Tables that forget."""

from __future__ import annotations

from proxy.core.bounded import forget_oldest


def test_nothing_is_forgotten_up_to_the_bound() -> None:
    table = dict.fromkeys(range(100))
    forget_oldest(table, 100)
    assert list(table) == list(range(100))


def test_the_oldest_tenth_is_forgotten_beyond_the_bound() -> None:
    table = dict.fromkeys(range(101))
    forget_oldest(table, 100)
    assert list(table) == list(range(11, 101))
