"""The upstream's name cannot be resolved, changes, or takes for ever: each connection asks anew."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from faults.case import Ask, Gets, answers, asks_and_reads, begin
from faults.stand import SHORT_S, Stand
from proxy.wire.dial import Dialer, DialError, Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

UNREACHABLE = Gets(502, "upstream_unreachable", attempts=0)


@pytest.fixture
def nameless(tmp_path: Path) -> Iterator[Stand]:
    """A proxy whose upstreams have a name that nothing resolves (RFC 6761 section 6.4)."""
    stand = Stand()
    try:
        stand.start({"upstream": {"v3_url": "http://name.invalid:1", "v2_url": "http://name.invalid:1", "connect_timeout_s": 5}}, tmp_path)
        yield stand
    finally:
        stand.close()


@pytest.mark.parametrize("ask", [Ask.READ, Ask.CHANGE, Ask.SEND])
def test_a_name_that_cannot_be_resolved_is_told_and_nothing_was_sent(nameless: Stand, ask: Ask) -> None:
    call = begin(nameless, ask, (answers,))
    answer = nameless.run(asks_and_reads(call))
    assert (answer.status, answer.cause, answer.value(b"x-nylas-proxy-attempts")) == (UNREACHABLE.status, UNREACHABLE.cause, b"2")
    nameless.note_base_line()
    nameless.settle()


class Names:
    """Answers who asks for addresses, in place of the system."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self.answer: Callable[[], list[tuple[str, int]]] = list
        monkeypatch.setattr(socket, "getaddrinfo", self._resolve)

    def _resolve(self, _host: object, _port: object, *_more: Any, **_named: Any) -> list[tuple[Any, ...]]:
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in self.answer()]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


async def _listener(met: list[str], name: str) -> asyncio.Server:
    async def met_by(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append(name)
        writer.close()

    return await asyncio.start_server(met_by, "127.0.0.1", 0)


def _address(server: asyncio.Server) -> tuple[str, int]:
    host, port = server.sockets[0].getsockname()
    return host, port


async def _dialled(dialer: Dialer) -> None:
    ended = asyncio.get_running_loop().create_future()

    class Ending(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            ended.set_result(exc)

    await dialer.dial(Ending)
    await ended


async def test_a_name_that_changes_leads_the_next_connection_elsewhere(names: Names) -> None:
    met: list[str] = []
    dialer = Dialer(Origin.of("http://api.example"), None, "", SHORT_S)
    async with await _listener(met, "old") as old, await _listener(met, "new") as new:
        names.answer = lambda: [_address(old)]
        await _dialled(dialer)
        names.answer = lambda: [_address(new)]
        await _dialled(dialer)
    assert (met, names.asked) == (["old", "new"], 2)


async def test_an_address_that_refuses_gives_way_to_the_next(names: Names) -> None:
    met: list[str] = []
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        async with await _listener(met, "second") as second:
            names.answer = lambda: [deaf.getsockname(), _address(second)]
            await _dialled(Dialer(Origin.of("http://api.example"), None, "", 10 * SHORT_S))
    assert met == ["second"]


async def test_a_name_without_an_address_is_no_connection(names: Names) -> None:
    with pytest.raises(DialError, match="no address"):
        await Dialer(Origin.of("http://api.example"), None, "", SHORT_S).dial(asyncio.Protocol)


async def test_a_resolver_that_hangs_takes_no_longer_than_connecting_may(names: Names) -> None:
    answered = threading.Event()

    def hang() -> list[tuple[str, int]]:
        answered.wait()
        return []

    names.answer = hang
    try:
        with pytest.raises(DialError, match="in time"):
            await Dialer(Origin.of("http://api.example"), None, "", 0.05).dial(asyncio.Protocol)
    finally:
        answered.set()
