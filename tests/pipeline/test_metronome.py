"""The pace after a throttle window; the loop's time is fast-forwarded."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from aiolimiter import AsyncLimiter

from pipeline.fast_time import fast_forwarded
from proxy import metronome
from proxy.metronome import INTERVALS_S, Metronomes

SHAKY_S = INTERVALS_S[-1][0]


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


def begun(*scopes: str, ago_s: float = 0.0) -> Metronomes:
    metronomes = Metronomes()
    for scope in scopes:
        metronomes.begin(scope, asyncio.get_running_loop().time() - ago_s)
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
async def test_after_a_minute_nothing_is_paced_any_more() -> None:
    metronomes = begun("scope", ago_s=SHAKY_S)
    assert await beats_s(metronomes, 50, "scope") == [0.0] * 50
    assert not metronomes.concern(["scope"])


@fast_forwarded
async def test_it_forgets_by_itself_what_has_been_open_for_long() -> None:
    metronomes = begun("scope", "late")
    await beats_s(metronomes, 1, "scope", "late")
    loop = asyncio.get_running_loop()
    metronomes.sweep(loop.time() + SHAKY_S - 0.001)
    assert metronomes.concern(["scope"])
    metronomes.sweep(loop.time() + SHAKY_S)
    assert (metronomes._reopened_at, metronomes._limiters) == ({}, {})


@fast_forwarded
async def test_a_second_reopening_does_not_begin_the_pace_anew() -> None:
    metronomes = begun("scope", ago_s=20.0)
    metronomes.begin("scope", asyncio.get_running_loop().time())
    assert await beats_s(metronomes, 3, "scope") == [0.0, 0.1, 0.2]


@fast_forwarded
async def test_a_scope_that_closes_again_begins_slowly_the_next_time() -> None:
    metronomes = begun("scope", ago_s=20.0)
    await beats_s(metronomes, 3, "scope")
    metronomes.end("scope")
    assert not metronomes.concern(["scope"])
    metronomes.begin("scope", asyncio.get_running_loop().time())
    assert await beats_s(metronomes, 3, "scope") == [0.0, 1.0, 2.0]


@fast_forwarded
async def test_who_needs_two_scopes_keeps_the_pace_of_both() -> None:
    metronomes = begun("grant")
    metronomes.begin("sends", asyncio.get_running_loop().time() - 20.0)
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
