"""What several proxies have learned about mailboxes: the provider of each, and the one subject that stands for all its names.

Nothing waits for it: it travels with the admissions, in the same round trips. While the server is away nothing is asked and nothing is told; what was
learned meanwhile is learned again by those who need it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from proxy.ledger.scripts import PREFIX, Command, script

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from proxy.ledger.pipe import Pipe

REMEMBERED_MS: Final = 30 * 86_400_000


class Known(NamedTuple):
    """What is known about a mailbox; empty where it is not."""

    provider: str = ""
    stands: str = ""


def learned_key(application: str, subject: str) -> str:
    """Return the key of what is learned about a mailbox."""
    return f"{PREFIX}:{{{application}}}:learned:{subject}"


class SharedKnowledge:
    """Asks the other proxies on a server, and tells them.

    Args:
        pipe: To the server.
        is_there: Tells whether the server answers.
    """

    def __init__(self, pipe: Pipe, is_there: Callable[[], bool]) -> None:
        self._pipe = pipe
        self._is_there = is_there
        self._learn = script("learn")

    def ask(self, application: str, subject: str, then: Callable[[Known], None]) -> None:
        """Ask about a mailbox; `then` learns what is known, which is nothing where the server does not answer."""
        self._send(Command(None, (), ("HMGET", learned_key(application, subject), "provider", "stands")), then)

    def tell(self, application: str, subject: str, known: Known, then: Callable[[Known], None], *, is_sure: bool = True) -> None:
        """Tell what was learned; `then` learns what all take for right from now on. What is not sure yields to what is known."""
        words = (known.provider, int(is_sure), known.stands, REMEMBERED_MS)
        self._send(Command(self._learn, (learned_key(application, subject),), words), then)

    def _send(self, command: Command, then: Callable[[Known], None]) -> None:
        if self._is_there():
            self._pipe.send(command).add_done_callback(partial(_told, then))
        else:
            then(Known())


def _told(then: Callable[[Known], None], answer: asyncio.Future[Any]) -> None:
    failed = answer.cancelled() or answer.exception() is not None
    then(Known() if failed else Known(*((word or b"").decode() for word in answer.result())))
