"""What the product exists for, over real sockets: the simulator judges by its own arrivals and an algorithm of its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from end_to_end.rig import proxy, rig, simulator

if TYPE_CHECKING:
    from pathlib import Path

    from end_to_end.rig import Answer

SMALL = "v3_messages = { count = 20, per_s = 0.2 }\nv3_grants = { count = 10, per_s = 0.2 }\n"
# More headroom than usual: of windows so short the usual share is less than what a busy machine keeps a packet waiting.
LIMITS, OVERRIDES = f"[limits]\n{SMALL}", f"[limits]\nheadroom = 0.5\n[limits.overrides]\n{SMALL}"
AT_ONCE = {"X-Nylas-Proxy-Patience": "0"}


def statuses(answers: list[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


async def test_a_burst_of_one_mailbox_is_held_so_that_no_limit_is_hit(tmp_path: Path) -> None:
    async with rig(tmp_path, LIMITS, OVERRIDES) as r:
        answers = await asyncio.gather(*(r.call("GET", "/v3/grants/nylas-a/messages") for _ in range(100)))
        assert statuses(list(answers)) == {200: 100}
        assert sum(float(answer.fields["X-Nylas-Proxy-Waited"]) > 0 for answer in answers) >= 60
        seen = await r.seen("limits")
        assert (seen["refused"], seen["limits"]["v3_messages"]["admitted"]) == (0, 100)


async def test_without_the_proxys_help_the_same_burst_is_refused(tmp_path: Path) -> None:
    async with rig(tmp_path, LIMITS, "[retry]\nmax_attempts = 1\n" + OVERRIDES.replace("[limits]", '[limits]\nmode = "observe"', 1)) as r:
        answers = await asyncio.gather(*(r.call("GET", "/v3/grants/nylas-a/messages") for _ in range(100)))
        assert statuses(list(answers))[429] > 0
        assert any("X-Nylas-Proxy-Would-Hold" in answer.fields for answer in answers)


async def test_mailboxes_share_the_applications_limit_without_hitting_it(tmp_path: Path) -> None:
    async with rig(tmp_path, LIMITS, OVERRIDES) as r:
        answers = await asyncio.gather(*(r.call("GET", f"/v3/grants/nylas-{number % 4}") for number in range(40)))
        assert statuses(list(answers)) == {200: 40}
        assert (await r.seen("limits"))["refused"] == 0


async def test_the_impatient_are_told_at_once_and_honestly(tmp_path: Path) -> None:
    long = "v3_messages = { count = 5, per_s = 60.0 }\n"
    async with rig(tmp_path, f"[limits]\n{long}", f"[limits.overrides]\n{long}") as r:
        for _ in range(5):
            await r.call("GET", "/v3/grants/nylas-a/messages")
        refused = await r.call("GET", "/v3/grants/nylas-a/messages", headers=AT_ONCE)
        told = {key: refused.proxy[key] for key in ("cause", "origin", "scope")}
        assert (refused.status, told) == (429, {"cause": "rate_limit_nylas", "origin": "proxy", "scope": "grant"})
        assert 55 <= int(refused.fields["Retry-After"]) <= 91
        assert (refused.fields["X-Nylas-Proxy-Waited"], refused.fields["X-Nylas-Proxy-Attempts"]) == ("0", "0")
        assert (await r.seen("limits"))["limits"]["v3_messages"]["admitted"] == 5


THROTTLED = '[[rule]]\nmethod = "GET"\npath = "/v3/grants/ews-a/messages"\ncount = 1\nthrottle_s = 1.5\n'


def early_knocks(report: dict[str, Any]) -> list[float]:
    return [knock["after_told_s"] for window in report["windows"] for knock in window["knocks"]]


async def test_nobody_knocks_at_a_throttled_mailbox_and_its_neighbour_notices_nothing(tmp_path: Path) -> None:
    async with rig(tmp_path, THROTTLED, "[windows.default_s]\nexchange_throttle = 1\n") as r:
        first = await r.call("GET", "/v3/grants/ews-a/messages", headers=AT_ONCE)
        assert (first.status, first.proxy["cause"], first.proxy["origin"]) == (429, "exchange_throttle", "provider")
        for _ in range(10):
            held = await r.call("GET", "/v3/grants/ews-a/messages", headers=AT_ONCE)
            assert (held.status, held.proxy["cause"], held.proxy["origin"]) == (429, "exchange_throttle", "proxy")
            assert (await r.call("GET", "/v3/grants/nylas-b/messages", headers=AT_ONCE)).status == 200
        patient = await r.call("GET", "/v3/grants/EWS-A/messages")
        assert patient.status == 200
        assert early_knocks(await r.seen("limits")) == []


async def test_a_window_survives_a_restart(tmp_path: Path) -> None:
    settings = f'[windows]\njournal = "{tmp_path / "windows.json"}"\n'
    async with simulator(tmp_path, THROTTLED.replace("1.5", "30")) as nylas:
        import aiohttp

        from end_to_end.rig import Rig

        async with aiohttp.ClientSession() as session:
            for expected in ("provider", "proxy"):
                async with proxy(tmp_path, nylas, settings) as url:
                    answer = await Rig(session, [url], nylas).call("GET", "/v3/grants/ews-a/messages", headers=AT_ONCE)
                    assert (answer.status, answer.proxy["cause"], answer.proxy["origin"]) == (429, "exchange_throttle", expected)
            assert early_knocks(await Rig(session, [], nylas).seen("limits")) == []


async def test_no_mail_is_sent_twice_and_everybody_is_told_the_truth(tmp_path: Path) -> None:
    faults = (("0.15", 'reset = "before_head"'), ("0.1", "status = 503\nhtml = true\ndone = true"), ("0.1", "status = 504\nhtml = true"))
    scenario = "seed = 3\n" + "".join(
        f'[[rule]]\nmethod = "POST"\npath = "/v3/grants/*/messages/send"\nshare = {share}\n{cue}\n' for share, cue in faults
    )
    async with rig(tmp_path, scenario, "[retry]\nbudget_ratio = 1\ninitial_s = 0.05\n") as r:
        mails = [{"subject": f"mail {number}", "to": [{"email": "ada@example.com"}]} for number in range(150)]
        answers = await asyncio.gather(
            *(r.call("POST", f"/v3/grants/nylas-{number % 10}/messages/send", json=mail) for number, mail in enumerate(mails))
        )
        seen = await r.seen("deliveries")
        assert seen["duplicates"] == 0
        succeeded = [answer for answer in answers if answer.status in {200, 202}]
        assert len(succeeded) >= 140
        assert seen["delivered"] >= len(succeeded)
        assert all(answer.fields["X-Nylas-Proxy-Idempotency"] == "injected" for answer in answers)
        assert all("may have taken effect" in answer.proxy["solution"] for answer in answers if answer not in succeeded)
