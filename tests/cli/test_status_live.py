from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from cli.told import WINDOW, a_busy_status, a_listener, a_status
from proxy.terminal.asking import Unanswered
from proxy.terminal.live import watch
from proxy.terminal.picture import Picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.told import Listener
    from proxy.telemetry.status import Status

OTHER_SCREEN, USUAL_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"
NO_CURSOR, CURSOR = b"\x1b[?25l", b"\x1b[?25h"
WITH_CTRL_C = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
"""Runs its arguments with its terminal as the one whose Ctrl-C interrupts them."""
REFUSED = Unanswered("does not answer (Connection refused)", "see that it runs")


@pytest.fixture
def listener() -> Iterator[Listener]:
    with a_listener() as listening:
        yield listening


class OnTerminal:
    """A process on a pseudo-terminal, and all that it has written there."""

    def __init__(self, *words: str, columns: int = 100, rows: int = 30, term: str = "xterm") -> None:
        self._reads, writes = pty.openpty()
        fcntl.ioctl(writes, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("NYLAS_PROXY", "COLUMNS", "LINES", "NO_COLOR", "TTY_"))}
        self.process = subprocess.Popen(
            [sys.executable, "-c", WITH_CTRL_C, sys.executable, "-m", "proxy", *words],
            env={**outside, "TERM": term, "PYTHONIOENCODING": "utf-8"},
            stdin=writes,
            stdout=writes,
            stderr=writes,
            start_new_session=True,
        )
        os.close(writes)
        self.written = b""

    def read_until(self, text: str) -> None:
        """Return when `text` has been written since the last time."""
        seen = len(self.written)
        while text.encode() not in self.written[seen:]:
            assert self._more(), f"ended without {text!r}: {self.written!r}"

    def type(self, keys: bytes) -> None:
        os.write(self._reads, keys)

    def ended(self) -> int:
        """The exit status, when all has been read."""
        while self._more():
            pass
        return self.process.wait()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._reads)

    def _more(self) -> bool:
        try:
            read = os.read(self._reads, 65_536)
        except OSError:  # as Linux says that nobody has the terminal open any more
            return False
        self.written += read
        return bool(read)


@pytest.fixture
def terminal(listener: Listener, request: pytest.FixtureRequest) -> Iterator[OnTerminal]:
    terminal = OnTerminal("status", "--admin", listener.url, *getattr(request, "param", ()))
    yield terminal
    terminal.close()


def test_on_a_terminal_it_goes_on_until_ctrl_c_and_leaves_the_terminal_as_it_was(terminal: OnTerminal, listener: Listener) -> None:
    terminal.read_until("All is well")
    listener.tell(a_status(windows=[WINDOW], windows_open=1))
    terminal.read_until("18 min 20 s")
    terminal.type(b"\x03")
    assert terminal.ended() == 130
    assert terminal.written.index(OTHER_SCREEN) < terminal.written.index(b"All is well")
    assert terminal.written.count(OTHER_SCREEN) == terminal.written.count(USUAL_SCREEN) == 1
    assert terminal.written.rindex(NO_CURSOR) < terminal.written.rindex(CURSOR)
    assert b"Traceback" not in terminal.written
    assert terminal.written[terminal.written.index(USUAL_SCREEN) + len(USUAL_SCREEN) :].strip() == b""


def test_whoever_ends_it_by_a_signal_gets_the_terminal_back_too(terminal: OnTerminal) -> None:
    terminal.read_until("All is well")
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.ended() == 143
    assert terminal.written.count(USUAL_SCREEN) == 1
    assert terminal.written.rindex(NO_CURSOR) < terminal.written.rindex(CURSOR)


def test_a_proxy_that_goes_and_comes_back_is_asked_on(terminal: OnTerminal, listener: Listener) -> None:
    terminal.read_until("All is well")
    listener.status = 503
    terminal.read_until(f"{listener.url} answered 503, for ")
    terminal.read_until("All is well")
    listener.status = 200
    listener.tell(a_busy_status())
    terminal.read_until("exchange_throttle")
    terminal.type(b"\x03")
    assert terminal.ended() == 130


@pytest.mark.parametrize("terminal", [["--once"]], indirect=True)
def test_once_prints_all_of_it_on_the_usual_screen(terminal: OnTerminal, listener: Listener) -> None:
    assert terminal.ended() == 0
    assert OTHER_SCREEN not in terminal.written
    assert b"All is well" in terminal.written
    assert len(listener.asked) == 1


def test_a_terminal_that_cannot_be_redrawn_gets_it_once(listener: Listener) -> None:
    terminal = OnTerminal("status", "--admin", listener.url, term="dumb")
    assert terminal.ended() == 0
    terminal.close()
    assert b"All is well" in terminal.written
    assert b"\x1b" not in terminal.written


def test_on_a_terminal_json_is_escaped_too(listener: Listener) -> None:
    listener.body = '{"version": "\x7f\u009b31m\u202e"}'.encode()
    terminal = OnTerminal("status", "--json", "--admin", listener.url)
    assert terminal.ended() == 0
    terminal.close()
    assert terminal.written.split() == [b"{", b'"version":', rb'"\u007f\u009b31m\u202e"', b"}"]


class Minute:
    """A clock, and a sleep that moves it on and interrupts in the end."""

    def __init__(self, naps: int) -> None:
        self.now_s = 50.0
        self.naps = naps

    def clock(self) -> float:
        return self.now_s

    def sleep(self, length_s: float) -> None:
        self.now_s += length_s
        self.naps -= 1
        if self.naps < 0:
            raise KeyboardInterrupt


def watched(*answers: Status | Unanswered) -> list[str]:
    """What is on the screen after the first picture and after each answer."""
    file, minute, said = StringIO(), Minute(len(answers)), iter(answers)
    console = Console(file=file, force_terminal=True, color_system=None, width=120, height=24, markup=False)
    with pytest.raises(KeyboardInterrupt):
        watch(Picture(a_status(), "http://h"), lambda: next(said), console, minute.clock, minute.sleep)
    return file.getvalue().split("\x1b[H")[1:]


def test_every_second_there_is_a_new_picture_as_high_as_the_terminal() -> None:
    screens = watched(a_status(windows=[WINDOW], windows_open=1), a_status())
    assert ["WINDOWS" in screen for screen in screens[-3:]] == [False, True, False]
    assert [screen.count("\n") for screen in screens[-3:-1]] == [23, 23]


def test_while_the_proxy_does_not_answer_its_last_picture_stays_with_since_when() -> None:
    screens = watched(a_status(windows=[WINDOW], windows_open=1), REFUSED, REFUSED, a_status())[-5:]
    lost = [screen[screen.find("http://h does") :].partition("\n")[0].rstrip() if "http://h does" in screen else "" for screen in screens]
    said = "http://h does not answer (Connection refused), for {} s now. Below is what it told last."
    assert lost == ["", "", said.format(1), said.format(2), ""]
    assert ["WINDOWS" in screen for screen in screens] == [False, True, True, True, False]
