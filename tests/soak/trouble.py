"""What befalls the Redis that the proxies count with, every few seconds."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

if TYPE_CHECKING:
    import random

    from ledger.conftest import Server

_LASTS_S = 1.5
_PAUSE_S = (2.0, 5.0)


class Trouble:
    """Failures of a server in turns that dice decide.

    Args:
        server: The server.
        dice: Which failure comes, and when.

    Attributes:
        count: How often it failed so far.
        is_on: It fails now.
        last: The failure that came last.
    """

    def __init__(self, server: Server, dice: random.Random) -> None:
        self.count = 0
        self.is_on = False
        self.last = "none"
        self._server = server
        self._dice = dice

    async def go_on(self) -> None:
        """Fail again and again; cancelled between two failures it leaves the server well, else `mend` does."""
        failures = (self.restart, self.restart_at_once, self.freeze, self.forget_scripts, self.hang_up)
        while True:
            await asyncio.sleep(self._dice.uniform(*_PAUSE_S))
            failure = self._dice.choice(failures)
            self.count, self.is_on, self.last = self.count + 1, True, failure.__name__
            await failure()
            self.is_on = False

    async def mend(self) -> None:
        """Have the server well."""
        if self._server.process is None:
            await asyncio.to_thread(self._server.start)
        self._server.thaw()
        self.is_on = False

    async def restart(self) -> None:
        """Killed, and started anew with an empty memory."""
        self._server.kill()
        await asyncio.sleep(_LASTS_S)
        await asyncio.to_thread(self._server.start)

    async def restart_at_once(self) -> None:
        """The same without a pause."""
        self._server.kill()
        await asyncio.to_thread(self._server.start)

    async def freeze(self) -> None:
        """It holds still."""
        self._server.freeze()
        await asyncio.sleep(_LASTS_S)
        self._server.thaw()

    async def forget_scripts(self) -> None:
        """It has to be told them anew."""
        await asyncio.to_thread(_tell, self._server, "SCRIPT", "FLUSH")

    async def hang_up(self) -> None:
        """It ends all connections."""
        await asyncio.to_thread(_tell, self._server, "CLIENT", "KILL", "TYPE", "normal")


def _tell(server: Server, *words: str) -> None:
    with contextlib.suppress(RedisError), server.client() as client:  # ours may be among the connections that it ends
        client.execute_command(*words)
