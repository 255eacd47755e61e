"""What systemd is told by a running proxy (sd_notify(3))."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from wire.process import ROOT

from operating.rig import DEADLINE_S, Sidecar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from operating.rig import Nylas

WATCHDOG_USEC = "400000"
FED = {"WATCHDOG": "1"}
FED_MAX = 50  # ten seconds


class Manager:
    """Listens where NOTIFY_SOCKET says."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(DEADLINE_S)
        self.path = str(path)

    def told(self) -> dict[str, str]:
        """The next message that is no watchdog's, as variables and values."""
        for _ in range(FED_MAX):
            if (message := self._next()) != FED:
                return message
        raise TimeoutError("the watchdog was fed, and nothing else was told")

    def fed(self) -> bool:
        """Whether the next message is the watchdog's."""
        return self._next() == FED

    def is_silent(self) -> bool:
        """Whether nothing has come, as of now."""
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            return not self._socket.recv(4096)
        return True

    def close(self) -> None:
        self._socket.close()

    def _next(self) -> dict[str, str]:
        lines = self._socket.recv(4096).decode().splitlines()
        return {variable: value for variable, _, value in (line.partition("=") for line in lines)}


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    with contextlib.closing(Manager(tmp_path / "notify")) as listening:
        monkeypatch.setenv("NOTIFY_SOCKET", listening.path)
        yield listening


def test_systemd_is_told_of_the_start_each_reload_and_the_end(
    nylas: Nylas, tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", WATCHDOG_USEC)
    with Sidecar(nylas.url, tmp_path) as sidecar:
        started = manager.told()
        assert (started["READY"], started["STATUS"]) == ("1", f"listening on port {sidecar.port}")
        assert all(manager.fed() for _ in range(3))
        for more in ("", "[limits]\nhedroom = 1\n"):
            sidecar.write({}, more)
            sidecar.process.signal(signal.SIGHUP)
            begun = manager.told()
            assert sorted(begun) == ["MONOTONIC_USEC", "RELOADING"]
            assert (begun["RELOADING"], int(begun["MONOTONIC_USEC"]) > 0) == ("1", True)
            assert manager.told() == {"READY": "1"}
        sidecar.process.terminate()
        assert manager.told() == {"STOPPING": "1"}
        assert sidecar.process.exit_status() == 0


def test_it_is_ready_only_once_both_listeners_are_there(manager: Manager, tmp_path: Path) -> None:
    for section in ("listen", "admin"):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            ports = {"LISTEN": "0", "ADMIN": "0", section.upper(): str(taken.getsockname()[1])}
            environment = {**os.environ, **{f"NYLAS_PROXY__{name}__PORT": port for name, port in ports.items()}}
            command = [sys.executable, "-m", "proxy", "serve"]
            ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, timeout=DEADLINE_S, check=False)
        assert (ended.returncode, f"{section}.port" in ended.stderr.decode()) == (1, True)
        assert manager.is_silent()


def test_whoever_is_told_that_it_is_ready_can_connect(nylas: Nylas, tmp_path: Path, manager: Manager) -> None:
    file = tmp_path / "proxy.toml"
    file.write_text(f'[listen]\nport = 0\n[admin]\nport = 0\n[upstream]\nv3_url = "{nylas.url}"\n')
    command = [sys.executable, "-m", "proxy", "serve", "--config", str(file)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            port = int(manager.told()["STATUS"].rpartition(" ")[2])
            socket.create_connection(("127.0.0.1", port), DEADLINE_S).close()
        finally:
            process.terminate()
    assert process.returncode == 0
