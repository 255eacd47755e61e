"""Other limits and windows while requests wait: what comes goes by the new ones, who waits goes on with what it has asked, and nobody is lost."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

import pytest

from pipeline.adopting import allowing, start, statuses, waiting_room
from pipeline.fast_time import fast_forwarded
from pipeline.scripted import READ, Crashes, Fails, Says, a_way, exchange_throttle, nylas_error
from pipeline.told import told
from proxy.core.events import HoldEnded
from proxy.settings import Settings
from proxy.settings.pacing import Limits, Providers, Windows

if TYPE_CHECKING:
    from proxy.settings.kinds import Override

BOB: Final = b"/v3/grants/bob/messages/m1"
LIST: Final = b"/v3/grants/ada/messages?limit=50"
MICROSOFT: Final = Providers(known={"ada": "microsoft"})
EXHAUSTED: Final = nylas_error(429, "rate_limit_error", "Resource has been exhausted (e.g. check quota)")


@pytest.mark.parametrize(
    ("before", "after", "times_s"), [((1, 1.0), (3, 1.0), [0.0, 10.0, 10.0, 10.0]), ((3, 1.0), (1, 2.0), [0.0, 10.0, 12.0, 14.0])]
)
@fast_forwarded
async def test_a_limit_holds_as_the_new_settings_say(before: tuple[int, float], after: tuple[int, float], times_s: list[float]) -> None:
    async with a_way(settings=allowing(*before)) as way:
        await way.ask(READ)
        await asyncio.sleep(10.0)
        way.gate.adopt(allowing(*after))
        await asyncio.gather(*(way.ask(READ) for _ in range(3)))
        assert way.upstream.times_s == times_s


@pytest.mark.parametrize("after", [allowing(100), allowing(1, 50.0), allowing(1, 2.0, mode="observe"), Settings()])
@fast_forwarded
async def test_who_waits_for_a_limit_goes_on_with_what_it_has_asked(after: Settings) -> None:
    async with a_way(settings=allowing(1, 2.0)) as way:
        tasks = await start(way, 4)
        way.gate.adopt(after)
        assert await statuses(tasks) == [200] * 4
        assert way.upstream.times_s == [0.0, 2.0, 4.0, 6.0]
        assert [hold.name for hold in told(way, HoldEnded)] == ["v3_messages"] * 3


@fast_forwarded
async def test_what_went_before_counts_against_the_new_limit() -> None:
    async with a_way(settings=allowing(2, 10.0)) as way:
        await asyncio.gather(way.ask(READ), way.ask(READ))
        way.gate.adopt(allowing(3, 10.0))
        heard = [await way.ask(READ, patience="0") for _ in range(2)]
        assert [each.status for each in heard] == [200, 429]


@fast_forwarded
async def test_a_limit_that_is_kept_no_more_holds_nobody_and_loses_nobody() -> None:
    kept: dict[str, Override] = {"imap_account": {"count": 1, "per_s": 4.0}}
    of_imap = Providers(known={"ada": "imap"})
    async with a_way(settings=Settings(limits=Limits(headroom=0.0, overrides=kept), providers=of_imap)) as way:
        tasks = await start(way, 3)
        way.gate.adopt(Settings(limits=Limits(headroom=0.0), providers=of_imap))
        tasks += await start(way, 2)
        assert await statuses(tasks) == [200] * 5
        assert way.upstream.times_s == [0.0, 0.0, 0.0, 4.0, 8.0]


@fast_forwarded
async def test_the_headroom_is_the_new_one() -> None:
    async with a_way(settings=allowing()) as way:
        await way.ask(READ)
        await asyncio.sleep(5.0)
        way.gate.adopt(allowing(headroom=0.5))
        await asyncio.gather(way.ask(READ), way.ask(READ))
        assert way.upstream.times_s == [0.0, 5.0, 6.5]


@pytest.mark.parametrize(("headroom", "second_s"), [(0.0, 1.04), (0.5, 1.5)])
@fast_forwarded
async def test_what_leaves_late_is_booked_again_by_the_new_headroom(headroom: float, second_s: float) -> None:
    async with a_way(settings=allowing(headroom=0.05), connect_s=0.04) as way:
        way.gate.adopt(allowing(headroom=headroom))
        await way.ask(READ)
        way.upstream.connect_s = 0.0
        await way.ask(READ)
        assert way.upstream.times_s == [0.04, second_s]


@fast_forwarded
async def test_once_limits_are_only_observed_who_comes_goes_at_once_and_who_waits_in_its_turn() -> None:
    async with a_way(settings=allowing(1, 3.0)) as way:
        tasks = await start(way, 3)
        way.gate.adopt(allowing(1, 3.0, mode="observe"))
        heard = await way.ask(READ)
        assert heard.field(b"x-nylas-proxy-would-hold") == b"3.000"
        assert await statuses(tasks) == [200] * 3
        assert way.upstream.times_s == [0.0, 0.0, 3.0, 6.0]


@fast_forwarded
async def test_once_limits_are_enforced_what_was_observed_before_counts() -> None:
    async with a_way(settings=allowing(mode="observe")) as way:
        await asyncio.gather(way.ask(READ), way.ask(READ))
        way.gate.adopt(allowing())
        await way.ask(READ)
        assert way.upstream.times_s == [0.0, 0.0, 1.0]
        assert [hold.enforced for hold in told(way, HoldEnded)] == [False, True]


@fast_forwarded
async def test_places_in_flight_that_were_had_before_are_given_back() -> None:
    fewer = Limits(overrides={"microsoft_in_flight": {"count": 1}})
    async with a_way(*[Says(takes_s=5.0)] * 4, settings=Settings(providers=MICROSOFT)) as way:
        tasks = await start(way, 4)
        way.gate.adopt(Settings(limits=fewer, providers=MICROSOFT))
        tasks += await start(way, patience="60")
        assert await statuses(tasks) == [200] * 5
        assert way.upstream.times_s == [0.0, 0.0, 0.0, 5.0, 10.0]
        assert way.leases() == 0


@fast_forwarded
async def test_a_throttle_that_names_no_time_closes_for_as_long_as_the_new_settings_say() -> None:
    async with a_way(exchange_throttle(), exchange_throttle()) as way:
        await way.ask(READ, patience="0")
        way.gate.adopt(Settings(windows=Windows(default_s={"exchange_throttle": 8.0})))
        assert (await way.ask(READ, patience="0")).proxy["retry_after_s"] == 1200
        assert (await way.ask(BOB, patience="0")).proxy["retry_after_s"] == 8


@fast_forwarded
async def test_who_waits_for_a_window_goes_when_that_ends() -> None:
    async with a_way(exchange_throttle((b"Retry-After", b"6"))) as way:
        await way.ask(READ, patience="0")
        tasks = await start(way, 2)
        way.gate.adopt(allowing(1, 1.0))
        assert await statuses(tasks) == [200, 200]
        assert way.upstream.times_s[1] == 6.0


@fast_forwarded
async def test_a_mailbox_that_recovers_goes_on_recovering_by_the_new_settings() -> None:
    async with a_way(EXHAUSTED, settings=allowing(100, gmail_recovery_s=60.0)) as way:
        await way.ask(READ, retry="never")
        await asyncio.sleep(6.0)
        for spacing_s in (2.0, 3.0):
            way.gate.adopt(allowing(100, gmail_recovery_spacing_s=spacing_s, gmail_recovery_s=5.0))
        assert (await way.ask(LIST)).field(b"x-nylas-proxy-advice") is not None
        await asyncio.sleep(10.0)
        first_s = way.upstream.times_s[0] + 16.0
        await asyncio.gather(*(way.ask(READ, "PUT", b"{}") for _ in range(3)))
        assert [round(at_s - first_s, 3) for at_s in way.upstream.times_s[2:]] == [0.0, 3.0, 6.0]
        await asyncio.sleep(60.0)
        heard = [await way.ask(READ, "PUT", b"{}", patience="0") for _ in range(2)]
        assert [each.status for each in heard] == [200, 200]


OTHERS: Final = (
    *(allowing(count, per_s) for count in (1, 3, 50) for per_s in (0.5, 4.0)),
    *(allowing(2, 2.0, mode="observe"), allowing(2, 1.0, headroom=0.5), allowing(2, 1.0, reserve=0.5), allowing(9, gmail_profile="2026")),
    *(waiting_room(1), waiting_room(50), Settings(windows=Windows(default_s={"exchange_throttle": 2.0}))),
)


@pytest.mark.parametrize("seed", range(12))
@fast_forwarded
async def test_whatever_is_changed_whenever_nobody_who_waits_is_lost(seed: int) -> None:
    dice = random.Random(seed)
    throttle = exchange_throttle((b"Retry-After", b"3"))
    answers: list[Says | Fails | Crashes] = [Says(takes_s=dice.random()), throttle, EXHAUSTED, Fails(), Says(), Says(body_s=1.0)]
    async with a_way(*dice.choices(answers, k=20), settings=dice.choice(OTHERS), roll=0.5) as way:
        tasks = []
        for number in range(60):
            target, method = dice.choice([(READ, "GET"), (READ, "PUT"), (BOB, "GET"), (b"/v3/webhooks", "GET")])
            tasks.append(way.start(target, method, b"{}" if method == "PUT" else b"", patience=dice.choice(["0", "5", "60"])))
            await asyncio.sleep(dice.random() * 0.4)
            if dice.random() < 0.4:
                way.gate.adopt(dice.choice(OTHERS))
            if not number % 9:
                dice.choice(tasks).cancel()
        done, lost = await asyncio.wait(tasks, timeout=300.0)
        assert lost == set()
        assert {task.result().status for task in done if not task.cancelled()} <= {200, 429, 502, 503}
