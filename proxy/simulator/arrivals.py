"""What arrived, byte for byte, and which messages were delivered: what a test of a proxy wants to know afterwards.

Memory is bounded: the oldest entries go first. Everything is kept as sent, credentials included, so the simulator
belongs on a loopback address.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict, deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from proxy.simulator.replies import Json, json_bytes

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from aiohttp import web

MAX_ARRIVALS = 10_000
MAX_DELIVERIES = 10_000
MAX_NUMBERS_PER_DELIVERY = 100


@dataclass(slots=True)
class Arrival:
    """One request. Text stands for bytes, one character each (Latin-1).

    Attributes:
        number: Counts from 1.
        connection: Which connection it came on, counting from 1.
        arrived_s: Monotonic clock of the simulator when handling began: after the head, in pipelines after earlier answers.
        method: As sent.
        target: The request target as sent, query included.
        version: `1.1` or `1.0`.
        fields: Header fields in order, with case and duplicates.
        framing: `content-length`, `chunked` or `none`.
        body_bytes: How much of the body was read so far, after removal of chunked coding, content coding kept.
        body_sha256: Hash of these bytes; set when the body is complete.
        body_complete: The whole body was read.
        status: What was answered, or was about to be.
        outcome: `answered`; `cut` (reset or broken off on cue); `client_left`; None while it is under way.
    """

    number: int
    connection: int
    arrived_s: float
    method: str
    target: str
    version: str
    fields: list[tuple[str, str]]
    framing: str
    body_bytes: int = 0
    body_sha256: str | None = None
    body_complete: bool = False
    status: int | None = None
    outcome: str | None = None


def _framing(headers: Mapping[str, str]) -> str:
    if "Transfer-Encoding" in headers:
        return "chunked"
    return "content-length" if "Content-Length" in headers else "none"


class Arrivals:
    """The last requests, in order."""

    def __init__(self) -> None:
        self._kept: deque[Arrival] = deque(maxlen=MAX_ARRIVALS)
        self._last = 0
        self._connections: WeakKeyDictionary[asyncio.BaseTransport, int] = WeakKeyDictionary()
        self._last_connection = 0

    def note(self, request: web.Request) -> Arrival:
        """Record a request whose head was read."""
        self._last += 1
        arrival = Arrival(
            number=self._last,
            connection=self._connection(request.transport),
            arrived_s=time.monotonic(),
            method=request.method,
            target=request.raw_path.encode("utf-8", "surrogateescape").decode("latin-1"),
            version=f"{request.version.major}.{request.version.minor}",
            fields=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers],
            framing=_framing(request.headers),
        )
        self._kept.append(arrival)
        return arrival

    def _connection(self, transport: asyncio.BaseTransport | None) -> int:
        if transport is None:
            return 0
        if transport not in self._connections:
            self._last_connection += 1
            self._connections[transport] = self._last_connection
        return self._connections[transport]

    def since(self, number: int) -> Json:
        """Those numbered above `number`, and the number of the last one."""
        return {"last": self._last, "arrivals": [asdict(arrival) for arrival in self._kept if arrival.number > number]}

    def clear(self) -> None:
        """Forget all; numbers go on."""
        self._kept.clear()


class Deliveries:
    """Which messages left for their recipients, told apart by content, so that a second copy shows."""

    def __init__(self) -> None:
        self._counted: OrderedDict[str, Json] = OrderedDict()

    def note(self, content: object, arrival: int) -> None:
        """Count one delivery of `content`: the fields of a message, or the bytes of a MIME message."""
        written = content if isinstance(content, bytes) else json_bytes(content)
        key = hashlib.sha256(written).hexdigest()
        entry = self._counted.setdefault(key, {"content_sha256": key, "count": 0, "arrivals": []})
        if isinstance(content, dict):
            entry |= {name: content.get(name) for name in ("subject", "to")}
        entry["count"] += 1
        entry["arrivals"] = [*entry["arrivals"], arrival][-MAX_NUMBERS_PER_DELIVERY:]
        while len(self._counted) > MAX_DELIVERIES:
            self._counted.popitem(last=False)

    def report(self) -> Json:
        """All messages with their counts; `duplicates` counts the copies that nobody wanted."""
        messages = list(self._counted.values())
        return {
            "messages": messages,
            "delivered": sum(message["count"] for message in messages),
            "duplicates": sum(message["count"] - 1 for message in messages),
        }

    def clear(self) -> None:
        """Forget all."""
        self._counted.clear()
