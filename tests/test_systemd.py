from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from proxy.systemd import Notifier, watchdog_interval_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PID = 42


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, dict[str, str]]]:
    """What systemd listens on, and the environment that it gives."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@nylas-proxy-test-{os.getpid()}-ü"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        listening.settimeout(5)
        yield listening, {"NOTIFY_SOCKET": name}


@pytest.mark.parametrize(
    ("tell", "message"),
    [
        (lambda to: to.ready("listens on 8700"), b"READY=1\nSTATUS=listens on 8700"),
        (lambda to: to.ready("one\nSTOPPING=1"), b"READY=1\nSTATUS=one STOPPING=1"),
        (lambda to: to.stopping(), b"STOPPING=1"),
        (lambda to: to.reloading(123_456_789), b"RELOADING=1\nMONOTONIC_USEC=123456789"),
        (lambda to: to.reloaded(), b"READY=1"),
        (lambda to: to.watchdog(), b"WATCHDOG=1"),
    ],
)
def test_each_change_is_one_message(manager: tuple[socket.socket, dict[str, str]], tell: Callable[[Notifier], None], message: bytes) -> None:
    listening, environ = manager
    tell(Notifier(environ))
    assert listening.recv(4096) == message


def test_a_manager_that_reads_nothing_holds_nobody_up(manager: tuple[socket.socket, dict[str, str]]) -> None:
    listening, environ = manager
    notifier = Notifier(environ)
    for _ in range(10_000):  # far more than its buffer holds
        notifier.watchdog()
    assert listening.recv(4096) == b"WATCHDOG=1"


@pytest.mark.parametrize(
    "name",
    ["", "@", "notify", "vsock:2:1234", "/nobody/listens/here", "/" + "x" * 200, "@" + "x" * 200, "/a\0b", "/\udc80"],
    ids=["empty", "no name", "neither path nor name", "vsock", "gone", "long path", "long name", "null byte", "undecodable"],
)
def test_a_manager_that_cannot_be_reached_is_told_nothing(name: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": name})
    notifier.ready("")
    notifier.stopping()


def test_a_status_that_cannot_be_told_harms_nobody(manager: tuple[socket.socket, dict[str, str]]) -> None:
    listening, environ = manager
    notifier = Notifier(environ)
    notifier.ready("\udc80")
    notifier.stopping()
    assert listening.recv(4096) == b"STOPPING=1"


def test_without_a_manager_no_socket_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "socket", None)
    Notifier({}).ready("listens")


def test_a_socket_that_is_there_again_is_told_again(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    notifier = Notifier({"NOTIFY_SOCKET": str(path)})
    for _ in range(2):
        notifier.watchdog()  # nobody there
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
            listening.bind(str(path))
            notifier.watchdog()
            assert listening.recv(4096) == b"WATCHDOG=1"
        path.unlink()


@pytest.mark.parametrize(
    ("environ", "interval_s"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "42"}, 15.0),
        ({"WATCHDOG_USEC": "1"}, 0.5e-6),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "43"}, None),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": ""}, None),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "self"}, None),
        ({"WATCHDOG_PID": "42"}, None),
        ({}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
        ({"WATCHDOG_USEC": "1e9"}, None),
        ({"WATCHDOG_USEC": " 1"}, None),
        ({"WATCHDOG_USEC": "٣"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
        ({"WATCHDOG_USEC": str(2**64 - 1)}, None),
        ({"WATCHDOG_USEC": "9" * 5000}, None),
    ],
)
def test_the_watchdog_is_fed_twice_in_the_time_that_it_allows_this_process(environ: dict[str, str], interval_s: float | None) -> None:
    assert watchdog_interval_s(environ, PID) == interval_s
