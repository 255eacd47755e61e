"""What the way of a request tells of waiting: what held it, whose that is, how long; and of what it was refused for."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from unittest.mock import patch

from pipeline.fast_time import fast_forwarded
from pipeline.scripted import READ, SEND, Says, a_way, daily_quota, exchange_throttle, soon
from pipeline.told import limited, subject, told
from proxy.core.events import HoldEnded, Refused
from proxy.core.model import Cause
from proxy.ledger import LedgerAwayError
from proxy.settings import Settings
from proxy.settings.pacing import Limits, Patience, Providers

WEBHOOKS: Final = b"/v3/webhooks"
MICROSOFT: Final = Settings(providers=Providers(known={"ada": "microsoft"}))


@fast_forwarded
async def test_who_waited_for_a_limit_tells_its_name_whose_it_is_and_how_long() -> None:
    async with a_way(settings=limited()) as way:
        for _ in range(2):
            await way.ask(READ)
        assert told(way, HoldEnded) == [HoldEnded("limit", "v3_messages", "grant", 1.0, enforced=True)]


@fast_forwarded
async def test_who_waited_for_a_limit_of_the_application_tells_so() -> None:
    async with a_way(settings=limited(v3_webhooks={"count": 1})) as way:
        for _ in range(2):
            await way.ask(WEBHOOKS)
        assert told(way, HoldEnded) == [HoldEnded("limit", "v3_webhooks", "application", 1.0, enforced=True)]


@fast_forwarded
async def test_who_waited_for_a_place_in_flight_tells_the_cap() -> None:
    async with a_way(*[Says(takes_s=5.0)] * 3, settings=MICROSOFT) as way:
        await asyncio.gather(*(way.ask(READ) for _ in range(4)))
        assert told(way, HoldEnded) == [HoldEnded("in_flight", "microsoft_in_flight", "grant", 5.0, enforced=True)]


@fast_forwarded
async def test_who_waited_for_a_window_tells_its_cause_and_its_scope() -> None:
    async with a_way(exchange_throttle((b"Retry-After", b"6"))) as way:
        await way.ask(READ, patience="0")
        await way.ask(READ)
        assert told(way, HoldEnded) == [HoldEnded("window", "exchange_throttle", "grant", 6.0, enforced=True)]


@fast_forwarded
async def test_a_repetition_that_waited_for_the_window_of_its_own_throttle_tells_that() -> None:
    async with a_way(exchange_throttle((b"Retry-After", b"6"))) as way:
        assert (await way.ask(READ)).status == 200
        assert told(way, HoldEnded) == [HoldEnded("window", "exchange_throttle", "grant", 6.0, enforced=True)]


@fast_forwarded
async def test_every_one_of_a_line_tells_what_held_its_first() -> None:
    async with a_way(settings=limited()) as way:
        await asyncio.gather(*(way.ask(READ) for _ in range(5)))
        holds = told(way, HoldEnded)
        assert [hold.wait_s for hold in holds] == [1.0, 2.0, 3.0, 4.0]
        assert {hold[:3] for hold in holds} == {("limit", "v3_messages", "grant")}


@fast_forwarded
async def test_who_waited_behind_others_of_whom_nobody_knows_what_holds_them_tells_its_turn() -> None:
    async with a_way() as way:
        admit, asked = way.gate.ledger.admit, asyncio.Event()

        async def slowly(ask: Any) -> Any:
            await asked.wait()
            return await admit(ask)

        with patch.object(way.gate.ledger, "admit", slowly), patch.object(way.turnstile, "_is_crowded", lambda _ask: True):
            task = way.start(READ)
            await asyncio.sleep(2.0)
            asked.set()
            await task
        assert told(way, HoldEnded) == [HoldEnded("turn", "-", "-", 2.0, enforced=True)]


@fast_forwarded
async def test_where_limits_are_only_observed_it_is_told_who_would_have_waited_for_what() -> None:
    async with a_way(settings=limited(mode="observe")) as way:
        for _ in range(2):
            await way.ask(READ)
        assert told(way, HoldEnded) == [HoldEnded("limit", "v3_messages", "grant", 1.0, enforced=False)]
        assert told(way, Refused) == []


@fast_forwarded
async def test_where_limits_are_only_observed_a_window_would_have_held_as_well() -> None:
    async with a_way(exchange_throttle(), settings=Settings(limits=Limits(mode="observe"))) as way:
        for _ in range(2):
            await way.ask(READ)
        assert told(way, HoldEnded) == [HoldEnded("window", "exchange_throttle", "grant", 1200.0, enforced=False)]


@fast_forwarded
async def test_a_refusal_for_a_limit_tells_its_name_whose_request_and_the_wait_that_the_caller_was_told() -> None:
    async with a_way(settings=limited(v3_messages={"count": 1, "per_s": 30.0})) as way:
        await way.ask(READ)
        heard = await way.ask(READ)
        (refused,) = told(way, Refused)
        assert refused[1:7] == (429, Cause.RATE_LIMIT_NYLAS, "limit", "v3_messages", "grant", subject(way))
        assert (refused.route.name, refused.wait_s, heard.field(b"retry-after")) == ("message", 30.0, b"30")


@fast_forwarded
async def test_a_refusal_for_a_window_tells_its_cause_and_its_scope() -> None:
    async with a_way(daily_quota()) as way:
        await way.ask(SEND, "POST", b"a mail")
        await asyncio.sleep(600.0)
        heard = await way.ask(SEND, "POST", b"another")
        (refused,) = told(way, Refused)
        assert refused[1:] == (429, Cause.RATE_LIMIT_PROVIDER_QUOTA, "window", "rate_limit_provider_quota", "sends", subject(way), 3000.0)
        assert heard.field(b"retry-after") == b"3000"


@fast_forwarded
async def test_a_refusal_after_a_wait_tells_the_wait_as_well() -> None:
    async with a_way(*[Says(takes_s=50.0)] * 3, settings=MICROSOFT) as way:
        tasks = [way.start(READ) for _ in range(3)]
        await soon()
        assert (await way.ask(READ, patience="4")).status == 429
        assert told(way, HoldEnded) == [HoldEnded("in_flight", "microsoft_in_flight", "grant", 4.0, enforced=True)]
        assert [refused[3:6] for refused in told(way, Refused)] == [("in_flight", "microsoft_in_flight", "grant")]
        await asyncio.gather(*tasks)


@fast_forwarded
async def test_a_refusal_for_want_of_room_tells_no_limit() -> None:
    async with a_way(settings=limited(Patience(max_waiting=1))) as way:
        await way.ask(READ)
        waiting = way.start(READ)
        await soon()
        heard = await way.ask(READ)
        (refused,) = told(way, Refused)
        assert refused[1:] == (503, Cause.OVERLOADED, "room", "-", "-", subject(way), float(heard.field(b"retry-after") or 0))
        await waiting


@fast_forwarded
async def test_a_refusal_because_nobody_counts_tells_the_ledger() -> None:
    async with a_way() as way:
        with patch.object(way.gate.ledger, "admit", side_effect=LedgerAwayError("away")):
            assert (await way.ask(READ)).status == 503
        (refused,) = way.told
        assert isinstance(refused, Refused)
        assert refused[1:] == (503, Cause.LEDGER_AWAY, "ledger", "-", "-", subject(way), 1.0)
