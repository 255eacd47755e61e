"""Sending an answer, well or badly: delays, framing, resets, bodies that break off.

A good answer goes through aiohttp's responses. A spoilt one is written to the connection by hand, after which the
connection is always gone.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import HttpVersion11, web
from multidict import CIMultiDict

from proxy.simulator.replies import Reply, Stream, phrase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proxy.simulator.cues import Cues

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing sends RST and drops what is unsent."""

_GZIP_WINDOW = 31
_DELAYED_PIECES = 4


def cuts(cues: Cues) -> bool:
    """Tell whether the connection ends with, or within, this answer in a way that HTTP does not announce."""
    return bool(cues.reset or cues.break_at or cues.close_delimited)


async def transmit(request: web.Request, reply: Reply, cues: Cues) -> web.StreamResponse:
    """Send `reply` as `cues` say; raises ConnectionError when the client is gone."""
    await asyncio.sleep(cues.delay_s)
    if cues.content_type:
        kept = tuple(field for field in reply.headers if field[0].lower() != "content-type")
        reply = replace(reply, headers=(("Content-Type", cues.content_type), *kept))
    if cues.gzip:
        reply = _gzipped(reply)
    if cuts(cues):
        return await _spoilt(request, reply, cues)
    if isinstance(reply.body, bytes) and not cues.chunk_delay_s and not cues.chunked:
        return _closing_if_asked(web.Response(status=reply.status, headers=CIMultiDict(reply.headers), body=reply.body), cues)
    return await _streamed(request, reply, cues)


def _closing_if_asked(response: web.StreamResponse, cues: Cues) -> web.StreamResponse:
    if not cues.keep:
        response.force_close()
    return response


async def _streamed(request: web.Request, reply: Reply, cues: Cues) -> web.StreamResponse:
    response = _closing_if_asked(web.StreamResponse(status=reply.status, headers=CIMultiDict(reply.headers)), cues)
    length_bytes = _length_bytes(reply)
    if length_bytes is not None and not cues.chunked:
        response.content_length = length_bytes
    elif request.version >= HttpVersion11:
        response.enable_chunked_encoding()
    await response.prepare(request)
    async for piece in _pieces(request, reply, cues):
        await response.write(piece)
    await response.write_eof()
    return response


def _length_bytes(reply: Reply) -> int | None:
    return reply.body.length_bytes if isinstance(reply.body, Stream) else len(reply.body)


async def _pieces(request: web.Request, reply: Reply, cues: Cues) -> AsyncIterator[bytes]:
    """The body piece by piece, with the cue's delay between them; none where HTTP has no body."""
    if request.method == "HEAD" or reply.status in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
        return
    first = True
    async for piece in reply.body.pieces if isinstance(reply.body, Stream) else _slices(reply.body, cues):
        if not first:
            await asyncio.sleep(cues.chunk_delay_s)
        first = False
        if piece:
            yield piece


async def _slices(body: bytes, cues: Cues) -> AsyncIterator[bytes]:
    step = max(1, -(-len(body) // (_DELAYED_PIECES if cues.chunk_delay_s else 1)))
    for start in range(0, len(body), step):
        yield body[start : start + step]


def _gzipped(reply: Reply) -> Reply:
    coded = reply.with_headers(("Content-Encoding", "gzip"))
    if isinstance(reply.body, bytes):
        return replace(coded, body=zlib.compress(reply.body, wbits=_GZIP_WINDOW))
    return replace(coded, body=Stream(_gzip_pieces(reply.body)))


async def _gzip_pieces(stream: Stream) -> AsyncIterator[bytes]:
    coder = zlib.compressobj(wbits=_GZIP_WINDOW)
    async for piece in stream.pieces:
        yield coder.compress(piece) + coder.flush(zlib.Z_SYNC_FLUSH)
    yield coder.flush()


async def _spoilt(request: web.Request, reply: Reply, cues: Cues) -> web.StreamResponse:
    if cues.reset != "before_head":
        head = _head(request, reply, cues)
        await request.writer.write(head[: len(head) // 2] if cues.reset == "in_head" else head)
    if cues.reset not in {"before_head", "in_head", "after_head"}:
        await _write_body(request, reply, cues)
    await request.writer.drain()
    transport = request.transport
    if transport is not None and cues.reset:
        plug: socket.socket = transport.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    elif transport is not None:
        transport.close()
    return web.Response()


def _is_chunked(request: web.Request, reply: Reply, cues: Cues) -> bool:
    unframed = cues.close_delimited or request.version < HttpVersion11
    return not unframed and (cues.chunked or _length_bytes(reply) is None)


def _head(request: web.Request, reply: Reply, cues: Cues) -> bytes:
    fields = [*reply.headers]
    length_bytes = _length_bytes(reply)
    if _is_chunked(request, reply, cues):
        fields.append(("Transfer-Encoding", "chunked"))
    elif not cues.close_delimited and length_bytes is not None:
        fields.append(("Content-Length", str(length_bytes)))
    else:
        fields.append(("Connection", "close"))
    lines = [f"HTTP/1.1 {reply.status} {phrase(reply.status)}", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


async def _write_body(request: web.Request, reply: Reply, cues: Cues) -> None:
    """Write the body, or half of it: by bytes where the length is known, else the first piece."""
    chunked = _is_chunked(request, reply, cues)
    length_bytes = _length_bytes(reply)
    half = bool(cues.reset or cues.break_at)
    left = (length_bytes or 0) // 2
    async for whole in _pieces(request, reply, cues):
        piece = whole[:left] if half and length_bytes is not None else whole
        left -= len(piece)
        if piece:
            await request.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if half and left <= 0:
            return
