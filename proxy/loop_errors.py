"""What the event loop complains of: bugs, and that the system lets nobody in any more, which asyncio says a thousand times a second."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import asyncio

    from proxy.telemetry.logs import Log

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_TOLD_EVERY_S: Final = 10.0


class LoopErrors:
    """Tells the log."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._told_at = -_TOLD_EVERY_S

    def tell(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """One complaint, as `loop.set_exception_handler` gives it."""
        error = context.get("exception") or RuntimeError()
        if not isinstance(error, OSError) or error.errno not in _EXHAUSTED:
            self._log.bug(error, "-")
        elif loop.time() >= self._told_at + _TOLD_EVERY_S:
            self._told_at = loop.time()
            self._log.warning("listen.exhausted", message=f"no caller can be let in: {os.strerror(error.errno)}")
