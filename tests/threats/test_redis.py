"""A Redis that lies, and one that is not whom it says."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
import trustme
from ledger import proxies
from ledger.asks import SCOPE, ask, claim
from ledger.proxies import Proxy
from wire.authority import Authority
from wire.cases import by_name

from proxy.core.book import Admitted, Held
from proxy.ledger.failover import State
from threats.lying_server import lying

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

PATIENT_S = 5.0  # a busy machine must not make a time-out of what is under test
WEEK_US = 7 * 86_400_000_000
HELD_BY_LIMIT = b"*5\r\n:0\r\n%b\r\n:3\r\n:1\r\n:0\r\n"
NONSENSE = {
    "OK": b"+OK\r\n",
    "a number": b":7\r\n",
    "nothing": b"$-1\r\n",
    "an empty list": b"*0\r\n",
    "admitted, and no more": b"*1\r\n:1\r\n",
    "held by nobody knows what": b"*5\r\n:0\r\n:1\r\n:9\r\n:1\r\n:0\r\n",
    "held by a limit that was not asked for": b"*5\r\n:0\r\n:1\r\n:3\r\n:9\r\n:0\r\n",
    "a wait in words": HELD_BY_LIMIT % b"$4\r\nlong",
    "a wait below nothing": HELD_BY_LIMIT % b":-5",
    "a wait of ages": HELD_BY_LIMIT % b":9223372036854775807",
}
NO_PROTOCOL = {"HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n", "a length in words": b"*many\r\n", "TLS": bytes.fromhex("15030300020228") + b"\r\n"}
IMPOSTORS: dict[str, Callable[[Authority], ssl.SSLContext]] = {
    "wrong name": lambda ours: ours.server("other.test"),
    "expired": lambda ours: ours.server("localhost", expired=True),
    "of an unknown authority": lambda _ours: Authority(trustme.CA(), "").server("localhost"),
}


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONNECT_S", "COMMAND_S"):
        monkeypatch.setattr(proxies, name, PATIENT_S)


@contextlib.asynccontextmanager
async def counting_on(url: str) -> AsyncIterator[Proxy]:
    proxy = Proxy(url)
    try:
        yield proxy
    finally:
        proxy.ledger.close()
        await proxy.pipe.close()


async def assert_it_counts_alone(says: bytes) -> None:
    async with lying(says) as (_, url), counting_on(url) as proxy:
        results = [await proxy.ledger.admit(ask(claim(count=1, window_us=WEEK_US), scopes=(SCOPE,))) for _ in range(2)]
        assert [type(result) for result in results] == [Admitted, Held]
        assert proxy.states[0] is State.LOCAL_SAFE


@pytest.mark.parametrize("says", by_name(NO_PROTOCOL))
async def test_a_server_that_speaks_something_else_fails_nobody(says: bytes) -> None:
    await assert_it_counts_alone(says)


@pytest.mark.parametrize("says", by_name(NONSENSE))
async def test_a_server_whose_answers_make_no_sense_fails_nobody(says: bytes) -> None:
    await assert_it_counts_alone(says)


@pytest.mark.parametrize("shown", by_name(IMPOSTORS))
async def test_a_server_that_cannot_be_trusted_gets_neither_password_nor_question(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, shown: Callable[[Authority], ssl.SSLContext]
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", authority.file)
    async with lying(tls=shown(authority)) as (liar, url), counting_on(url) as proxy:
        assert isinstance(await proxy.ledger.admit(ask(claim())), Admitted)
        assert proxy.states == [State.LOCAL_SAFE]
        assert "certificate" in proxy.reasons[0].lower()
        assert liar.told == []


async def test_a_server_that_can_be_trusted_is_asked(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", authority.file)
    async with lying(tls=authority.server("localhost")) as (liar, url), counting_on(url) as proxy:
        with contextlib.suppress(ValueError):  # what it says is nonsense
            await proxy.ledger.admit(ask(claim()))
        assert b"AUTH" in liar.told
