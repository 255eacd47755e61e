"""Log lines to a file descriptor, without the event loop ever waiting for whoever reads them."""

from __future__ import annotations

import os
import queue
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

FLUSH_EVERY_S: Final = 0.02
QUEUED_MAX_BLOCKS: Final = 256
BLOCK_MAX_BYTES: Final = 65_536


class LineWriter:
    """Collects lines and hands them to a thread in blocks.

    A write per line costs more than everything else about it; a blocked pipe must not block requests. What a reader does not
    take is dropped and counted, and the count is the first line that gets through again.

    Attributes:
        dropped_lines: How many, since the start.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: list[bytes] = []
        self._held_bytes = 0
        self._dropped = 0
        self.dropped_lines = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._blocks: queue.Queue[bytes | None] = queue.Queue(QUEUED_MAX_BLOCKS)
        self._thread = threading.Thread(target=self._write_blocks, name="log", daemon=True)
        self._thread.start()

    def run_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Flush by this loop's timer from now on; before that, each line is flushed at once."""
        self._loop = loop

    def write(self, line: bytes) -> None:
        """Take one line, its line end included."""
        self._lines.append(line)
        self._held_bytes += len(line)
        if self._loop is None or self._held_bytes > BLOCK_MAX_BYTES:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(FLUSH_EVERY_S, self.flush)

    def flush(self) -> None:
        """Hand over what is collected."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._lines:
            return
        lines, self._lines, self._held_bytes = self._lines, [], 0
        if self._dropped:
            lines.insert(0, b'{"event":"log.lines_dropped","count":%d}\n' % self._dropped)
        try:
            self._blocks.put_nowait(b"".join(lines))
        except queue.Full:
            self._dropped += len(lines)
            self.dropped_lines += len(lines)
        else:
            self._dropped = 0

    def close(self, timeout_s: float = 2.0) -> None:
        """Flush and wait, at most so long, until everything is written."""
        self._loop = None
        self.flush()
        try:
            self._blocks.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._thread.join(timeout_s)

    def _write_blocks(self) -> None:
        while (block := self._blocks.get()) is not None:
            view = memoryview(block)
            while view:
                try:
                    view = view[os.write(self._descriptor, view) :]
                except OSError:  # the reader is gone for good: nothing can be told to anybody
                    break
