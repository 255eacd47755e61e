"""Two proxies that share a Redis keep one limit together, and one's throttle window holds the other back."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from end_to_end.rig import rig
from end_to_end.test_promises import AT_ONCE, LIMITS, OVERRIDES, THROTTLED, early_knocks

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.conftest import Server


@pytest.fixture
def shared(server: Server, tmp_path: Path) -> str:
    key = tmp_path / "identity.key"
    key.write_bytes(b"an identity key of some length")
    return f'[redis]\nurl = "{server.url}"\nreplicas = 2\ncommand_timeout_ms = 1000\n[identity]\nkey_file = "{key}"\n'


async def test_two_proxies_keep_one_limit_together(shared: str, tmp_path: Path) -> None:
    async with rig(tmp_path, LIMITS, OVERRIDES + shared, proxies=2) as r:
        answers = await asyncio.gather(*(r.call("GET", "/v3/grants/nylas-a/messages", through=number % 2) for number in range(100)))
        assert Counter(answer.status for answer in answers) == {200: 100}
        assert (await r.seen("limits"))["refused"] == 0


async def test_a_window_that_one_proxy_has_opened_holds_the_other_back(shared: str, tmp_path: Path) -> None:
    async with rig(tmp_path, THROTTLED, "[windows.default_s]\nexchange_throttle = 1\n" + shared, proxies=2) as r:
        assert (await r.call("GET", "/v3/grants/ews-a/messages", headers=AT_ONCE)).proxy["origin"] == "provider"
        held = await r.call("GET", "/v3/grants/ews-a/messages", through=1, headers=AT_ONCE)
        assert (held.status, held.proxy["cause"], held.proxy["origin"]) == (429, "exchange_throttle", "proxy")
        assert (await r.call("GET", "/v3/grants/ews-a/messages", through=1)).status == 200
        assert early_knocks(await r.seen("limits")) == []
