"""One attempt: a response whose body still comes, or a failure, never a library's exception."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from proxy.core.model import Api, Cause
from proxy.core.outcome import TransportFailure
from proxy.wire.call import Call, CallEnd, CallFailure, Response
from proxy.wire.head import render_request
from proxy.wire.pool import NO_MATTER_HOW_LONG

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.errand import Errand
    from proxy.wire.limits import CallLimits
    from proxy.wire.pool import Pool

PRIVATE_PREFIX: Final = b"x-nylas-proxy-"
"""Our own request fields: they end here."""

# Upstreams close idle connections without a word; five seconds is the shortest that common servers wait. A request that must not
# be repeated takes no connection that may be gone: it would be lost where a direct call, on its own connection, is not.
REUSE_UNREPEATABLE_MAX_IDLE_S: Final = 4.0
NEVER_REUSE: Final = -1.0

_CAUSES: Final = {
    CallEnd.UNREACHABLE: Cause.UPSTREAM_UNREACHABLE,
    CallEnd.FULL: Cause.OVERLOADED,
    CallEnd.CLOSED: Cause.UPSTREAM_BROKE_OFF,
    CallEnd.UNREADABLE: Cause.UPSTREAM_MALFORMED,
    CallEnd.TIMEOUT: Cause.RESPONSE_TIMEOUT,
    CallEnd.REQUEST_BROKEN: Cause.REQUEST_MALFORMED,
}


class Upstream:
    """The two hosts of Nylas."""

    def __init__(self, pools: Mapping[Api, Pool], limits: CallLimits, stream_limits: CallLimits) -> None:
        self._pools = pools
        self._limits = limits
        self._stream_limits = stream_limits

    async def attempt(self, errand: Errand, on_leaving: Callable[[Errand], None]) -> Response | TransportFailure:
        """Send the request once and wait for the response's head; a cancelled attempt closes its connection.

        `on_leaving` is told when there is a connection and the request goes out on it now.
        """
        context = errand.context
        pool = self._pools[context.route.api]
        # Whose call it is, for the caps on connections: the grant's, else the credential's, which never leaves this process' memory.
        key, idle_max_s = context.grant or errand.head.index.get(b"authorization", b""), _idle_max_s(errand)
        connection = pool.acquire_now(key, idle_max_s) or await pool.acquire(key, idle_max_s)
        if isinstance(connection, CallFailure):
            return _translated(connection)
        extra = ((b"Idempotency-Key", errand.key.encode()),) if errand.key else ()
        head = render_request(errand.head, context.target, pool.dialer.origin.authority, PRIVATE_PREFIX, extra)
        limits = self._stream_limits if context.route.long_lived else self._limits
        on_leaving(errand)
        errand.sent = True
        body = errand.replay or errand.body
        call = Call(head, errand.head.method, errand.head.framing, body, limits, errand.on_interim, PRIVATE_PREFIX)
        try:
            result = await connection.send(call)
        except asyncio.CancelledError:
            connection.abandon(call)
            raise
        return result if isinstance(result, Response) else _translated(result)


def _idle_max_s(errand: Errand) -> float:
    """How long a kept connection may have been idle to carry this attempt."""
    if errand.attempts > 1:
        return NEVER_REUSE
    return REUSE_UNREPEATABLE_MAX_IDLE_S if errand.unsafe or errand.has_body else NO_MATTER_HOW_LONG


def _translated(failure: CallFailure) -> TransportFailure:
    stale = failure.end is CallEnd.CLOSED and failure.reused and not failure.got_bytes
    return TransportFailure(_CAUSES[failure.end], failure.detail, sent=failure.sent, stale=stale)
