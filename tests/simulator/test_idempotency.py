"""`Idempotency-Key`: the keeping of answers, on a clock that the tests move, and whole sends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from proxy.simulator.idempotency import KEPT_S, Answers, KeyUse, key_use
from proxy.simulator.replies import Reply
from simulator.rig import Answer, Simulator, running

if TYPE_CHECKING:
    from pathlib import Path

USE = KeyUse("g", "k")
REPLAYED = ("Idempotent-Response", "true")
SEND = "/v3/grants/microsoft-1/messages/send"
MAIL = {"to": [{"email": "x@example.com"}], "subject": "Hello"}


def kept(**more: float) -> Answers:
    answers = Answers()
    answers.keep(USE, "payload", Reply(503, (("A", "1"),), b"first"), now_s=0.0, **{"takes_s": 0.0, **more})
    return answers


async def sent(nylas: Simulator, key: str, cue: str = "", path: str = SEND, **changed: Any) -> Answer:
    return await nylas.ask("POST", path, cue=cue, headers={"Idempotency-Key": key}, json={**MAIL, **changed})


async def delivered(nylas: Simulator) -> int:
    return int((await nylas.deliveries())["delivered"])


def test_the_first_answer_good_or_bad_is_given_again_for_an_hour() -> None:
    answers = kept()
    assert answers.replay(USE, KEPT_S - 1) == Reply(503, (("A", "1"), REPLAYED), b"first")
    assert answers.replay(USE, KEPT_S) is None
    assert answers.complaint(USE, "other payload", "r", KEPT_S) is None


def test_a_later_answer_does_not_take_the_place_of_the_first() -> None:
    answers = kept()
    answers.keep(USE, "payload", Reply(200), now_s=1.0, takes_s=0.0)
    assert answers.replay(USE, 1.0) == Reply(503, (("A", "1"), REPLAYED), b"first")


@pytest.mark.parametrize(
    ("payload", "now_s", "kind"), [("other", 9.0, "invalid_idempotent_request"), ("payload", 4.9, "concurrent_idempotent_request")]
)
def test_a_key_is_refused_for_another_payload_and_while_its_request_is_under_way(payload: str, now_s: float, kind: str) -> None:
    complaint = kept(takes_s=5.0).complaint(USE, payload, "r", now_s)
    assert complaint is not None
    assert isinstance(complaint.body, bytes)
    assert (complaint.status, f"api.{kind}" in complaint.body.decode()) == (409, True)
    assert kept(takes_s=5.0).complaint(USE, "payload", "r", 5.0) is None


def test_keys_of_another_grant_are_other_keys() -> None:
    assert kept().replay(KeyUse("h", "k"), 0.0) is None


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v3/grants/g/drafts"), ("GET", "/v3/grants/g/messages/send"), ("POST", "/v3/grants/g/drafts/d"), ("POST", "/send")],
)
def test_keys_count_for_sends_of_v3_alone(method: str, path: str) -> None:
    assert key_use(method, path, {"Idempotency-Key": "k"}, "g") is None
    assert key_use("POST", SEND, {"Idempotency-Key": "k"}, "g") == USE
    assert key_use("POST", SEND, {}, "g") is None


async def test_a_repeated_send_with_its_key_is_delivered_once(nylas: Simulator) -> None:
    first, second = await sent(nylas, "k"), await sent(nylas, "k")
    assert (first.status, "Idempotent-Response" in first.headers) == (200, False)
    assert (second.status, second.headers["Idempotent-Response"], second.body) == (200, "true", first.body)
    assert await delivered(nylas) == 1
    assert (await sent(nylas, "k", path="/v3/grants/me/messages/send")).headers.get("Idempotent-Response") is None
    assert (await sent(nylas, "l")).status == 200
    assert await delivered(nylas) == 3


async def test_a_key_for_another_payload_is_a_conflict(nylas: Simulator) -> None:
    await sent(nylas, "k")
    answer = await sent(nylas, "k", subject="Another")
    assert (answer.status, answer.json()["error"]["type"]) == (409, "api.invalid_idempotent_request")
    assert await delivered(nylas) == 1


async def test_a_key_of_over_256_characters_is_refused(nylas: Simulator) -> None:
    assert (await sent(nylas, "k" * 256)).status == 200
    answer = await sent(nylas, "k" * 257)
    assert (answer.status, answer.json()["error"]["type"]) == (400, "api.invalid_idempotency_key")
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    assert await delivered(nylas) == 1


async def test_a_send_under_way_refuses_its_key_even_when_its_client_left(nylas: Simulator) -> None:
    with pytest.raises(TimeoutError):
        await nylas.ask("POST", SEND, "delay_s=3600", {"Idempotency-Key": "k"}, json=MAIL, timeout=aiohttp.ClientTimeout(total=0.05))
    answer = await sent(nylas, "k")
    assert (answer.status, answer.json()["error"]["type"]) == (409, "api.concurrent_idempotent_request")
    assert await delivered(nylas) == 1


async def test_a_connection_dropped_after_acceptance_is_found_out_by_the_key(nylas: Simulator) -> None:
    with pytest.raises(aiohttp.ClientError):
        await sent(nylas, "k", cue="reset=before_head")
    assert await delivered(nylas) == 1
    answer = await sent(nylas, "k")
    assert (answer.status, answer.headers["Idempotent-Response"]) == (200, "true")
    assert await delivered(nylas) == 1


async def test_a_request_lost_on_the_way_in_leaves_no_trace(nylas: Simulator) -> None:
    with pytest.raises(aiohttp.ClientError):
        await sent(nylas, "k", cue="early=1; reset=before_head")
    assert await delivered(nylas) == 0
    assert "Idempotent-Response" not in (await sent(nylas, "k")).headers
    assert await delivered(nylas) == 1
    assert (await sent(nylas, "k", cue="early=1")).status == 413  # without the body nobody can compare


@pytest.mark.parametrize(
    ("cue", "deliveries", "again"), [("status=503", 0, 503), ("status=504; done=1", 1, 504), ("corpus=cli-429-daily-send", 0, 429)]
)
async def test_nylas_errors_are_kept_whether_the_mail_left_or_not(nylas: Simulator, cue: str, deliveries: int, again: int) -> None:
    await sent(nylas, "k", cue=cue)
    answer = await sent(nylas, "k")
    assert (answer.status, answer.headers["Idempotent-Response"], await delivered(nylas)) == (again, "true", deliveries)


@pytest.mark.parametrize(("done", "replayed"), [("0", None), ("1", "true")])
async def test_a_gateways_page_hides_what_nylas_answered(nylas: Simulator, done: str, replayed: str | None) -> None:
    assert (await sent(nylas, "k", cue=f"status=502; html=1; done={done}")).status == 502
    answer = await sent(nylas, "k")
    assert (answer.status, answer.headers.get("Idempotent-Response"), await delivered(nylas)) == (200, replayed, 1)


async def test_a_replay_costs_nothing_at_the_provider(tmp_path: Path) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text("[limits]\nmicrosoft_messages = { count = 1 }\n")
    async for nylas in running(file):
        assert [(await sent(nylas, key)).status for key in ("k", "k", "l")] == [200, 200, 429]


async def test_an_answer_is_kept_for_an_hour_of_the_simulators_clock(tmp_path: Path) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text("[limits]\nspeed = 180000\n")
    async for nylas in running(file):
        await sent(nylas, "k")
        await asyncio.sleep(0.03)
        assert "Idempotent-Response" not in (await sent(nylas, "k")).headers


async def test_a_refusal_by_a_limit_is_kept_too(tmp_path: Path) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text("[limits]\nv3_send = { count = 1, per_s = 60 }\n")
    async for nylas in running(file):
        assert [(await sent(nylas, "k")).status, (await sent(nylas, "l")).status] == [200, 429]
        await nylas.ask("DELETE", "/__simulator/limits")
        answer = await sent(nylas, "l")
        assert (answer.status, answer.headers["Idempotent-Response"]) == (429, "true")
