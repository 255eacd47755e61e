"""The proxy as users run it: a process of its own with a configuration file, its log read line by line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wire.stream import DEADLINE_S, Stream

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
START_DEADLINE_S = 20.0
STOP_DEADLINE_S = 20.0
LOG_DEADLINE_S = 8.0
SETTINGS_PREFIX = "NYLAS_PROXY"

Section = dict[str, str | int | float | bool]
Settings = dict[str, Section]
Event = dict[str, Any]


def as_toml(settings: Settings) -> str:
    """These settings as a configuration file; a value reads the same in JSON and TOML."""
    return "\n".join(
        f"[{section}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()) for section, keys in settings.items()
    )


def with_free_ports(settings: Settings) -> Settings:
    """The same settings, listening on ports that the kernel chooses and logging JSON."""
    fixed: Settings = {"listen": {"port": 0}, "admin": {"port": 0}, "log": {"format": "json", "level": "info"}}
    return {section: {**settings.get(section, {}), **fixed.get(section, {})} for section in {**settings, **fixed}}


class ProxyProcess:
    """A running proxy.

    Attributes:
        address: Where it listens for clients.
        noise: What a healthy proxy never prints: lines that are no JSON object, and tracebacks inside those that are.
    """

    def __init__(self, settings: Settings, directory: Path) -> None:
        file = directory / "proxy.toml"
        file.write_text(as_toml(with_free_ports(settings)))
        environment = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS_PREFIX)}
        command = [sys.executable, "-m", "proxy", "serve", "--config", str(file)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT, env=environment)
        self._changed = threading.Condition()
        self._events: list[Event] = []
        self.noise: list[str] = []
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        ready = self._wait_until_ready()
        self.address: tuple[str, int] = ("127.0.0.1", int(ready["port"]))

    @property
    def pid(self) -> int:
        return self._process.pid

    def dial(self, context: ssl.SSLContext | None = None, *, server_name: str = "localhost") -> Stream:
        """A new connection to it, with TLS when a context is given."""

        sock = socket.create_connection(self.address, timeout=DEADLINE_S)
        return Stream(context.wrap_socket(sock, server_hostname=server_name) if context else sock)

    def logged_request(self, request_id: str) -> Event:
        """The access-log line of the request that the client gave this id."""
        return self.wait_for(lambda event: (event.get("event"), event.get("request_id")) == ("request", request_id))

    def wait_for(self, wanted: Callable[[Event], bool], *, deadline_s: float = LOG_DEADLINE_S) -> Event:
        """The first logged event that is wanted; TimeoutError when it does not come."""
        with self._changed:
            if not self._changed.wait_for(lambda: any(map(wanted, self._events)) or self._process.poll() is not None, deadline_s):
                raise TimeoutError("the proxy did not log what was expected")
            found = next(filter(wanted, self._events), None)
        if found is None:
            raise RuntimeError(f"the proxy ended with {self._process.poll()}: {self.noise[-30:]} {self._events[-3:]}")
        return found

    def forget_events(self) -> None:
        """Free the memory that the log takes here."""
        with self._changed:
            self._events.clear()

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def resident_bytes(self) -> int:
        """The memory it holds now."""
        return self._status_bytes("VmRSS")

    def forget_peak(self) -> None:
        """Begin a new measurement of the peak (proc(5), clear_refs)."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def peak_bytes(self) -> int:
        """The most memory that it held since `forget_peak`."""
        return self._status_bytes("VmHWM")

    def terminate(self) -> None:
        """Ask it to end (SIGTERM)."""
        self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def exit_status(self, deadline_s: float = STOP_DEADLINE_S) -> int:
        """Wait for its end; TimeoutExpired when it does not come."""
        status = self._process.wait(deadline_s)
        self._reader.join(deadline_s)
        return status

    def stop(self) -> None:
        """End it, by force if need be."""
        if self.is_alive():
            self.terminate()
        try:
            self.exit_status()
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        finally:
            if self._process.stdout:
                self._process.stdout.close()

    def _wait_until_ready(self) -> Event:
        try:
            return self.wait_for(lambda event: event.get("event") == "proxy.listening", deadline_s=START_DEADLINE_S)
        except BaseException:
            self._process.kill()
            raise

    def _read_log(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._take(line.decode(errors="replace").rstrip("\n"))
        self._process.wait()
        with self._changed:
            self._changed.notify_all()

    def _take(self, line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        with self._changed:
            if isinstance(event, dict):
                self._events.append(event)
            if line and ("Traceback" in line or not isinstance(event, dict)):
                self.noise.append(line)
            self._changed.notify_all()

    def _status_bytes(self, key: str) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
        raise LookupError(key)
