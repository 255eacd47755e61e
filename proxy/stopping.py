"""How the proxy ends: not ready at once, no new connections after a grace period, nobody waits any more, what is under way is finished.

A second signal ends it at once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from proxy.settings import Listen
    from proxy.sidecar import Sidecar

_IN_ORDER: Final = 0
_CUT_SHORT: Final = 1


class Stop:
    """That the proxy is to end."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()
        self._hurried = asyncio.Event()

    def begin(self) -> None:
        """End in order. A second time changes nothing."""
        self._begun.set()

    def signalled(self) -> None:
        """A signal has come: the first begins the end, the second ends it."""
        (self._hurried if self._begun.is_set() else self._begun).set()

    async def begun(self) -> None:
        """Return when the end begins."""
        await self._begun.wait()

    async def hurried(self) -> None:
        """Return when it is to be now."""
        await self._hurried.wait()


async def end(sidecar: Sidecar, stop: Stop, listen: Listen) -> int:
    """End the proxy, in order unless it is hurried; returns the exit status."""
    log = sidecar.log
    log.event("proxy.draining", grace_s=listen.drain_grace_s, for_at_most_s=listen.drain_timeout_s)
    finishing, hurried = asyncio.create_task(_finish(sidecar, listen)), asyncio.create_task(stop.hurried())
    await asyncio.wait((finishing, hurried), return_when=asyncio.FIRST_COMPLETED)
    is_hurried = not finishing.done()
    finishing.cancel()
    hurried.cancel()
    cut = len(sidecar.ingress.running)
    await sidecar.ingress.refuse_running()
    left = await sidecar.server.close(linger=not is_hurried)
    await sidecar.gate.close()
    for pool in sidecar.pools.values():
        pool.close()
    sidecar.finish()
    log.event("proxy.stopped", cut_requests=cut, cut_connections=left, hurried=is_hurried)
    return _CUT_SHORT if is_hurried else _IN_ORDER


async def _finish(sidecar: Sidecar, listen: Listen) -> None:
    """Take no new request, and wait for those at hand."""
    loop, server = asyncio.get_running_loop(), sidecar.server
    server.begin_drain()
    await asyncio.sleep(listen.drain_grace_s)
    sidecar.gate.turnstile.closing_time.begin()
    ends_at = loop.time() + listen.drain_timeout_s
    await server.drain(listen.drain_timeout_s)
    await sidecar.ingress.wait_idle(max(0.0, ends_at - loop.time()))
