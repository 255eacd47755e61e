"""A picture that is drawn anew every second, on a screen of its own that leaves the terminal as it was."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

from rich.live import Live

from proxy.terminal.asking import Unanswered
from proxy.terminal.picture import Lost, Picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console

    from proxy.telemetry.status import Status

_PAUSE_S: Final = 1.0


def watch(
    first: Picture,
    ask: Callable[[], Status | Unanswered],
    console: Console,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> NoReturn:
    """Show `first`, then what `ask` returns, until interrupted. What was told last stays when nothing more comes.

    Args:
        first: What the proxy has told already.
        ask: Asks it once more.
        console: A terminal.
        clock: Seconds that only go forward.
        sleep: Pauses for some seconds.
    """
    picture, heard_at_s = first, clock()
    with _a_kind_end() as end, Live(console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
        while True:
            live.update(picture, refresh=True)
            end.check()
            sleep(_PAUSE_S)
            end.check()
            answer = ask()
            if isinstance(answer, Unanswered):
                picture = picture._replace(lost=Lost(answer.reason, clock() - heard_at_s))
            else:
                picture, heard_at_s = picture._replace(status=answer, lost=None), clock()


class _End:
    """That a signal has asked for the end. An exception raised while Python clears away an object is lost: what was asked stays noted."""

    def __init__(self) -> None:
        self._number = 0

    def asked(self, number: int, _frame: object) -> None:
        """A signal has come."""
        self._number = number
        self.check()

    def check(self) -> None:
        """End, if a signal has come."""
        if self._number == signal.SIGINT:
            raise KeyboardInterrupt
        if self._number:
            raise SystemExit(128 + self._number)


@contextmanager
def _a_kind_end() -> Iterator[_End]:
    """Let SIGTERM, as `timeout` sends it, restore the terminal as Ctrl-C does."""
    end = _End()
    before = {number: signal.signal(number, end.asked) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield end
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
