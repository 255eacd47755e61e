"""A caller hears of a throttle when all proxies know of it, so that it cannot come through another one before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from unittest.mock import patch

from pipeline.fast_time import fast_forwarded
from pipeline.scripted import READ, a_way, exchange_throttle, nylas_error, soon

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pipeline.scripted import Way

BOB = b"/v3/grants/bob/messages/m1"


class FarLedger:
    """Says when the others know."""

    def __init__(self) -> None:
        self.know = asyncio.Event()
        self.asked = 0

    async def announced(self) -> None:
        self.asked += 1
        await self.know.wait()

    def in_place_of(self, way: Way) -> AbstractContextManager[object]:
        return patch.object(way.admission._ledger, "announced", self.announced)


@fast_forwarded
async def test_a_throttle_is_told_to_its_caller_after_all_proxies_know_and_holds_here_before() -> None:
    async with a_way(exchange_throttle(body_s=1.0)) as way:
        far = FarLedger()
        with far.in_place_of(way):
            throttled = way.start(READ)
            await asyncio.sleep(2.0)
            assert (far.asked, throttled.done()) == (1, False)
            assert (await way.ask(READ, patience="0")).proxy["origin"] == "proxy"
            assert (await way.ask(BOB, patience="0")).status == 200
            far.know.set()
            assert (await throttled).proxy["origin"] == "provider"


@fast_forwarded
async def test_an_answer_that_closes_no_door_is_told_at_once() -> None:
    async with a_way(nylas_error(404, "not_found_error")) as way:
        far = FarLedger()
        with far.in_place_of(way):
            assert (await way.ask(READ)).status == 404
            assert far.asked == 0


@fast_forwarded
async def test_a_caller_who_leaves_before_all_know_leaves_nothing_behind() -> None:
    async with a_way(exchange_throttle()) as way:
        far = FarLedger()
        with far.in_place_of(way):
            throttled = way.start(READ)
            await soon()
            throttled.cancel()
            await asyncio.wait([throttled])
            assert (far.asked, throttled.cancelled()) == (1, True)
