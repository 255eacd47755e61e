"""Reading a request body: hashed while it comes, kept only as far as an answer can need it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from aiohttp import HttpVersion11, web

if TYPE_CHECKING:
    from proxy.simulator.arrivals import Arrival
    from proxy.simulator.replies import Json

MAX_BODY_BYTES = 200_000_000
KEPT_BYTES = 32_000_000
"""More than any message may have: multipart requests end at 25 MB. Longer bodies are hashed and dropped."""


@dataclass(frozen=True, slots=True)
class Body:
    """A request body; `content` is None when it was longer than what is kept."""

    content: bytes | None = b""

    def json(self) -> object:
        """The JSON value, or None for what is no JSON (and for `null`)."""
        try:
            value: object = json.loads(self.content or b"")
        except (ValueError, RecursionError):
            return None
        return value

    def json_object(self) -> Json | None:
        """The JSON object, or None for anything else."""
        value = self.json()
        return value if isinstance(value, dict) else None

    def form(self) -> dict[str, str]:
        """The fields of a URL-encoded form; empty for anything else."""
        try:
            return dict(parse_qsl((self.content or b"").decode()))
        except ValueError:
            return {}


async def read_body(request: web.Request, arrival: Arrival) -> Body | None:
    """Read the whole body and note it in `arrival`; None when it is over the limit.

    Answers `Expect: 100-continue` first (RFC 9110 section 10.1.1). A body whose chunks are broken never ends: aiohttp's parser
    drops the rest of the connection.
    """
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version == HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    hashed = hashlib.sha256()
    kept: bytearray | None = bytearray()
    async for piece in request.content.iter_any():
        hashed.update(piece)
        arrival.body_bytes += len(piece)
        if arrival.body_bytes > MAX_BODY_BYTES:
            return None
        if kept is not None:
            kept += piece
            kept = kept if arrival.body_bytes <= KEPT_BYTES else None
    arrival.body_sha256, arrival.body_complete = hashed.hexdigest(), True
    return Body(None if kept is None else bytes(kept))
