"""`nylas-proxy status` itself: ask, then print once or go on drawing."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Final

from proxy.terminal.asking import Answered, Unanswered, ask
from proxy.terminal.reading import read_document, read_status

if TYPE_CHECKING:
    from proxy.telemetry.status import Status
    from proxy.terminal.asking import Whom

_TIMEOUT_S: Final = 5.0
_LIVE_TIMEOUT_S: Final = 2.0
_FAILED, _WRONG_USE = 1, 2


def print_document(whom: Whom) -> int:
    """Print the status document of `whom`, byte for byte; on a terminal indented, with all escaped that could act on it.

    Returns the exit status.
    """
    answer = ask(whom, _TIMEOUT_S)
    if isinstance(answer, Unanswered):
        return _failed(whom, answer)
    document = read_document(answer.body)
    if isinstance(document, Unanswered):
        return _failed(whom, document)
    if sys.stdout.isatty():
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        sys.stdout.buffer.write(answer.body)
    return 0


def show(whom: Whom, *, once: bool) -> int:
    """Draw the status of `whom`: once, or live on a terminal until interrupted. Returns the exit status."""
    try:
        from proxy.terminal.console import standard_output  # noqa: PLC0415  the library behind it is optional
        from proxy.terminal.live import watch  # noqa: PLC0415  the same
        from proxy.terminal.picture import Picture  # noqa: PLC0415  the same
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "rich":
            raise
        return _complain("drawing needs the package rich: pip install 'nylas-proxy[status]'; --json works without it", _WRONG_USE)
    status = _status(whom, _TIMEOUT_S)
    if isinstance(status, Unanswered):
        return _failed(whom, status)
    console, picture = standard_output(), Picture(status, whom.url)
    if console.is_interactive and sys.stdout.isatty() and not once:
        watch(picture, lambda: _status(whom, _LIVE_TIMEOUT_S), console, time.monotonic, time.sleep)
    console.print(picture)
    return 0


def _status(whom: Whom, timeout_s: float) -> Status | Unanswered:
    answer = ask(whom, timeout_s)
    return read_status(answer.body) if isinstance(answer, Answered) else answer


def _failed(whom: Whom, unanswered: Unanswered) -> int:
    return _complain(f"{whom.url} {unanswered.reason}: {unanswered.advice}", _FAILED)


def _complain(sentence: str, exit_status: int) -> int:
    sys.stderr.write(f"nylas-proxy status: {sentence}\n")
    return exit_status
