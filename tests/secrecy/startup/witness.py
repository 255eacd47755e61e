"""Keeps what a proxy says, and what it shows just before it is told to end: in files of one folder, which an environment variable names.

The standard library alone, and nothing of the tests: this is imported into the proxies that are under test.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

FOLDER = "PROXY_TESTS_COLLECT_IN"  # not NYLAS_...: rigs keep those from their children
_SHOWN = ("/metrics", "/status.json")
_LOOK_TIMEOUT_S = 2.0
_ADMIN_PORT = re.compile(rb'"?admin_port"?[:=]\s*(\d+)')
_write = os.write


def note(name: str, said: bytes) -> None:
    """Add to what is kept under a name; nothing where nothing is collected, or a test has taken descriptors or room away."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(Path(folder) / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            _write(descriptor, said)
        finally:
            os.close(descriptor)


class _Kept(io.FileIO):
    """Standard output or error, of which a copy is kept."""

    def write(self, said: Any, /) -> int:
        note(f"{os.getpid()}.output", bytes(said))
        return super().write(said)


def keep_output() -> None:
    """Keep what this process says from now on, by Python's streams or by `os.write`."""

    def write_and_keep(descriptor: int, said: Any) -> int:
        if descriptor in {1, 2}:
            note(f"{os.getpid()}.output", bytes(said))
        return _write(descriptor, said)

    os.write = write_and_keep
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        before = getattr(sys, name)
        raw = io.BufferedWriter(_Kept(descriptor, "w", closefd=False))
        setattr(sys, name, io.TextIOWrapper(raw, before.encoding, before.errors, line_buffering=before.line_buffering))


def look(pid: int) -> None:
    """Keep what a proxy that runs shows on its admin listener."""
    import http.client  # a proxy that only speaks starts faster without

    with contextlib.suppress(OSError, http.client.HTTPException):
        ports = _ADMIN_PORT.findall((Path(os.environ[FOLDER]) / f"{pid}.output").read_bytes())
        for path in _SHOWN if ports else ():
            asked = http.client.HTTPConnection("127.0.0.1", int(ports[-1]), timeout=_LOOK_TIMEOUT_S)
            with contextlib.closing(asked):
                asked.request("GET", path)
                note(f"{pid}{path.replace('/', '.')}", asked.getresponse().read())


def look_before_the_end() -> None:
    """Look at every proxy that this process starts, once, before it is told to end."""
    seen: weakref.WeakSet[subprocess.Popen[bytes]] = weakref.WeakSet()
    send_signal = subprocess.Popen.send_signal

    def look_and_send(process: subprocess.Popen[bytes], number: int) -> None:
        if number in {signal.SIGTERM, signal.SIGINT} and process not in seen and process.poll() is None:
            seen.add(process)
            look(process.pid)
        send_signal(process, number)

    subprocess.Popen.send_signal = look_and_send  # type: ignore[method-assign, assignment]
