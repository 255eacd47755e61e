"""How long to wait before a repetition. `roll` is the dice, from 0 up to 1.

Full jitter spreads those who failed together over the whole time: of the known ways it makes the fewest calls until all have succeeded.
"""

from __future__ import annotations

from typing import Final

JITTER_SHARE: Final = 0.1
JITTER_MAX_S: Final = 30.0

_DOUBLINGS_MAX: Final = 64
"""More would leave what a float can hold, and any cap, behind."""


def full_jitter_s(initial_s: float, cap_s: float, repeats: int, *, roll: float) -> float:
    """Return anything up to `initial_s`, doubled for each of the `repeats` so far, at most `cap_s`."""
    return roll * min(cap_s, initial_s * 2.0 ** min(repeats, _DOUBLINGS_MAX))


def above_floor_s(wait_s: float, floor_s: float | None, *, roll: float) -> float:
    """Return `wait_s`, or what upstream asked for with a little on top, so that not all come back in the same instant; the longer of the two."""
    return wait_s if floor_s is None else max(wait_s, floor_s + roll * min(JITTER_SHARE * floor_s, JITTER_MAX_S))


def growing_s(initial_s: float, waited_s: float, most_s: float, *, roll: float) -> float | None:
    """Return the next wait for what ends by itself: about as long as all before it, `most_s` with them; None when that is over.

    Half of it is sure, so that a short roll does not ask again at once.
    """
    left_s = most_s - waited_s
    if left_s < initial_s:
        return None
    return min(max(initial_s, waited_s), left_s) * (1 + roll) / 2
