"""The demo's child processes: a simulator and a proxy on free ports, ended in every case."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

START_LIMIT_S = 20.0
STOP_LIMIT_S = 5.0
SIMULATOR_READY = "simulator listening on "

SINGLE_ANSWERS = {"NYLAS_PROXY__LIMITS__MODE": "observe", "NYLAS_PROXY__RETRY__MAX_ATTEMPTS": "1"}
"""Settings of a proxy of which every request shows one answer: none is held behind the throttle of an earlier one, none is repeated."""


class ChildFailedError(Exception):
    """A child process ended, or stayed silent, before it was ready; the text names it and quotes what it said."""


@contextlib.contextmanager
def simulator(limit_s: float, scenario: str | None = None) -> Iterator[str]:
    """Run a simulator until the block ends, at most `limit_s`; gives its base URL. Raises ChildFailedError.

    With a scenario (TOML, may be empty) it keeps the published limits.
    """
    with tempfile.TemporaryDirectory(prefix="nylas-proxy-demo-") as folder:
        words = ["simulate", "--port", "0"]
        if scenario is not None:
            file = Path(folder) / "scenario.toml"
            file.write_text(scenario, encoding="utf-8")
            words += ["--limits", "--scenario", str(file)]
        with _child(words, {}, limit_s) as lines:
            yield _wait_for("simulate", lines, _simulator_url)


@contextlib.contextmanager
def proxy(upstream_url: str, limit_s: float, settings: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run a proxy before `upstream_url` until the block ends, at most `limit_s`; gives its base URL. Raises ChildFailedError.

    Whatever `settings` (environment variables) do not say is as it is out of the box.
    """
    own = {
        "NYLAS_PROXY__LISTEN__PORT": "0",
        "NYLAS_PROXY__ADMIN__PORT": "0",
        "NYLAS_PROXY__LOG__FORMAT": "json",
        "NYLAS_PROXY__UPSTREAM__V3_URL": upstream_url,
        "NYLAS_PROXY__UPSTREAM__V2_URL": upstream_url,
    }
    with _child(["serve"], {**own, **(settings or {})}, limit_s) as lines:
        yield _wait_for("serve", lines, _proxy_url)


def _simulator_url(line: str) -> str | None:
    return line.removeprefix(SIMULATOR_READY) if line.startswith(SIMULATOR_READY) else None


def _proxy_url(line: str) -> str | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    if not isinstance(event, dict) or event.get("event") != "proxy.listening":
        return None
    return f"http://127.0.0.1:{event['port']}"


def _wait_for(command: str, lines: queue.SimpleQueue[str | None], url_of: Callable[[str], str | None]) -> str:
    """Read a child's lines until one names its URL."""
    said: list[str] = []
    with contextlib.suppress(queue.Empty):
        while (line := lines.get(timeout=START_LIMIT_S)) is not None:
            if url := url_of(line):
                return url
            said.append(line)
    raise ChildFailedError("\n".join([f"nylas-proxy {command} did not start. It said:", *said[-5:]]))


@contextlib.contextmanager
def _child(arguments: Sequence[str], settings: Mapping[str, str], limit_s: float) -> Iterator[queue.SimpleQueue[str | None]]:
    """Run a command of this project; gives what it prints, line by line, None at the end."""
    # A configuration that belongs to the user's own proxy would change what the demo shows.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NYLAS_PROXY_")}
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    # -P: a proxy.py in the user's own directory is not meant.
    with subprocess.Popen(  # noqa: S603 - this interpreter and fixed words
        [sys.executable, "-P", "-m", "proxy", *arguments],
        env={**inherited, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        reader = threading.Thread(target=_read_lines, args=(process, lines), daemon=True)
        # Whatever waits for a killed child ends at once, so the demo ends however badly things go.
        limit = threading.Timer(limit_s, process.kill)
        limit.daemon = True
        try:
            reader.start()
            limit.start()
            yield lines
        finally:
            limit.cancel()
            _end(process)
            reader.join(STOP_LIMIT_S)


def _read_lines(process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    """Keep the pipe empty, so that the child never waits for its reader."""
    if process.stdout is not None:
        for line in process.stdout:
            lines.put(line.rstrip("\n"))
    lines.put(None)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
