"""Writes the journal in a thread, one write at a time: what changes meanwhile goes into the next one."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from proxy.ledger.journal import rows_of, save

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from proxy.core.window import ThrottleWindow


class JournalWriter:
    """Keeps a file in step with the windows.

    Args:
        path: Where to.
        windows: What to write; looked at in the loop's thread alone.
        now_us: The clock in which the windows are told.
        complain: Told in a sentence when the file cannot be written, once until it can again.
    """

    def __init__(self, path: Path, windows: Mapping[str, ThrottleWindow], now_us: Callable[[], int], complain: Callable[[str], None]) -> None:
        self._path = path
        self._windows = windows
        self._now_us = now_us
        self._complain = complain
        self._writing: asyncio.Task[None] | None = None
        self._changed = False
        self._failed = False

    def note_change(self) -> None:
        """Write soon."""
        self._changed = True
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def flush(self) -> None:
        """Return when all that was noted is written, or could not be."""
        while self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write(self) -> None:
        try:
            while self._changed:
                self._changed = False
                await self._write_once()
        finally:
            self._writing = None

    async def _write_once(self) -> None:
        rows = rows_of(self._windows, time.time(), self._now_us())
        try:
            await asyncio.to_thread(save, self._path, rows)
        except OSError as error:
            if not self._failed:
                self._complain(f"windows.journal: {self._path} cannot be written ({error.strerror}): windows will not survive a restart")
            self._failed = True
        else:
            self._failed = False
