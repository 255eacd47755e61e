"""The pace after a throttle window; the loop's time is fast-forwarded."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from aiolimiter import AsyncLimiter

from pipeline.fast_time import fast_forwarded
from proxy import metronome
from proxy.metronome import LONGEST_S, Metronomes


@pytest.fixture(autouse=True)
def _rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that is full but for a rounding error asks again in no time, and a loop whose clock stands still meanwhile would never get there."""
    monkeypatch.setattr(metronome, "AsyncLimiter", lambda rate, interval_s: AsyncLimiter(rate + 1e-6, interval_s))


async def beats_s(metronomes: Metronomes, count: int, *scopes: str) -> list[float]:
    """When so many in a row may go, in seconds from now."""
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    beats = []
    for _ in range(count):
        await metronomes.tick(scopes)
        beats.append(round(loop.time() - began_at, 3))
    return beats


def begun(*scopes: str, ago_s: float = 0.0, window_s: float = LONGEST_S) -> Metronomes:
    metronomes = Metronomes()
    for scope in scopes:
        metronomes.begin(scope, window_s, ago_s)
    return metronomes


@fast_forwarded
async def test_what_has_not_reopened_is_not_paced() -> None:
    metronomes = begun("other")
    assert await beats_s(metronomes, 50, "scope") == [0.0] * 50
    assert not metronomes.concern(["scope"])
    assert metronomes.concern(["scope", "other"])


@fast_forwarded
async def test_it_begins_with_one_a_second() -> None:
    assert await beats_s(begun("scope"), 5, "scope") == [0.0, 1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(("ago_s", "interval_s"), [(0.0, 1.0), (5.0, 0.5), (10.0, 0.2), (20.0, 0.1), (40.0, 0.05)])
@fast_forwarded
async def test_the_longer_ago_the_faster(ago_s: float, interval_s: float) -> None:
    beats = await beats_s(begun("scope", ago_s=ago_s), 5, "scope")
    assert [round(later - earlier, 3) for earlier, later in pairwise(beats)] == [interval_s] * 4


@fast_forwarded
async def test_it_rises_by_steps_of_which_none_is_skipped() -> None:
    beats = await beats_s(begun("scope"), 500, "scope")
    counts = [sum(since_s <= at_s < until_s for at_s in beats) for since_s, until_s in pairwise([0.0, 5.0, 10.0, 20.0])]
    assert counts == [pytest.approx(5, abs=1), pytest.approx(10, abs=1), pytest.approx(50, abs=1)]


@fast_forwarded
async def test_no_two_go_in_the_same_instant_where_the_pace_rises() -> None:
    beats = await beats_s(begun("scope"), 60, "scope")
    assert all(later > earlier for earlier, later in pairwise(beats))


@fast_forwarded
async def test_a_window_of_twenty_minutes_is_followed_by_the_same_pace_as_one_of_a_minute() -> None:
    assert await beats_s(begun("scope", window_s=1200.0), 60, "scope") == await beats_s(begun("scope"), 60, "scope")


@pytest.mark.parametrize(("window_s", "first_beats_s"), [(1.0, [0.0, 0.017, 0.033, 0.05]), (5.0, [0.0, 0.083, 0.167, 0.25])])
@fast_forwarded
async def test_the_shorter_the_window_was_the_faster_the_pace_begins(window_s: float, first_beats_s: list[float]) -> None:
    assert await beats_s(begun("scope", window_s=window_s), 4, "scope") == first_beats_s


@fast_forwarded
async def test_after_a_short_window_as_many_go_in_its_time_as_in_a_minute_after_a_long_one() -> None:
    long, short = [await beats_s(begun("scope", window_s=window_s), 1000, "scope") for window_s in (LONGEST_S, 30.0)]
    assert short == [pytest.approx(at_s / 2, abs=0.01) for at_s in long]


@pytest.mark.parametrize("window_s", [1200.0, LONGEST_S, 5.0, 1.0])
@fast_forwarded
async def test_what_is_told_once_its_pace_is_over_begins_none(window_s: float) -> None:
    assert begun("scope", ago_s=min(window_s, LONGEST_S) - 0.001, window_s=window_s).concern(["scope"])
    metronomes = begun("scope", ago_s=min(window_s, LONGEST_S), window_s=window_s)
    assert not metronomes.concern(["scope"])
    assert metronomes._ramps == {}


@fast_forwarded
async def test_after_a_minute_nothing_is_paced_any_more() -> None:
    metronomes = begun("scope")
    await asyncio.sleep(LONGEST_S)
    assert await beats_s(metronomes, 50, "scope") == [0.0] * 50
    assert not metronomes.concern(["scope"])


@fast_forwarded
async def test_it_forgets_by_itself_what_has_been_open_for_long() -> None:
    metronomes = begun("scope", "late")
    metronomes.begin("short", 5.0)
    await beats_s(metronomes, 1, "scope", "late", "short")
    loop = asyncio.get_running_loop()
    metronomes.sweep(loop.time() + 5.0)
    assert (set(metronomes._ramps), set(metronomes._limiters)) == ({"scope", "late"}, {"scope", "late"})
    metronomes.sweep(loop.time() + LONGEST_S - 0.001)
    assert metronomes.concern(["scope"])
    metronomes.sweep(loop.time() + LONGEST_S)
    assert (metronomes._ramps, metronomes._limiters) == ({}, {})


@fast_forwarded
async def test_a_second_reopening_does_not_begin_the_pace_anew() -> None:
    metronomes = begun("scope", ago_s=20.0)
    metronomes.begin("scope", LONGEST_S)
    assert await beats_s(metronomes, 3, "scope") == [0.0, 0.1, 0.2]


@fast_forwarded
async def test_what_was_paced_and_not_asked_for_since_is_paced_by_the_next_window() -> None:
    metronomes = begun("scope", window_s=5.0)
    await asyncio.sleep(5.0)
    assert not metronomes.concern(["scope"])
    metronomes.begin("scope", LONGEST_S)
    assert await beats_s(metronomes, 3, "scope") == [0.0, 1.0, 2.0]


@fast_forwarded
async def test_a_scope_that_closes_again_begins_slowly_the_next_time() -> None:
    metronomes = begun("scope", ago_s=20.0)
    await beats_s(metronomes, 3, "scope")
    metronomes.end("scope")
    assert not metronomes.concern(["scope"])
    metronomes.begin("scope", LONGEST_S)
    assert await beats_s(metronomes, 3, "scope") == [0.0, 1.0, 2.0]


@fast_forwarded
async def test_who_needs_two_scopes_keeps_the_pace_of_both() -> None:
    metronomes = begun("grant")
    metronomes.begin("sends", LONGEST_S, 20.0)
    assert await beats_s(metronomes, 3, "grant", "sends") == [0.0, 1.0, 2.0]


@fast_forwarded
async def test_one_scope_does_not_slow_another() -> None:
    metronomes = begun("one", "other")
    assert await beats_s(metronomes, 2, "one") == [0.0, 1.0]
    assert await beats_s(metronomes, 1, "other") == [0.0]


@fast_forwarded
async def test_who_leaves_while_it_waits_for_its_beat_holds_up_nobody() -> None:
    metronomes = begun("scope")
    await metronomes.tick(["scope"])
    leaving = asyncio.get_running_loop().create_task(metronomes.tick(["scope"]))
    await asyncio.sleep(0.5)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert await beats_s(metronomes, 2, "scope") == [0.5, 1.5]
