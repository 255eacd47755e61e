"""What goes wrong with the export: told once to operators, never to standard error, never to a request."""

from __future__ import annotations

import contextlib
import logging
import re
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_PLACEHOLDER: Final = re.compile(r"%[-.\d]*[a-z]")


class Problems(logging.Handler):
    """Takes what the SDK logs, and what comes of exports.

    Of the SDK's words only those are told that stand in its source: the values between them may hold a secret (a header, a URL with a key).

    Args:
        on_problem: Told each problem, one sentence; called in any thread.
    """

    def __init__(self, on_problem: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._on_problem = on_problem
        self._told: set[str] = set()
        self._failing: set[str] = set()
        self._exporting = threading.local()
        self._silent = False

    def take_log(self) -> None:
        """Have the SDK's log end here. For good: a thread of its that hangs may speak long after everything is closed."""
        logger = logging.getLogger("opentelemetry")
        logger.addHandler(self)
        logger.propagate = False

    def tell(self, sentence: str) -> None:
        """Tell it, unless it was told before."""
        if not self._silent and sentence not in self._told:
            self._told.add(sentence)
            # Nobody who minds is above: a failure of the teller would end the thread that exports, or a request's.
            with contextlib.suppress(Exception):
                self._on_problem(sentence)

    def silence(self) -> None:
        """Tell nothing any more."""
        self._silent = True

    def watch(self, signal: str, export: Callable[[], bool]) -> bool:
        """Export, and return whether that went well. The first failure is told, and the first one after it has worked again."""
        self._exporting.reason = ""
        try:
            arrived = export()
        except Exception as error:  # noqa: BLE001 - whatever an exporter does, its thread goes on
            arrived, self._exporting.reason = False, type(error).__name__
        reason = self._exporting.reason
        del self._exporting.reason
        if arrived:
            self._failing.discard(signal)
        elif signal not in self._failing:
            self._failing.add(signal)
            sentence = f"{signal} cannot be exported{f' ({reason})' if reason else ''}. This is told once, until it works again."
            self._told.discard(sentence)
            self.tell(sentence)
        return arrived

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line of the SDK's log: the reason of a failure that `watch` will see, or a problem of its own."""
        if hasattr(self._exporting, "reason"):
            self._exporting.reason = _reason(record.args) or self._exporting.reason
        else:
            self.tell(f"opentelemetry: {_PLACEHOLDER.sub('…', str(record.msg))}")


def _reason(arguments: object) -> str:
    """Return the kind of an error, or the status that a collector answered, as far as a line of the log holds either."""
    for argument in arguments if isinstance(arguments, tuple) else ():
        if isinstance(argument, BaseException):
            return type(argument).__name__
        if isinstance(argument, int):
            return f"status {int(argument)}"
    return ""
