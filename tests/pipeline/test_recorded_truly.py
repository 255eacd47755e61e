"""What is recorded and told where something ends early, changes in the middle, or is only observed."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.fast_time import fast_forwarded
from pipeline.scripted import READ, Fails, Says, a_way, soon
from pipeline.told import limited, told
from proxy.core.events import GmailSpent
from proxy.settings import Settings
from proxy.settings.pacing import Limits, Patience, Providers

GOOGLE = Providers(known={"ada": "google"})


@fast_forwarded
async def test_settings_that_are_refused_change_nothing_at_all() -> None:
    async with a_way() as way:
        before = way.turnstile.room
        with pytest.raises(ValueError, match="no_such_limit"):
            way.gate.adopt(Settings(patience=Patience(max_waiting=1), limits=Limits(overrides={"no_such_limit": {"count": 1}})))
        assert way.turnstile.room == before


@fast_forwarded
async def test_who_is_held_by_a_limit_of_the_profile_before_is_still_told_whose_it_is() -> None:
    before = Settings(limits=Limits(overrides={"gmail_user_second": {"count": 5, "per_s": 60.0}}), providers=GOOGLE)
    async with a_way(Fails(takes_s=1.0), settings=before) as way:
        asking = way.start(READ)
        await soon()
        way.gate.adopt(Settings(limits=Limits(gmail_profile="2026"), providers=GOOGLE))
        heard = await asking
        assert "gmail_user_second" in heard.body["message"]
        assert heard.proxy["cause"] == "rate_limit_provider_google"


@pytest.mark.parametrize(("script", "settings", "left_after_s"), [((Says(),), limited(v3_messages={"count": 1, "per_s": 9.0}), 5.0), ((), None, 0.1)])
@fast_forwarded
async def test_who_leaves_while_it_waits_is_recorded_as_having_waited_so_long(
    script: tuple[Says, ...], settings: Settings | None, left_after_s: float
) -> None:
    async with a_way(*script, Fails(), settings=settings or Settings(), roll=1.0) as way:
        for _ in script:
            await way.ask(READ)
        errand = way.errand(READ)
        running = asyncio.get_running_loop().create_task(way.pipeline.run(errand))
        await asyncio.sleep(left_after_s)
        running.cancel()
        await asyncio.wait([running])
        way.pipeline.leave(errand)
        assert errand.waited_s == pytest.approx(left_after_s)


@fast_forwarded
async def test_where_limits_are_only_observed_units_beyond_the_limit_are_told_as_well() -> None:
    settings = Settings(limits=Limits(mode="observe", overrides={"gmail_user_second": {"count": 5}}), providers=GOOGLE)
    usage = ((b"Nylas-Gmail-Quota-Usage", b"7"),)
    async with a_way(Says(fields=usage), Says(fields=usage), settings=settings) as way:
        await way.ask(READ)
        await way.ask(READ)
        assert told(way, GmailSpent) == [GmailSpent(7)] * 2
