"""What systemd and the proxy tell each other: how it is (sd_notify(3)), how often to say that it works, which sockets it inherits.

Without the variables nothing is told; a failure to tell harms nobody.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENDLESS_US: Final = 2**64 - 1
_FIRST_DESCRIPTOR: Final = 3
_INHERITED_MAX: Final = 16
_NAMES: Final = ("proxy", "admin")


class Notifier:
    """Tells the service manager.

    Args:
        environ: The environment. A path begins with `/`; `@` stands for the null byte before a name of the abstract namespace (sd_notify(3)).
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        name = environ.get("NOTIFY_SOCKET", "")
        self._address = os.fsencode("\0" + name[1:] if name.startswith("@") else name) if name.startswith(("/", "@")) else b""

    def ready(self, status: str) -> None:
        """It serves now; `status` is a line for whoever asks systemctl."""
        self._tell("READY=1", _status(status))

    def stopping(self) -> None:
        """It takes no more requests, and ends soon."""
        self._tell("STOPPING=1")

    def reloading(self, monotonic_us: int) -> None:
        """It begins to read its settings again, at this time of the monotonic clock, in microseconds.

        Both stand in one message, else `Type=notify-reload` takes no notice (systemd.service(5)).
        """
        self._tell("RELOADING=1", f"MONOTONIC_USEC={monotonic_us}")

    def reloaded(self) -> None:
        """That is over, and it serves, whichever settings are in force: systemd waits for the same word as after a start."""
        self._tell("READY=1")

    def watchdog(self) -> None:
        """It still works."""
        self._tell("WATCHDOG=1")

    def _tell(self, *assignments: str) -> None:
        if not self._address:
            return
        # Whoever does not read must not hold up requests: a full buffer loses the message.
        with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.setblocking(False)
            manager.sendto("\n".join(assignments).encode(), self._address)


def watchdog_interval_s(environ: Mapping[str, str], pid: int) -> float | None:
    """Return how often to say that it works, in seconds: twice within the time that systemd allows (sd_watchdog_enabled(3)).

    Args:
        environ: The environment.
        pid: The process that runs: the time may be meant for another.

    Returns:
        None where nobody waits for it, or the variables make no sense.
    """
    allowed_us = _whole_number(environ.get("WATCHDOG_USEC", ""))
    meant_pid = _whole_number(environ.get("WATCHDOG_PID", str(pid)))
    if meant_pid != pid or not allowed_us or allowed_us >= _ENDLESS_US:
        return None
    return allowed_us / 2e6


def inherited_sockets(environ: Mapping[str, str], pid: int) -> dict[str, int]:
    """Return the descriptors of listening sockets that were handed over, by their names (sd_listen_fds(3)).

    Args:
        environ: The environment: `LISTEN_FDS` of them from 3 on, `LISTEN_FDNAMES` with a colon between names. Without names the first is `proxy`, the
            second `admin`.
        pid: The process that runs: `LISTEN_PID` may say that they are meant for another.
    """
    count = _whole_number(environ.get("LISTEN_FDS", ""))
    meant_pid = _whole_number(environ.get("LISTEN_PID", str(pid)))
    if meant_pid != pid or not count or count > _INHERITED_MAX:
        return {}
    names = environ.get("LISTEN_FDNAMES", "").split(":")
    if not set(names) & set(_NAMES):
        names = list(_NAMES)
    return {name: _FIRST_DESCRIPTOR + number for number, name in enumerate(names[:count]) if name in _NAMES}


def _whole_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(_ENDLESS_US)) else None


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())  # a line end would begin another assignment
