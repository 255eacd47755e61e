"""Other room, patience and rules of repetition while requests wait."""

from __future__ import annotations

from typing import Final

import pytest

from pipeline.adopting import allowing, start, statuses, waiting_room
from pipeline.fast_time import fast_forwarded
from pipeline.scripted import READ, Fails, Says, a_way
from pipeline.told import told
from proxy.core.decide import RetryPolicy
from proxy.core.events import Retried
from proxy.core.retry_budget import CAP, RetryBudget
from proxy.patience import PatienceLimits

LIMITS: Final = PatienceLimits(default_s=1.0, max_s=60.0, client_timeout_s=90.0)


@fast_forwarded
async def test_more_may_wait_as_soon_as_there_is_more_room() -> None:
    async with a_way(settings=waiting_room(1)) as way:
        tasks = await start(way, 2)
        assert (await way.ask(READ)).status == 503
        way.gate.adopt(waiting_room(2))
        tasks += await start(way)
        assert await statuses(tasks) == [200] * 3


@fast_forwarded
async def test_who_waits_where_there_is_less_room_now_stays() -> None:
    async with a_way(settings=waiting_room(3)) as way:
        tasks = await start(way, 3)
        way.gate.adopt(waiting_room(1))
        assert (await way.ask(READ)).status == 503
        assert await statuses(tasks) == [200] * 3


@fast_forwarded
async def test_patience_is_the_new_one_for_who_comes_and_the_old_one_for_who_waits() -> None:
    async with a_way(settings=allowing(1, 8.0)) as way:
        tasks = await start(way, 2)
        way.pipeline.patience.limits = LIMITS
        assert (await way.ask(READ)).status == 429
        assert await statuses(tasks) == [200, 200]
        way.pipeline.patience.limits = LIMITS._replace(max_s=3.0)
        assert (await way.ask(READ, patience="50")).status == 429


@fast_forwarded
async def test_the_time_that_a_route_usually_takes_is_still_known_after_a_change_of_patience() -> None:
    async with a_way(settings=allowing(1, 8.0)) as way:
        await way.ask(READ)
        way.pipeline.patience.note(way.errand(READ).context.route, 800.0)
        way.pipeline.patience.limits = LIMITS._replace(default_s=50.0, client_timeout_s=80.0)
        assert (await way.ask(READ)).status == 429


@fast_forwarded
async def test_who_is_between_two_attempts_is_repeated_by_the_old_rules_and_who_comes_by_the_new_ones() -> None:
    async with a_way(Fails(), Fails(), Says(), Fails(), roll=0.5) as way:
        tasks = await start(way)
        way.pipeline.retrying = way.pipeline.retrying._replace(policy=RetryPolicy(1, 0.5, 20.0))
        assert await statuses(tasks) == [200]
        assert (await way.ask(READ)).status == 502
        assert len(told(way, Retried)) == 2


@pytest.mark.parametrize(("ratio", "repeated"), [(0.0, False), (1.0, True)])
@fast_forwarded
async def test_each_first_attempt_pays_into_the_budget_by_the_new_ratio(ratio: float, repeated: bool) -> None:
    async with a_way(Fails()) as way:
        budget = way.pipeline.retrying.budget
        for _ in range(int(CAP)):
            budget.withdraw()
        budget.ratio = ratio
        await way.ask(READ)
        assert bool(told(way, Retried)) is repeated


def test_another_ratio_leaves_the_tokens_as_they_are() -> None:
    budget = RetryBudget(0.1, 0.0)
    for _ in range(50):
        budget.withdraw()
    budget.ratio = 1.0
    assert budget.share_left(0.0) == 0.5
    budget.deposit()
    assert budget.share_left(0.0) == 0.51
