"""Limits over the wire: what a client is told, and what the reports say."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from proxy.simulator.answering import WORLD
from proxy.simulator.app import create_app
from proxy.simulator.refusals import exchange_refusal
from proxy.simulator.visits import Visit
from proxy.simulator.windows import Window
from simulator.rig import GRANT, Simulator, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MAIL = {"to": [{"email": "x@example.com"}]}
MICROSOFT, EWS, EAS, ICLOUD, AGENT = (f"/v3/grants/{provider}-1" for provider in ("microsoft", "ews", "eas", "icloud", "nylas"))


@pytest.fixture
def scenario(tmp_path: Path) -> Any:
    @asynccontextmanager
    async def start(text: str) -> AsyncIterator[Simulator]:
        file = tmp_path / "scenario.toml"
        file.write_text(text)
        async for nylas in running(file):
            yield nylas

    return start


async def report(nylas: Simulator) -> Any:
    return (await nylas.ask("GET", "/__simulator/limits")).json()


async def test_nylas_says_neither_provider_error_nor_retry_after(scenario: Any) -> None:
    async with scenario("[limits]\nv3_contacts = { count = 1, per_s = 60 }\n") as nylas:
        assert (await nylas.ask("GET", f"{GRANT}/contacts")).status == 200
        answer = await nylas.ask("GET", f"{GRANT}/contacts")
        assert (answer.status, answer.json()["error"]["type"]) == (429, "nylas_rate_limit_exceeded")
        assert ("provider_error" in answer.json()["error"], "Retry-After" in answer.headers) == (False, False)
        assert answer.headers["x-request-id"] == answer.json()["request_id"]
        assert (await nylas.ask("GET", "/v3/grants/google-2/contacts")).status == 200


async def test_a_limit_of_milliseconds_is_over_after_milliseconds(scenario: Any) -> None:
    async with scenario("[limits]\nv3_contacts = { count = 1, per_s = 0.05 }\n") as nylas:
        answers = await asyncio.gather(*(nylas.ask("GET", f"{GRANT}/contacts") for _ in range(2)))
        assert sorted(answer.status for answer in answers) == [200, 429]
        await asyncio.sleep(0.05)
        assert (await nylas.ask("GET", f"{GRANT}/contacts")).status == 200


async def test_v2_names_the_limit_and_the_seconds_until_it_is_over(scenario: Any) -> None:
    async with scenario("[limits]\nv2_account = { count = 1, per_s = 9.5 }\n") as nylas:
        assert [(await nylas.ask("GET", path)).status for path in ("/messages", "/messages/message-1", "/threads")] == [200, 429, 200]
        answer = await nylas.ask("GET", "/messages")
        assert answer.json() == {"message": "Too many requests", "type": "invalid_request_error"}
        assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Reset"]) == ("1", "10")


async def test_gmail_names_the_time_to_senders(scenario: Any) -> None:
    async with scenario("[limits]\ngmail_user_second = { count = 100, per_s = 60 }\n") as nylas:
        before_s = time.time()
        assert (await nylas.ask("POST", f"{GRANT}/messages/send", json=MAIL)).status == 200
        error = (await nylas.ask("POST", f"{GRANT}/messages/send", json=MAIL)).json()["error"]
        found = re.fullmatch(r"User-rate limit exceeded\. Retry after (\S+Z) \(Mail sending\)", error["provider_error"]["error"]["message"])
        assert found
        assert before_s + 60 <= datetime.fromisoformat(found[1]).timestamp() <= time.time() + 60
        assert (error["type"], error["message"]) == ("quota_exceeded_error", "Activity limit reached")
        read = (await nylas.ask("GET", f"{GRANT}/messages")).json()["error"]
        assert (read["type"], read["provider_error"]["error"]["message"]) == ("rate_limit_error", "Resource has been exhausted (e.g. check quota).")
        assert (await nylas.deliveries())["delivered"] == 1


async def test_gmail_names_the_metric_when_a_minute_is_used_up(scenario: Any) -> None:
    async with scenario("[limits]\ngmail_user_minute = { count = 1 }\n") as nylas:
        answers = [await nylas.ask("GET", f"{GRANT}/folders?limit=1") for _ in range(2)]
        assert [answer.status for answer in answers] == [200, 429]
        assert answers[1].json()["error"]["provider_error"]["error"]["message"].startswith("Quota exceeded for quota metric 'Queries'")


async def test_gmail_counts_a_list_by_its_items_and_tells_the_price_of_the_profile(scenario: Any) -> None:
    async with scenario('[limits]\ngmail_profile = "2026"\ngmail_user_minute_2026 = { count = 100 }\n') as nylas:
        first = await nylas.ask("GET", f"{GRANT}/messages?limit=4")
        assert first.headers["Nylas-Gmail-Quota-Usage"] == "80"
        assert (await nylas.ask("GET", f"{GRANT}/messages?limit=2")).status == 429
        assert (await nylas.ask("GET", f"{GRANT}/messages?limit=1")).status == 200
        assert (await report(nylas))["limits"]["gmail_user_minute_2026"]["most"] == 100


async def test_a_filtered_list_costs_what_it_brought(scenario: Any) -> None:
    async with scenario("[limits]\ngmail_user_second = { count = 30, per_s = 60 }\n") as nylas:
        assert (await nylas.ask("GET", f"{GRANT}/messages?subject=none")).headers["Nylas-Gmail-Quota-Usage"] == "5"
        assert (await nylas.ask("GET", f"{GRANT}/messages")).status == 200
        assert (await nylas.ask("GET", f"{GRANT}/messages/message-1")).status == 429


async def test_microsoft_takes_four_at_once_and_more_when_one_ends(scenario: Any) -> None:
    async with scenario("[limits]\n") as nylas:
        waiting = [asyncio.create_task(nylas.ask("GET", f"{MICROSOFT}/messages", "delay_s=3600")) for _ in range(4)]
        while len(await nylas.arrivals()) < 4:
            pass
        answer = await nylas.ask("GET", f"{MICROSOFT}/events")
        error = answer.json()["error"]
        assert (answer.status, error["type"], answer.headers["Retry-After"]) == (429, "rate_limit_error", "10")
        assert "MailboxConcurrency" in error["provider_error"]["error"]["message"]
        waiting[0].cancel()
        while (await nylas.ask("GET", f"{MICROSOFT}/events")).status != 200:
            pass
        for task in waiting:
            task.cancel()


async def test_microsoft_names_when_the_next_mail_may_leave(scenario: Any) -> None:
    async with scenario("[limits]\nmicrosoft_messages = { count = 1 }\n") as nylas:
        answers = [await nylas.ask("POST", f"{MICROSOFT}/messages/send", json=MAIL) for _ in range(2)]
        assert [answer.status for answer in answers] == [200, 429]
        assert (answers[1].headers["Retry-After"], "provider_error" in answers[1].json()["error"]) == ("60", True)


async def test_a_daily_quota_is_told_without_a_time(scenario: Any) -> None:
    async with scenario("[limits]\nicloud_messages_day = { count = 1 }\ngmail_messages_day = { count = 1 }\n") as nylas:
        answers = [await nylas.ask("POST", f"{ICLOUD}/messages/send", json=MAIL) for _ in range(2)]
        assert answers[1].json()["error"]["message"] == "Daily sending quota exceeded"
        assert "Retry-After" not in answers[1].headers
        v2 = [await nylas.ask("POST", "/send", json=MAIL) for _ in range(2)]
        assert v2[1].json() == {"message": "Daily sending quota exceeded", "type": "api_error"}
        assert (await nylas.deliveries())["delivered"] == 2


async def test_an_agents_burst_is_accepted_for_later_until_the_queue_is_full(scenario: Any) -> None:
    async with scenario("[limits]\nagent_messages = { count = 1, per_s = 60 }\nagent_queue = { count = 1 }\n") as nylas:
        answers = [await nylas.ask("POST", f"{AGENT}/messages/send", json=MAIL) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 202, 429]
        assert (answers[2].json()["error"]["type"], answers[2].headers["Retry-After"]) == ("rate_limit_error", "90")
        assert (await nylas.deliveries())["delivered"] == 2


@pytest.mark.parametrize(("cue", "retry_after"), [("throttle_s=8", "8"), ("throttle_s=8; retry_after=0", None)])
@pytest.mark.parametrize("grant", [EWS, MICROSOFT])
async def test_a_cue_opens_an_exchange_window_that_early_requests_lengthen(nylas: Simulator, grant: str, cue: str, retry_after: str | None) -> None:
    answers = [await nylas.ask("GET", f"{grant}/events", cue), await nylas.ask("POST", f"{grant}/messages/send", json=MAIL)]
    assert [answer.status for answer in answers] == [429, 429]
    assert {answer.headers.get("Retry-After") for answer in answers} == {retry_after}
    error = answers[1].json()["error"]
    assert error["message"].startswith("The Exchange account has been throttled")
    assert (error["type"], "provider_error" in error) == ("rate_limit_error", True)
    assert (await nylas.ask("GET", f"{GRANT}/events")).status == 200
    assert (await nylas.ask("GET", grant)).status == 200  # Nylas answers this itself
    counted = await report(nylas)
    (window,) = counted["windows"]
    assert (counted["early"], counted["unaware"], window["open"], window["length_s"]) == (1, 0, True, 8.0)
    assert window["closes_s"] - window["opened_s"] > 8.0
    assert window["knocks"][0]["arrival"] == (await nylas.arrivals())[1]["number"]
    assert (await nylas.deliveries())["delivered"] == 0


def test_a_named_time_is_not_prolonged_by_the_last_bits_of_a_clock() -> None:
    visit = Visit("v3", "calendar", "g", "ews")
    before_power_of_two = [16_380 + tick / 7 for tick in range(28)]  # where adding 8 loses a bit
    windows = [Window("g", at_s, 8.0, at_s + 8.0, names_wait=True) for at_s in before_power_of_two]
    answers = [exchange_refusal(window, visit, "r", window.opened_s) for window in windows]
    assert {dict(answer.headers)["Retry-After"] for answer in answers} == {"8"}
    assert dict(exchange_refusal(windows[0], visit, "r", windows[0].opened_s + 0.5).headers)["Retry-After"] == "8"


async def test_a_window_that_was_left_alone_ends(nylas: Simulator) -> None:
    assert (await nylas.ask("GET", f"{EWS}/events", "throttle_s=0.02")).status == 429
    await asyncio.sleep(0.03)
    assert (await nylas.ask("GET", f"{EWS}/events")).status == 200
    assert (await report(nylas))["early"] == 0


async def test_a_request_that_came_before_the_refusal_was_sent_is_not_early(nylas: Simulator) -> None:
    opening = asyncio.create_task(nylas.ask("GET", f"{EWS}/events", "throttle_s=8; delay_s=3600"))
    while not (await report(nylas))["windows"]:
        pass
    await nylas.ask("GET", f"{EWS}/events")
    await nylas.ask("GET", f"{EWS}/events")
    counted = await report(nylas)
    assert (counted["unaware"], counted["early"]) == (1, 1)
    opening.cancel()


async def test_a_window_can_be_opened_with_another_answer(nylas: Simulator) -> None:
    assert (await nylas.ask("GET", f"{EWS}/events", "throttle_s=8; corpus=docs-503-asthrottle")).status == 503
    assert (await nylas.ask("GET", f"{EWS}/events")).status == 429


async def test_a_window_of_v2_belongs_to_the_token(nylas: Simulator) -> None:
    assert (await nylas.ask("GET", "/events", "throttle_s=8")).json()["type"] == "api_error"
    assert (await nylas.ask("GET", "/messages")).headers["Retry-After"] == "8"
    assert (await nylas.ask("GET", "/messages", headers={"Authorization": "Bearer another"})).status == 200


async def test_a_window_needs_a_grant(nylas: Simulator) -> None:
    answer = await nylas.ask("GET", "/v3/webhooks", "throttle_s=8")
    assert (answer.status, "needs a request for a grant" in answer.json()["error"]["message"]) == (400, True)


async def test_an_activesync_device_that_asks_too_often_is_blocked(scenario: Any) -> None:
    async with scenario("[limits]\nspeed = 100\neas_device = { count = 2 }\n") as nylas:
        answers = [await nylas.ask("GET", f"{EAS}/events") for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 429, 429]
        assert answers[2].headers["Retry-After"] == "12"
        assert (await report(nylas))["early"] == 1


async def test_limits_come_before_cues_and_spend_no_rule(scenario: Any) -> None:
    async with scenario('[limits]\nv3_contacts = { count = 1, per_s = 60 }\n[[rule]]\npath = "*/contacts"\ncount = 2\nstatus = 500\n') as nylas:
        assert [(await nylas.ask("GET", f"{GRANT}/contacts")).status for _ in range(2)] == [500, 429]
        assert (await nylas.ask("GET", f"{GRANT}/contacts", cue="status=404; reset=mid_body")).status == 429
        await nylas.ask("DELETE", "/__simulator/limits")
        assert (await nylas.ask("GET", f"{GRANT}/contacts")).status == 500


async def test_a_request_without_credentials_counts_nowhere(scenario: Any) -> None:
    async with scenario("[limits]\n") as nylas:
        assert (await nylas.ask("GET", f"{GRANT}/contacts", headers={"Authorization": "Bearer x"})).status == 401
        assert (await report(nylas))["passed"] == 0


async def test_a_refused_request_is_read_to_its_end(scenario: Any) -> None:
    async with scenario("[limits]\nv3_send = { count = 1, per_s = 60 }\n") as nylas:
        await nylas.ask("POST", f"{GRANT}/messages/send", json=MAIL)
        await nylas.ask("POST", f"{GRANT}/messages/send", json={**MAIL, "body": "a" * 300_000})
        arrivals = await nylas.arrivals()
        assert [(arrival["status"], arrival["body_complete"]) for arrival in arrivals] == [(200, True), (429, True)]
        assert arrivals[0]["connection"] == arrivals[1]["connection"]


async def test_the_report_counts_duplicates_and_can_be_cleared(scenario: Any) -> None:
    async with scenario("[limits]\nv3_send = { count = 2, per_s = 60 }\n") as nylas:
        for _ in range(3):
            await nylas.ask("POST", f"{GRANT}/messages/send", json=MAIL)
        counted = await report(nylas)
        assert (counted["enforced"], counted["speed"], counted["passed"], counted["refused"], counted["duplicates"]) == (True, 1.0, 2, 1, 1)
        assert counted["limits"]["v3_send"] == {"count": 2, "per_s": 60.0, "admitted": 2, "refused": 1, "most": 2, "most_asked": 3}
        assert (await nylas.ask("DELETE", "/__simulator/limits")).status == 204
        counted = await report(nylas)
        assert (counted["passed"], counted["limits"]["v3_send"]["most_asked"]) == (0, 0)
        assert (await nylas.ask("POST", f"{GRANT}/messages/send", json=MAIL)).status == 200


async def test_no_limit_is_kept_unless_somebody_says_so(nylas: Simulator) -> None:
    assert (await report(nylas))["limits"] == {}


def test_the_command_line_switches_limits_on_and_sets_their_clock(tmp_path: Path) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text("[limits]\nspeed = 5\nv3_send = { count = 7 }\n")
    plain, sped = create_app(limits=True)[WORLD].gate.settings, create_app(file, speed=60.0)[WORLD].gate.settings
    assert (plain.enforced, plain.speed) == (True, 1.0)
    assert (sped.enforced, sped.speed, sped.changed["v3_send"] is not None) == (True, 60.0, True)
    assert create_app(file)[WORLD].gate.settings.speed == 5.0
    assert not create_app()[WORLD].gate.settings.enforced
