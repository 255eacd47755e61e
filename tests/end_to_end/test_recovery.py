"""A Gmail mailbox that recovers, over real sockets, judged by the simulator's arrivals."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from end_to_end.rig import rig

if TYPE_CHECKING:
    from pathlib import Path

MESSAGES = "/v3/grants/gmail-a/messages"
EXHAUSTED = f'[[rule]]\nmethod = "GET"\npath = "{MESSAGES}"\ncount = 1\ncorpus = "docs-429-text-resource-exhausted"\n'
# The pace after a window alone would let one go in every second.
SETTINGS = "[limits]\ngmail_recovery_spacing_s = 1.5\n[windows.default_s]\nrate_limit_provider_google = 0.2\n"


async def test_changes_of_a_mailbox_that_recovers_arrive_at_a_distance_and_its_long_lists_are_advised_against(tmp_path: Path) -> None:
    async with rig(tmp_path, EXHAUSTED, SETTINGS) as r:
        before = await r.call("GET", f"{MESSAGES}?limit=50", headers={"X-Nylas-Proxy-Patience": "0"})
        assert (before.status, before.proxy["cause"]) == (429, "rate_limit_provider_google")
        assert before.fields["X-Nylas-Proxy-Advice"].startswith("list_limit: ask for limit=20 or lower")
        changes = await asyncio.gather(*(r.call("POST", "/v3/grants/gmail-a/folders", json={"name": f"folder {number}"}) for number in range(2)))
        assert [change.status for change in changes] == [200, 200]
        arrived_s = [arrival["arrived_s"] for arrival in (await r.seen("arrivals"))["arrivals"] if arrival["method"] == "POST"]
        assert len(arrived_s) == 2
        assert arrived_s[1] - arrived_s[0] >= 1.5
        for items, advised in ((50, True), (20, False)):
            answer = await r.call("GET", f"{MESSAGES}?limit={items}")
            assert (answer.status, "X-Nylas-Proxy-Advice" in answer.fields) == (200, advised)
