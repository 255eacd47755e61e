"""While Redis fails, requests go on as documented; when it is back, all count together again, and nothing is held there."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import pytest
from ledger.conftest import started

from faults import redis_cases
from faults.case import Ask, answers, asks_and_reads, begin
from faults.redis_cases import Redis, restore
from faults.relay import Relay
from faults.stand import SETTLES_WITHIN_S, Stand, standing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wire.process import Section

    from faults.caller import Answer
    from faults.case import Call
    from faults.redis_cases import RedisCase

TIMEOUT_MS = 250


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with _with_redis(tmp_path_factory.mktemp("redis"), "local") as made:
        yield made


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with _with_redis(tmp_path_factory.mktemp("refusing"), "refuse") as made:
        yield made


@contextlib.contextmanager
def _with_redis(folder: Path, on_loss: str) -> Iterator[Redis]:
    (folder / "identity.key").write_bytes(b"an identity key of some length")
    server, other = started(folder), started(folder)
    stand = Stand()
    way = Relay(server.port)
    stand.run(way.listen())
    url = f"redis://127.0.0.1:{way.port}/0"
    section: Section = {"url": url, "connect_timeout_ms": TIMEOUT_MS, "command_timeout_ms": TIMEOUT_MS, "on_loss": on_loss}
    try:
        with standing(folder, {"redis": section, "identity": {"key_file": str(folder / "identity.key")}}, made=stand):
            yield Redis(stand, server, other, way)
            stand.run(way.close())
    finally:
        server.kill()
        other.kill()


def _crowd(stand: Stand) -> list[tuple[Call, Answer]]:
    """Reads, changes and sends at once, one of them of a mailbox that nothing is known of, so that it takes no place in flight."""
    calls = [begin(stand, ask, (answers,)) for ask in (Ask.READ, Ask.CHANGE, Ask.SEND) * 2]
    calls.append(begin(stand, Ask.READ, (answers,), grant=b"unknown-" + calls[0].grant))

    async def all_of_them() -> list[Answer]:
        return await asyncio.gather(*(asks_and_reads(call) for call in calls))

    return list(zip(calls, stand.run(all_of_them()), strict=True))


def _comes_to(stand: Stand, states: tuple[str, ...]) -> str:
    """Wait until one of these counts."""
    ends_at = time.monotonic() + SETTLES_WITHIN_S
    while (state := str(stand.status()["health"]["ledger"])) not in states:
        assert time.monotonic() < ends_at, f"{state} counts, not one of {states}"
    return state


def _settle(redis: Redis) -> None:
    """Nothing is under way, and nothing is held on the server."""
    assert _comes_to(redis.stand, redis_cases.SHARED)
    assert {answer.status for _, answer in _crowd(redis.stand)} == {200}
    redis.stand.settle()
    ends_at = time.monotonic() + SETTLES_WITHIN_S
    with (redis.server if redis.way.target == redis.server.port else redis.other).client() as client:
        while held := client.keys("*:cap:*"):
            assert time.monotonic() < ends_at, f"leases are left: {held}"


@contextlib.contextmanager
def _restored(redis: Redis) -> Iterator[None]:
    """Begin while all is well, and see to it that it is again."""
    redis.stand.proxy.forget_events()
    try:
        yield
    finally:
        restore(redis)
        _crowd(redis.stand)
        assert _comes_to(redis.stand, redis_cases.SHARED)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.fault) for case in redis_cases.CASES])
def test_requests_go_on_while_redis_fails(redis: Redis, case: RedisCase) -> None:
    with _restored(redis):
        case.harm(redis)
        meanwhile = _crowd(redis.stand)
        assert _comes_to(redis.stand, case.counts)
        meanwhile += _crowd(redis.stand)
        assert {(answer.status, len(call.play.arrivals)) for call, answer in meanwhile} == {(200, 1)}
        if case.counts == redis_cases.ALONE:
            lost = redis.stand.proxy.wait_for(lambda event: (event.get("event"), event.get("state")) == ("ledger.state", "local-safe"))
            assert case.why in lost["why"]
        case.heal(redis)
        _settle(redis)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.fault) for case in redis_cases.CASES if case.counts == redis_cases.ALONE])
def test_requests_are_refused_unsent_while_redis_fails_where_nobody_else_may_count(refusing: Redis, case: RedisCase) -> None:
    with _restored(refusing):
        case.harm(refusing)
        _crowd(refusing.stand)
        assert _comes_to(refusing.stand, case.counts)
        meanwhile = _crowd(refusing.stand)
        assert {(answer.status, answer.cause, len(call.play.arrivals)) for call, answer in meanwhile} == {(503, "ledger_away", 0)}
        case.heal(refusing)
        _settle(refusing)


def test_a_connection_to_redis_that_ended_while_it_was_idle_refuses_nobody(refusing: Redis) -> None:
    with _restored(refusing):
        refusing.tell("CLIENT", "KILL", "TYPE", "normal")
        assert {answer.status for _, answer in _crowd(refusing.stand)} == {200}
