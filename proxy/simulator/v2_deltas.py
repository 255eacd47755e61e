"""The delta endpoints of v2: what changed since a cursor, at once, by long poll, or as a stream that never ends.

While there is nothing to tell, a stream sends a newline every few seconds.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from proxy.simulator.call import Call, Route, v2_invalid
from proxy.simulator.deltas import cursor, position_of
from proxy.simulator.listing import V2_LIMIT, whole_number
from proxy.simulator.replies import JSON_TYPE, Json, Reply, Stream, json_bytes, json_reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MAX_LONGPOLL_S = 3600
DEFAULT_LONGPOLL_S = 30


def _latest_cursor(call: Call) -> Reply:
    return json_reply({"cursor": cursor(call.world.deltas.end)})


def _wanted(call: Call, delta: Json) -> bool:
    included, excluded = call.query.get("include_types"), call.query.get("excluded_types")
    kind: str = delta["object"]
    return (not included or kind in included.split(",")) and (not excluded or kind not in excluded.split(","))


def _page(call: Call, position: int) -> Json:
    deltas = call.world.deltas.since(position)[:V2_LIMIT]
    end = deltas[-1]["cursor"] if deltas else cursor(position)
    return {"cursor_start": cursor(position), "cursor_end": end, "deltas": [delta for delta in deltas if _wanted(call, delta)]}


def _since(call: Call) -> Reply:
    position = position_of(call.query.get("cursor", ""))
    return v2_invalid("Invalid cursor parameter") if position is None else json_reply(_page(call, position))


def _streaming(call: Call) -> Reply:
    position = position_of(call.query.get("cursor", ""))
    if position is None:
        return v2_invalid("Invalid cursor parameter")
    return Reply(200, (("Content-Type", JSON_TYPE),), Stream(_stream(call, position)))


async def _stream(call: Call, position: int) -> AsyncIterator[bytes]:
    heartbeats_left = call.cues.heartbeats
    while heartbeats_left != 0:
        if not await call.world.deltas.wait(position, call.cues.heartbeat_s):
            heartbeats_left = None if heartbeats_left is None else heartbeats_left - 1
            yield b"\n"
            continue
        deltas = call.world.deltas.since(position)
        position = call.world.deltas.end
        for delta in deltas:
            if _wanted(call, delta):
                yield json_bytes(delta) + b"\n"


def _longpoll(call: Call) -> Reply:
    position = position_of(call.query.get("cursor", ""))
    timeout_s = whole_number(call.query.get("timeout", ""), DEFAULT_LONGPOLL_S)
    if position is None or timeout_s is None or timeout_s > MAX_LONGPOLL_S:
        return v2_invalid("Invalid cursor parameter" if position is None else "Invalid timeout parameter")
    return Reply(200, (("Content-Type", JSON_TYPE),), Stream(_poll(call, position, timeout_s)))


async def _poll(call: Call, position: int, timeout_s: int) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    ends_s = loop.time() + timeout_s
    while (left_s := ends_s - loop.time()) > 0 and not await call.world.deltas.wait(position, min(left_s, call.cues.heartbeat_s)):
        yield b"\n"
    yield json_bytes(_page(call, position)) + b"\n"


ROUTES = (
    Route("POST", "/delta/latest_cursor", _latest_cursor),
    Route("GET", "/delta", _since),
    Route("GET", "/delta/streaming", _streaming),
    Route("GET", "/delta/longpoll", _longpoll),
)
