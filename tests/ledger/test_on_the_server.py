"""What the server sees: one question for one admission, one slot for one application, nothing that stays; and its clock alone counts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from core.ledger_office import History, Passed, corrections, histories, leases, whole_asks, windows
from core.ledger_oracle import LEASE_US, REMEMBERED_US
from hypothesis import HealthCheck, given, settings
from redis.crc import key_slot

from ledger.asks import EXCHANGE, MAILBOX, MS, SCOPE, admitted, ask, claim, held
from ledger.parity import APPLICATION, Pair
from proxy.core.book import Admitted, HeldBy
from proxy.ledger.away import AwayError
from proxy.ledger.local import now_us
from proxy.ledger.scripts import Scripts, cap_key, log_key, script, window_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis

    from ledger.conftest import Server
    from proxy.core.window import ThrottleWindow
    from proxy.ledger.shared import SharedLedger

DAY_US = 86_400_000_000
ROUNDED_US = 3 * MS  # the server's clock is told to the millisecond
WIDE = ask(claim(count=1000, window_us=60_000 * MS), claim(count=1000, key="sends"), caps=(MAILBOX._replace(count=1000),), scopes=(SCOPE, "grant:77"))


def counted(client: redis.Redis) -> tuple[int, dict[str, int]]:
    """Return how often the server has read from a connection since it was asked last, and the calls of each command."""
    stats: dict[str, Any] = client.info("all")
    client.config_resetstat()
    calls = {name.removeprefix("cmdstat_"): value["calls"] for name, value in stats.items() if name.startswith("cmdstat_")}
    return stats["total_reads_processed"] - 1, calls


async def test_an_admission_is_one_question_and_one_round_trip(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    await admitted(ledger, WIDE)
    ledger.open_window("grant:77", EXCHANGE)
    await ledger.touch()
    with server.client() as client:
        counted(client)
        for _ in range(20):
            assert (await held(ledger, WIDE)).by is HeldBy.WINDOW
            await admitted(ledger, WIDE._replace(scopes=(SCOPE,)))
        reads, calls = counted(client)
    assert reads == calls["evalsha"] == 40
    assert "eval" not in calls


async def test_a_crowd_goes_in_few_round_trips(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    await ledger.touch()
    with server.client() as client:
        counted(client)
        results = await asyncio.gather(*(ledger.admit(ask(claim(count=300, window_us=1000 * MS))) for _ in range(300)))
        assert all(isinstance(result, Admitted) for result in results)
        assert int(client.info("clients")["connected_clients"]) <= 3
        assert counted(client)[0] < 30


def test_all_that_one_question_touches_stands_in_one_slot() -> None:
    made = Scripts(script("admit"), script("correct"))
    for application in ("5eed", "77"):
        keys = made.admit(WIDE._replace(application=application), 1).keys
        assert len(keys) == 5
        assert len({key_slot(key.encode()) for key in keys}) == 1


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(histories(corrections, windows, leases, asks=whole_asks))
def test_whatever_happens_every_key_goes_by_itself_once_it_holds_nothing_back(server: Server, history: History) -> None:
    with server.client() as client:
        pair = Pair(history.terms, client)
        for step in history.steps:
            pair.do(step)
        back_us = sum(max(0, -step.us) for step in history.steps if isinstance(step, Passed))
        found = [key.decode() for key in client.scan_iter()]
        holds_us = dict(holding(pair))
        for key in (key for key in found if not key.endswith(" expires")):
            expires_us = client.get(f"{key} expires")
            assert expires_us is not None, key
            assert int(expires_us) - pair.now_us <= holds_us.get(key, 0) + ROUNDED_US + back_us


def holding(pair: Pair) -> Iterator[tuple[str, int]]:
    """Tell for how long each key is of interest from now on."""
    for key, log in pair.book.logs.items():
        log.advance(pair.now_us, pair.terms[key][1])
        yield log_key(APPLICATION, key), max([pair.terms[key][1] - newest_us for _, newest_us, _, _ in log.entries()], default=0)
    for cap in ("mailbox", "endpoint"):
        yield cap_key(APPLICATION, cap), LEASE_US
    for scope, window in pair.book.windows.items():
        window.advance(pair.now_us)
        yield window_key(APPLICATION, scope), told_us(window)


def told_us(window: ThrottleWindow) -> int:
    if window.reopened_at_us is not None:
        return window.reopened_at_us + REMEMBERED_US - window.seen_us
    probed_us = max(window.closes_at_us, window.probe_until_us) + DAY_US if window.opening.probes else window.closes_at_us
    return probed_us - window.seen_us


@pytest.mark.parametrize("turns", range(8))
async def test_a_caller_who_leaves_at_any_moment_cuts_no_question_in_half(
    server: Server, make_shared: Callable[..., SharedLedger], turns: int
) -> None:
    ledger = make_shared()
    await admitted(ledger, ask(claim(key="warm-up")))
    with server.client() as client:
        before = client.info("stats")["total_connections_received"]
        leaving = asyncio.ensure_future(ledger.admit(ask(claim(2, key="left"), caps=(MAILBOX._replace(key="left"),))))
        for _ in range(turns):
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])
        await ledger.touch()
        first, second = await asyncio.gather(
            ledger.admit(ask(claim(2), caps=(MAILBOX,), lease_id="b")), ledger.admit(ask(claim(3, count=1, key="c")))
        )
        assert isinstance(first, Admitted)
        assert isinstance(second, Admitted)
        assert [receipt.key for receipt in (*first.receipts, *second.receipts)] == ["messages", "c"]
        assert client.info("stats")["total_connections_received"] == before


async def test_proxies_whose_clocks_differ_keep_one_limit_and_one_window(make_shared: Callable[..., SharedLedger]) -> None:
    ours, theirs = make_shared(), make_shared(clock=lambda: now_us() + DAY_US)
    for ledger in (ours, theirs):
        await admitted(ledger, ask(claim(window_us=1000 * MS), scopes=(SCOPE,)))
    for ledger in (ours, theirs):
        assert 900 * MS < (await held(ledger, ask(claim(window_us=1000 * MS)))).wait_us <= 1000 * MS
    theirs.open_window(SCOPE, EXCHANGE._replace(wait_us=2000 * MS))
    await theirs.touch()
    for ledger in (ours, theirs):
        assert 1900 * MS < (await held(ledger, ask(scopes=(SCOPE,)))).wait_us <= 2000 * MS


async def test_why_a_server_does_not_let_one_in_is_told_without_the_password(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    with pytest.raises(AwayError, match=r"(?i)auth|wrongpass") as why:
        await make_shared(server.url.replace("//", "//proxy:s3cret@")).admit(WIDE)
    assert "s3cret" not in str(why.value)
