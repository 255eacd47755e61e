"""Makes the ledger that several proxies share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.ledger.away import AwayError
from proxy.ledger.failover import FailoverLedger, State
from proxy.ledger.learned import SharedKnowledge
from proxy.ledger.local import now_us
from proxy.ledger.pipe import Pipe
from proxy.ledger.scripts import Command
from proxy.ledger.shared import SharedLedger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from proxy.settings import Redis

_MS: Final = 1000
_POLICY: Final = "maxmemory-policy"
_KEEPS_ALL: Final = b"noeviction"


class Sharing(NamedTuple):
    """A shared ledger, and what goes with it.

    Attributes:
        ledger: Whom to ask.
        shared: The same while its server answers.
        knowledge: What all have learned about mailboxes.
        warning: To be called once at the start: returns in a sentence what an operator should look at, or nothing.
        close: To be called when nothing is admitted any more: returns when the last corrections have been sent, or cannot be.
    """

    ledger: FailoverLedger
    shared: SharedLedger
    knowledge: SharedKnowledge
    warning: Callable[[], Awaitable[str]]
    close: Callable[[], Awaitable[None]]


def make_shared_ledger(redis: Redis) -> Sharing:
    """Return a ledger on the server of the settings; needs a running loop once it is used. Nothing is sent before the first request."""
    pipe = Pipe(redis.url, redis.connect_timeout_ms / _MS, redis.command_timeout_ms / _MS)
    shared = SharedLedger(pipe, now_us)
    ledger = FailoverLedger(shared, replicas=redis.replicas, refuses=redis.on_loss == "refuse")
    pipe.on_away = ledger.lose

    async def warning() -> str:
        return await eviction_warning(pipe)

    async def close() -> None:
        pipe.on_away = lambda _why: None  # a server that is lost now is not looked for
        ledger.close()
        await pipe.close()

    return Sharing(ledger, shared, SharedKnowledge(pipe, lambda: ledger.state is State.SHARED), warning, close)


async def eviction_warning(pipe: Pipe) -> str:
    """Return what is wrong with how the server makes room; nothing where it is right, or does not say."""
    try:
        answer = await pipe.send(Command(None, (), ("CONFIG", "GET", _POLICY)))
    except AwayError:
        return ""
    if not answer or answer[1] == _KEEPS_ALL:
        return ""
    return f"redis.url: the server's {_POLICY} is {answer[1].decode()}: limits and windows are forgotten when its memory is full; set noeviction"
