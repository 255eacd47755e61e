"""Mailboxes that are looked up get the limits of their providers, and hold under every name, over real sockets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from end_to_end.rig import rig
from end_to_end.test_promises import AT_ONCE, early_knocks, statuses
from end_to_end.test_shared import shared

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.conftest import Server

    from end_to_end.rig import Rig

__all__ = ["shared"]
DISCOVER = "[providers]\ndiscover = true\n"
TURNS_MAX = 500


async def met(r: Rig, grant: str, *, through: int = 0) -> None:
    """A first request, and until the look-up beside it has been answered."""
    assert (await r.call("GET", f"/v3/grants/{grant}/folders", through=through)).status == 200
    for _ in range(TURNS_MAX):
        if any(arrival["outcome"] == "answered" for arrival in await look_ups(r, grant)):
            return


async def look_ups(r: Rig, grant: str) -> list[dict[str, object]]:
    return [arrival for arrival in (await r.seen("arrivals"))["arrivals"] if arrival["target"] == f"/v3/grants/{grant}"]


async def learned(server: Server, count: int) -> None:
    """Until the proxies have told each other so much."""
    with server.client() as client:
        for _ in range(TURNS_MAX):
            if len(client.keys("*:learned:*")) == count:
                return
            await asyncio.sleep(0.01)


async def test_a_microsoft_mailbox_that_nobody_named_gets_its_cap(tmp_path: Path) -> None:
    slow = '[[rule]]\npath = "/v3/grants/microsoft-a/messages"\ncount = 20\ndelay_s = 0.05\n'
    async with rig(tmp_path, slow, DISCOVER) as r:
        await met(r, "microsoft-a")
        answers = await asyncio.gather(*(r.call("GET", "/v3/grants/microsoft-a/messages") for _ in range(20)))
        assert statuses(list(answers)) == {200: 20}
        seen = await r.seen("limits")
        assert (seen["refused"], seen["limits"]["microsoft_in_flight"]["most"]) == (0, 3)


async def test_a_window_opened_under_the_address_holds_under_the_id(tmp_path: Path) -> None:
    throttled = '[[rule]]\npath = "/v3/grants/ews-a@example.com/messages"\ncount = 1\nthrottle_s = 30\n'
    async with rig(tmp_path, throttled, DISCOVER) as r:
        await met(r, "ews-a")
        first = await r.call("GET", "/v3/grants/ews-a@example.com/messages", headers=AT_ONCE)
        held = await r.call("GET", "/v3/grants/EWS-A/messages", headers=AT_ONCE)
        assert (first.proxy["origin"], held.proxy["origin"], held.proxy["cause"]) == ("provider", "proxy", "exchange_throttle")
        assert early_knocks(await r.seen("limits")) == []


async def test_what_one_proxy_has_looked_up_the_other_knows(shared: str, server: Server, tmp_path: Path) -> None:
    throttled = '[[rule]]\npath = "/v3/grants/ews-a/messages"\ncount = 1\nthrottle_s = 30\n'
    async with rig(tmp_path, throttled, DISCOVER + shared, proxies=2) as r:
        await met(r, "ews-a")
        await learned(server, 2)
        assert (await r.call("GET", "/v3/grants/ews-a@example.com/folders", through=1)).status == 200
        assert (await r.call("GET", "/v3/grants/ews-a/messages", headers=AT_ONCE)).status == 429
        held = await r.call("GET", "/v3/grants/ews-a@example.com/messages", through=1, headers=AT_ONCE)
        assert (held.status, held.proxy["origin"]) == (429, "proxy")
        assert (len(await look_ups(r, "ews-a")), await look_ups(r, "ews-a@example.com")) == (1, [])
