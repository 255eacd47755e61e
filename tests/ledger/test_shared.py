"""Several processes, one server: what they share, what it keeps and for how long, and what becomes of callers who leave."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from ledger.asks import EXCHANGE, MAILBOX, MS, SCOPE, admitted, ask, claim, held, passed
from ledger.conftest import PATIENT_S
from proxy.core.book import Admitted, HeldBy
from proxy.core.window import Probe
from proxy.ledger import corrections, homes
from proxy.ledger import pipe as pipes
from proxy.ledger.away import AwayError
from proxy.ledger.local import now_us
from proxy.ledger.pipe import Pipe
from proxy.ledger.scripts import Command
from proxy.ledger.shared import SharedLedger

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.conftest import Server


async def settled(ledger: SharedLedger) -> None:
    """Return when all that was told before has reached the server."""
    await ledger.touch()


async def test_two_processes_keep_one_limit(make_shared: Callable[..., SharedLedger]) -> None:
    ours, theirs = make_shared(), make_shared()
    asked = ask(claim(count=20, window_us=1000 * MS))
    results = await asyncio.gather(*(ledger.admit(asked) for _ in range(15) for ledger in (ours, theirs)))
    assert sum(isinstance(result, Admitted) for result in results) == 20


async def test_a_window_opened_by_one_holds_the_other_and_its_reopening_too(make_shared: Callable[..., SharedLedger]) -> None:
    ours, theirs = make_shared(), make_shared()
    asked = ask(scopes=(SCOPE,))
    await admitted(ours, asked)
    ours.open_window(SCOPE, EXCHANGE)
    await settled(ours)
    told = await held(theirs, asked)
    assert theirs.mirror.book.windows[SCOPE].opening.cause == "exchange"
    await passed(told.wait_us)
    assert (await admitted(theirs, asked)).probes == (Probe(SCOPE, EXCHANGE.wait_us),)
    assert (await held(ours, ask(scopes=(SCOPE,), lease_id="b"))).probing
    theirs.end_probe(SCOPE, "a", succeeded=True)
    await settled(theirs)
    assert [(each.scope, each.length_us) for each in (await admitted(ours, asked)).reopened] == [(SCOPE, EXCHANGE.wait_us)]
    assert ours.mirror.book.windows[SCOPE].reopened_at_us is not None


async def test_a_window_of_a_scope_that_nobody_has_asked_for_here_stands_where_its_application_is(make_shared: Callable[..., SharedLedger]) -> None:
    ours, theirs = make_shared(), make_shared()
    await admitted(ours, ask(claim(), application="another"))
    ours.open_window(SCOPE, EXCHANGE, "app")
    await settled(ours)
    await held(theirs, ask(scopes=(SCOPE,), application="app"))
    await admitted(make_shared(), ask(scopes=(SCOPE,), application="another"))


async def test_a_window_that_another_made_longer_is_known_here_once_this_one_is_told(make_shared: Callable[..., SharedLedger]) -> None:
    ours, theirs = make_shared(), make_shared()
    theirs.open_window(SCOPE, EXCHANGE._replace(wait_us=5000 * MS))
    await settled(theirs)
    assert ours.open_window(SCOPE, EXCHANGE) == EXCHANGE.wait_us
    await settled(ours)
    closed = ours.mirror.closed((SCOPE,))
    assert closed is not None
    assert closed.wait_us > 4000 * MS


async def test_a_window_that_the_server_has_forgotten_is_forgotten_here(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    await admitted(ledger, ask(scopes=(SCOPE,)))
    ledger.open_window(SCOPE, EXCHANGE)
    await passed(EXCHANGE.wait_us)
    await settled(ledger)
    with server.client() as client:
        client.flushall()
    assert (await admitted(ledger, ask(scopes=(SCOPE,)))).probes == ()
    assert SCOPE not in ledger.mirror.book.windows


async def test_nothing_is_admitted_into_a_window_opened_here_while_the_question_was_under_way(make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    asked = ask(claim(2), caps=(MAILBOX,), scopes=(SCOPE, "application:1"))
    ledger.mirror.open_window("application:1", EXCHANGE._replace(wait_us=MS))
    asking = asyncio.ensure_future(ledger.admit(asked))
    await asyncio.sleep(0)
    ledger.mirror.open_window(SCOPE, EXCHANGE)
    told = await asking
    assert not isinstance(told, Admitted)
    assert (told.by, told.key) == (HeldBy.WINDOW, SCOPE)
    await admitted(ledger, ask(claim(2), caps=(MAILBOX,), lease_id="b"))


async def test_what_is_admitted_for_a_caller_who_left_is_given_back(make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    await admitted(ledger, ask(scopes=(SCOPE,)))
    ledger.open_window(SCOPE, EXCHANGE)
    await passed(EXCHANGE.wait_us)
    asking = asyncio.ensure_future(ledger.admit(ask(claim(2), caps=(MAILBOX,), scopes=(SCOPE,), lease_id="gone")))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await settled(ledger)
    after = await admitted(ledger, ask(claim(2), caps=(MAILBOX,), scopes=(SCOPE,), lease_id="b"))
    assert after.probes == (Probe(SCOPE, EXCHANGE.wait_us),)


async def test_a_caller_who_left_before_it_was_held_changes_nothing(make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    await admitted(ledger, ask(claim(2)))
    asking = asyncio.ensure_future(ledger.admit(ask(claim())))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    await held(ledger, ask(claim()))


async def test_a_moved_charge_is_settled_where_it_went(make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    await admitted(ledger, ask(claim(count=10, window_us=1000 * MS)))
    second = await admitted(ledger, ask(claim(9, count=10, window_us=1000 * MS)))
    moved = ledger.move(second.receipts[0])
    await settled(ledger)
    ledger.settle(moved, 0)
    await admitted(ledger, ask(claim(9, count=10, window_us=1000 * MS)))


async def test_so_many_moved_charges_and_keys_are_remembered(make_shared: Callable[..., SharedLedger], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrections, "KEPT_MAX", 1)
    monkeypatch.setattr(homes, "REMEMBERED_MAX", 2)
    ledger = make_shared()
    receipts = [(await admitted(ledger, ask(claim(count=10), claim(key="two"), application="1"))).receipts[0] for _ in range(2)]
    for receipt in receipts:
        ledger.move(receipt)
    await settled(ledger)
    assert len(ledger._corrections._moved) == 1
    await admitted(ledger, ask(claim(key="three"), application="2"))
    of = ledger._corrections.homes.of
    assert (of("messages"), of("two"), of("three")) == ("2", "1", "2")


async def test_sweeping_forgets_what_holds_nothing_back(make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    await admitted(ledger, ask(claim(window_us=MS), claim(key="long")))
    await passed(MS)
    ledger.sweep()
    assert set(ledger.mirror.book.logs) == set(ledger.mirror._told) == {"long"}


async def test_the_longest_of_several_windows_opened_here_is_told(make_shared: Callable[..., SharedLedger]) -> None:
    mirror = make_shared().mirror
    for scope, wait_us in {"a": 2, "b": 3, "c": 1}.items():
        mirror.open_window(scope, EXCHANGE._replace(wait_us=wait_us * 1000 * MS))
    told = mirror.closed(("a", "b", "c"))
    assert told is not None
    assert told.key == "b"


async def test_every_key_expires_and_names_nothing_but_hashes(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    await admitted(ledger, ask(claim(), caps=(MAILBOX,), scopes=(SCOPE,), application="5eed"))
    ledger.open_window(SCOPE, EXCHANGE)
    ledger.open_window("grant:77", EXCHANGE._replace(probes=False))
    ledger.renew(ask(caps=(MAILBOX._replace(key="other cap"),), application="5eed"))
    await settled(ledger)
    with server.client() as client:
        lives_ms = {key.decode(): client.pttl(key) for key in client.scan_iter()}
    assert lives_ms.pop("nylas-proxy:alive") <= 1000
    day_ms = 86_400_000
    at_most_ms = {
        "nylas-proxy:{5eed}:log:messages": 62,
        f"nylas-proxy:{{5eed}}:cap:{MAILBOX.key}": 30_002,
        "nylas-proxy:{5eed}:cap:other cap": 30_002,
        f"nylas-proxy:{{5eed}}:window:{SCOPE}": day_ms + 42,
        "nylas-proxy:{5eed}:window:grant:77": 42,
    }
    assert lives_ms.keys() == at_most_ms.keys()
    assert all(0 < lives_ms[key] <= at_most_ms[key] for key in at_most_ms)


async def test_what_holds_nothing_back_any_more_leaves_no_key(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    await admitted(ledger, ask(claim(window_us=5 * MS), caps=(MAILBOX,), scopes=(SCOPE,)))
    ledger.open_window(SCOPE, EXCHANGE._replace(wait_us=5 * MS, probes=False))
    ledger.release(ask(caps=(MAILBOX,)))
    await settled(ledger)
    await passed(10 * MS)
    with server.client() as client:
        assert client.keys("*{*") == []


async def test_keys_of_two_applications_stand_apart(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    await admitted(ledger, ask(claim(key="one"), application="1"))
    two = await admitted(ledger, ask(claim(key="two"), application="2"))
    ledger.settle((await admitted(ledger, ask(claim(key="one"), application="1"))).receipts[0], 5)
    ledger.settle(two.receipts[0], 5)
    await settled(ledger)
    with server.client() as client:
        assert {key.decode() for key in client.keys("*{*")} == {"nylas-proxy:{1}:log:one", "nylas-proxy:{2}:log:two"}


async def test_a_server_that_forgot_the_scripts_is_told_them_again(server: Server, make_shared: Callable[..., SharedLedger]) -> None:
    ledger = make_shared()
    await admitted(ledger, ask(claim()))
    with server.client() as client:
        client.script_flush()
    await admitted(ledger, ask(claim()))
    await held(ledger, ask(claim()))


@pytest.mark.parametrize("rules", ["-script", "-evalsha", "-script -evalsha -config -client"])
async def test_a_user_who_may_do_little_is_enough(server: Server, make_shared: Callable[..., SharedLedger], rules: str) -> None:
    with server.client() as client:
        client.script_flush()
        client.execute_command("ACL", "SETUSER", "proxy", "reset", "on", ">secret", "~nylas-proxy:*", "+@all", "-@dangerous", *rules.split())
    ledger = make_shared(server.url.replace("//", "//proxy:secret@"))
    await admitted(ledger, ask(claim()))
    await admitted(ledger, ask(claim()))
    await held(ledger, ask(claim()))


async def test_too_many_who_wait_fail_at_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "WAITING_MAX", 2)
    pipe = Pipe(server.url, PATIENT_S, PATIENT_S)
    ledger = SharedLedger(pipe, now_us)
    results = await asyncio.gather(*(ledger.admit(ask(claim())) for _ in range(3)), return_exceptions=True)
    assert [isinstance(result, AwayError) for result in results] == [False, False, True]
    await pipe.close()


async def test_a_script_that_fails_counts_as_away(server: Server) -> None:
    pipe = Pipe(server.url, PATIENT_S, PATIENT_S)
    told: list[str] = []
    pipe.on_away = told.append
    ledger = SharedLedger(pipe, now_us)
    with server.client() as client:
        client.set("nylas-proxy:{app}:cap:microsoft in flight:-:5b1f", "no set of leases")
    with pytest.raises(AwayError, match=r"WRONGTYPE|wrong kind"):
        await ledger.admit(ask(caps=(MAILBOX,)))
    assert len(told) == 1
    await pipe.close()


async def test_a_plain_command_that_is_refused_fails_alone(server: Server) -> None:
    pipe = Pipe(server.url, PATIENT_S, PATIENT_S)
    refused, pong = pipe.send(Command(None, (), ("NONSENSE",))), pipe.send(Command(None, (), ("PING",)))
    assert await pong == b"PONG"
    with pytest.raises(AwayError, match="unknown command"):
        await refused
    await pipe.close()
