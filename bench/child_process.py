"""A process tree of ours: started on one core, measured through /proc, stopped by its own pids.

Nothing here looks for processes by name.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

STOP_S = 5.0
OUTPUT_TAIL = 150
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Child:
    """A running process and its descendants.

    Attributes:
        popen: The process that we started.
        folder: Its own folder for configuration and logs.
    """

    popen: subprocess.Popen[bytes]
    folder: Path

    def pids(self) -> list[int]:
        """List the process and all its descendants (/proc/PID/task/TID/children, proc(5))."""
        found = [self.popen.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                with contextlib.suppress(OSError):  # a thread that ended between the listing and the reading
                    found.extend(int(child) for child in children.read_text().split())
        return found

    def cpu_s(self) -> float:
        """Sum user and system time of the whole tree in seconds (fields 14 and 15 of /proc/PID/stat; a tick is 10 ms)."""
        return sum(int(ticks) for pid in self.pids() for ticks in _stat(pid)[11:13]) / TICKS_PER_S

    def rss_bytes(self) -> int:
        """Sum the resident memory of the whole tree (field 24); pages that several processes share count each time."""
        return sum(int(_stat(pid)[21]) for pid in self.pids()) * PAGE_BYTES

    def output_tail(self) -> str:
        """Return the end of the last line that the process printed, fit for a table: it says why there was no start."""
        lines = (self.folder / "output.log").read_text(errors="replace").splitlines() or ["it printed nothing"]
        return lines[-1][-OUTPUT_TAIL:].replace("|", "/")

    def empty_logs(self) -> None:
        """Cut every log back to nothing: they are opened for appending, and a long run would fill the disk."""
        for log in self.folder.glob("*.log"):
            os.truncate(log, 0)

    def stop(self) -> None:
        """Ask the process to end, then kill what is left of its tree after five seconds."""
        pids = self.pids()
        self.popen.terminate()
        try:
            self.popen.wait(STOP_S)
        except subprocess.TimeoutExpired:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.popen.wait()


def start(command: list[str], folder: Path, core: int) -> Child:
    """Start `command` on one core; all that it prints goes to `output.log` in its folder."""
    with (folder / "output.log").open("ab") as output:
        popen = subprocess.Popen(["taskset", "-c", str(core), *command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder)
    return Child(popen, folder)


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago: nginx and Envoy cannot be asked which one the kernel gave them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def fill_in(template: str, target: Path, **values: object) -> Path:
    """Write the template of that name from `config/` to `target`, with every `@NAME@` replaced by the value of `name`."""
    text = (Path(__file__).parent / "config" / template).read_text()
    for name, value in values.items():
        text = text.replace(f"@{name.upper()}@", str(value))
    target.write_text(text)
    return target


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third on: the second may hold blanks and parentheses."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return ["0"] * 50  # ended since it was listed
