"""Proxies that get their listening socket from whoever starts them, as systemd does it (sd_listen_fds(3))."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from wire.process import ROOT, SETTINGS_PREFIX, ProxyProcess, as_toml, with_free_ports

if TYPE_CHECKING:
    from pathlib import Path

    from wire.process import Settings

FIRST_DESCRIPTOR = 3
_LOOKS_WITHIN_S = 8.0
# Puts the socket where it is looked for, and becomes the proxy: the process keeps its id.
_HAND_OVER = f"""
import os, sys
inherited, names_process, *command = sys.argv[1:]
os.dup2(int(inherited), {FIRST_DESCRIPTOR})
os.environ |= {{"LISTEN_FDS": "1", "LISTEN_FDNAMES": "proxy"}} | ({{"LISTEN_PID": str(os.getpid())}} if names_process == "yes" else {{}})
os.execv(sys.executable, [sys.executable, *command])
"""


def listening() -> socket.socket:
    """A socket that listens at a free port."""
    return socket.create_server(("127.0.0.1", 0), backlog=1024)


class HandedOver(ProxyProcess):
    """A proxy that listens on a socket that was there before it.

    Args:
        settings: Its own.
        folder: For its settings file.
        sock: The socket; whoever gives it keeps it as well.
        names_process: The environment tells for which process the socket is meant.
    """

    def __init__(self, settings: Settings, folder: Path, sock: socket.socket, *, names_process: bool) -> None:
        folder.mkdir(exist_ok=True)
        file = folder / "proxy.toml"
        file.write_text(as_toml(with_free_ports(settings)))
        environment = {name: value for name, value in os.environ.items() if not name.startswith((SETTINGS_PREFIX, "LISTEN_"))}
        shim = [sys.executable, "-c", _HAND_OVER, str(sock.fileno()), "yes" if names_process else "no"]
        command = [*shim, "-m", "proxy", "serve", "--config", str(file)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT, env=environment, pass_fds=[sock.fileno()]
        )
        self._changed = threading.Condition()
        self._events = []
        self.noise = []
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self.address = ("127.0.0.1", int(self._wait_until_ready()["port"]))


def asked(proxy: ProxyProcess, path: str) -> tuple[int, Any]:
    """What the admin listener answers: status, and the document, or the text where it is none."""
    admin_port = proxy.wait_for(lambda event: event.get("event") == "proxy.listening")["admin_port"]
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{admin_port}{path}", timeout=_LOOKS_WITHIN_S) as answer:
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            status, text = error.code, error.read().decode()
    return status, json.loads(text) if text.startswith("{") else text


def ended(proxy: ProxyProcess) -> tuple[int, list[str]]:
    """Wait for its end; returns its status, and what a healthy proxy never prints."""
    status = proxy.exit_status()
    bugs = [str(event) for event in proxy._events if event.get("event") == "proxy.bug"]
    return status, [*proxy.noise, *bugs]
