"""Bounds what a chunked body carries beside its data: extensions and trailers, which llhttp does not bound."""

from __future__ import annotations

from typing import Final

# A chunk's own size line and line ends; what a chunk takes beyond that is extensions, which nothing here reads.
_PER_CHUNK_BYTES: Final = 16


class ChunkOverhead:
    """Counts one body's overhead."""

    __slots__ = ("_bytes", "_chunks", "_max_bytes")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._chunks = 0

    def begin_chunk(self) -> None:
        """A chunk begins: its size line is no overhead."""
        self._chunks += 1

    def add(self, overhead_bytes: int) -> bool:
        """Count bytes that were no data; returns whether they are too many by now."""
        self._bytes += overhead_bytes
        return self._bytes - _PER_CHUNK_BYTES * self._chunks > self._max_bytes
