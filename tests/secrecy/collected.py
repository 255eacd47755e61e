"""What the tests themselves bring to what is collected, and the search through all of it. Outside of a session nothing is kept."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from proxy.telemetry.line_writer import LineWriter
from secrecy.startup.witness import FOLDER, look, note
from secrecy.used import ADDRESS, SECRETS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_PASSED_ON = "errors-of-upstream"
_JOURNAL_BEGINS = b'{"version": '


@dataclass(frozen=True)
class Collected:
    """What is collected in a session.

    Attributes:
        folder: Where.
        everything: The folder of all that the session's tests write, where proxies may have left a journal.
    """

    folder: Path
    everything: Path
    _told: set[str] = field(default_factory=set)

    def untold(self) -> list[str]:
        """Return the findings that were not returned yet."""
        found = [each for each in findings(files_of(self.folder, self.everything)) if each not in self._told]
        self._told.update(found)
        return found


class KeptLines(LineWriter):
    """Writes the lines of a log within the tests' own process, of which a copy is kept."""

    def write(self, line: bytes) -> None:
        note("log-lines", line)
        super().write(line)


def keep_error(origin: str | None, body: bytes) -> None:
    """Keep the body of an error. Those of Nylas and providers may say what upstream's own body said: an address, but nothing else of a request."""
    note(_PASSED_ON if origin in {"nylas", "provider"} else "errors-of-the-proxy", body + b"\n")


def keep_told(told: Iterable[object]) -> None:
    """Keep what was told to observers or to a log that is a mock."""
    note("told", "".join(f"{each!r}\n" for each in told).encode("utf-8", "backslashreplace"))


def keep_keys(client: Any) -> None:
    """Keep the names of all keys of a Redis server, and what is in those that hold text."""
    for key in client.scan_iter(count=1000) if os.environ.get(FOLDER) else ():
        note("redis-keys", key + b"\n")
        if client.type(key) == b"hash":
            note("redis-values", b"\n".join(part for pair in client.hgetall(key).items() for part in pair) + b"\n")


def look_at_all(folder: Path) -> None:
    """Look at the proxies that run."""
    for output in folder.glob("*.output"):
        look(int(output.stem))


def findings(files: Iterable[Path]) -> list[str]:
    """Return where secrets stand: file, first line, and the secret's name, never its value."""
    return [found for file in sorted(files) for found in _found_in(file)]


def _found_in(file: Path) -> Iterator[str]:
    said = file.read_bytes()
    for secret in SECRETS:
        at = [found.start() for found in secret.found_by.finditer(said)]
        if at and not (file.name == _PASSED_ON and secret is ADDRESS):
            line, times = said.count(b"\n", 0, at[0]) + 1, f" ({len(at)} times)" if len(at) > 1 else ""
            yield f"{file.name}:{line}: {secret.name}{times}"


def files_of(folder: Path, everything: Path) -> Iterator[Path]:
    """Give what was collected, and the journals that proxies left anywhere."""
    yield from folder.iterdir()
    for file in everything.rglob("*"):
        if file.parent != folder and file.is_file() and _is_journal(file):
            yield file


def _is_journal(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(len(_JOURNAL_BEGINS)) == _JOURNAL_BEGINS
    except OSError:  # a socket, or gone meanwhile
        return False
