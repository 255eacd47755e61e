"""Bytes of any number for downloads, made while they are sent: each block begins with its offset, so that none can go missing unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.simulator.listing import whole_number
from proxy.simulator.replies import Reply, Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from proxy.simulator.cues import Cues

BLOCK_BYTES = 65_536
OFFSET_BYTES = 8
_FILLER = bytes(range(256)) * (BLOCK_BYTES // 256)
_MAGIC = "size-"


def block(offset: int, length: int) -> bytes:
    """The block at `offset`: eight bytes of offset, big-endian, then a counting pattern."""
    return (offset.to_bytes(OFFSET_BYTES, "big") + _FILLER[OFFSET_BYTES:])[:length]


async def blocks(size_bytes: int) -> AsyncIterator[bytes]:
    """`size_bytes` bytes in blocks."""
    for offset in range(0, size_bytes, BLOCK_BYTES):
        yield block(offset, min(BLOCK_BYTES, size_bytes - offset))


def wished_size(object_id: str, query: Mapping[str, str], cues: Cues) -> int | None:
    """The size that the cue, the query (`?size_bytes=N`) or an id `size-N` asks for, in this order; None for none."""
    if cues.size_bytes is not None:
        return cues.size_bytes
    for text in (query.get("size_bytes", ""), object_id.removeprefix(_MAGIC) if object_id.startswith(_MAGIC) else ""):
        size = whole_number(text, -1)
        if size is not None and size >= 0:
            return size
    return None


def download(filename: str, content_type: str, size_bytes: int) -> Reply:
    """A file of made-up bytes."""
    quoted = filename.encode("ascii", "replace").decode().replace('"', "'").replace("\r", " ").replace("\n", " ")
    headers = (("Content-Type", content_type), ("Content-Disposition", f'attachment; filename="{quoted}"'))
    return Reply(200, headers, Stream(blocks(size_bytes), size_bytes))
