"""A proxy with short time-outs between peers and ways that fail on cue, and how it looks when nothing is under way."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import re
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from wire import process

from faults.case import Ask, answers, asks_and_reads, begin
from faults.peer import Peer, doubles
from faults.relay import Relay

if TYPE_CHECKING:
    import ssl
    from collections.abc import Coroutine, Iterator
    from pathlib import Path

    from wire.process import Event, Settings

    from faults.peer import Play

Told = TypeVar("Told")

SHORT_S = 0.4  # the time-outs of the proxy, but for those that no case is about
SETTLES_WITHIN_S = 10.0
CASE_WITHIN_S = 30.0
KNOWN_GRANTS = 600
MIB = 1024 * 1024
_READING = re.compile(r"^nylas_proxy_(in_flight|queue_depth|queue_bytes|buffered_bytes|connections)(\{[^}]*\})? (\S+)$", re.MULTILINE)

SETTINGS: Settings = {
    "listen": {"head_timeout_s": SHORT_S, "body_timeout_s": SHORT_S, "write_timeout_s": SHORT_S, "idle_timeout_s": 20, "drain_timeout_s": 1},
    "upstream": {
        "connect_timeout_s": SHORT_S,
        "response_timeout_s": SHORT_S,
        "stall_timeout_s": SHORT_S,
        "idle_timeout_s": 20,
        "head_max_bytes": 16384,
    },
    "bodies": {"request_max_bytes": 4 * MIB, "error_max_bytes": 65536, "replay_max_bytes": MIB},
    "patience": {"default_s": 3},
    "retry": {"max_attempts": 2, "initial_s": 0.01, "cap_s": 0.02, "budget_ratio": 1.0},
    "limits": {"application": "credential"},
    "providers.known": {f"m-{number}": "microsoft" for number in range(KNOWN_GRANTS)},  # whose requests hold leases
}


class BaseLine(NamedTuple):
    """What a proxy holds: all of it is 0 when nothing is under way.

    Attributes:
        in_flight: Requests.
        queue_depth: Those that wait.
        queue_bytes: What their bodies take.
        buffered_bytes: Kept bodies.
        clients: Connections of clients.
        upstream_busy: Connections to upstream that carry a request.
        leases: Places in flight that are taken.
        files: Open files beyond those of the beginning, but for idle connections to upstream.
    """

    in_flight: int = 0
    queue_depth: int = 0
    queue_bytes: int = 0
    buffered_bytes: int = 0
    clients: int = 0
    upstream_busy: int = 0
    leases: int = 0
    files: int = 0


class Stand:
    """All parts of a case, with a loop of their own in a thread of its own.

    Attributes:
        proxy: The process.
        plays: Every call that was ever made, by its id.
        door: The way from the proxy to the upstream of v3 paths.
        tls_door: The way to that of all others, which speaks TLS where a context is given.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.plays: dict[bytes, Play] = {}
        self._numbers = itertools.count()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._peers = (Peer(self.plays), Peer(self.plays, tls))
        self.proxy: process.ProxyProcess
        self.door, self.tls_door = Relay(0), Relay(0)
        self._base_files = 0
        self._seen_events = 0
        self._admin_port = 0

    @property
    def complaints(self) -> list[str]:
        """What must never come to upstream and did."""
        return [complaint for peer in self._peers for complaint in peer.complaints]

    @property
    def port(self) -> int:
        """Where the proxy listens."""
        return self.proxy.address[1]

    def run(self, work: Coroutine[Any, Any, Told]) -> Told:
        """Do something in the loop of the stand and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CASE_WITHIN_S)

    def new_call(self, play: Play) -> tuple[bytes, bytes]:
        """Register a call; returns its id, and a grant that no other call has."""
        number = next(self._numbers)
        call = b"call-%d" % number
        self.plays[call] = play
        return call, b"m-%d" % number

    def start(self, settings: Settings, folder: Path, ca_file: str = "") -> None:
        """Start all parts."""
        self.run(self._start())
        scheme, host = ("https", "localhost") if ca_file else ("http", "127.0.0.1")
        urls = {"v3_url": f"http://127.0.0.1:{self.door.port}", "v2_url": f"{scheme}://{host}:{self.tls_door.port}", "ca_file": ca_file}
        merged = {name: {**SETTINGS.get(name, {}), **settings.get(name, {})} for name in {**SETTINGS, **settings}}
        merged["upstream"] = {**urls, **merged["upstream"]}
        self.proxy = process.ProxyProcess(merged, folder)
        self._admin_port = self.proxy.wait_for(lambda event: event.get("event") == "proxy.listening")["admin_port"]

    def note_base_line(self) -> None:
        """Take the files that are open now for those that always are."""
        self._base_files = 0
        steady = [self.base_line().files]
        while len(steady) < 5 or len(set(steady[-5:])) > 1:
            steady.append(self.base_line().files)
        self._base_files = steady[-1]

    def base_line(self) -> BaseLine:
        """Look at what the proxy holds."""
        counted = {(name, labels): int(float(value)) for name, labels, value in _READING.findall(self._ask("/metrics"))}
        connections = {labels: count for (name, labels), count in counted.items() if name == "connections"}
        of_clients = sum(count for labels, count in connections.items() if 'side="client"' in labels)
        upstream = {state: sum(n for labels, n in connections.items() if state in labels and "client" not in labels) for state in ("busy", "idle")}
        leases = sum(row["used"] for row in self.status()["limits"] if row["per_s"] == 0)
        files = len(os.listdir(f"/proc/{self.proxy.pid}/fd")) - upstream["idle"] - self._base_files  # noqa: PTH208 - the fastest look at them
        singles = {name: counted[name, ""] for name in ("in_flight", "queue_depth", "queue_bytes", "buffered_bytes")}
        return BaseLine(**singles, clients=of_clients, upstream_busy=upstream["busy"], leases=leases, files=max(0, files))

    def status(self) -> Any:
        """What the status page shows."""
        return json.loads(self._ask("/status.json"))

    def settle(self, *, allowed_bugs: int = 0) -> None:
        """Return when nothing is under way any more; AssertionError where something stays, or where something happened that never may."""
        ends_at = time.monotonic() + SETTLES_WITHIN_S
        while (left := self.base_line()) != BaseLine():
            assert time.monotonic() < ends_at, f"the proxy does not come back to its base line: {left}"
        bugs = self.bugs()
        assert len(bugs) <= allowed_bugs, bugs
        assert self.proxy.noise == []
        assert self.complaints == []

    def bugs(self) -> list[Event]:
        """Lines about bugs since they were last asked for."""
        events = self.proxy._events
        since, self._seen_events = self._seen_events, len(events)
        return [event for event in events[since:] if event.get("event") == "proxy.bug"]

    def close(self) -> None:
        """End all parts that were started."""
        try:
            if self._admin_port:
                self.proxy.stop()
        finally:
            self.run(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _ask(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._admin_port}{path}", timeout=SETTLES_WITHIN_S) as answer:
            text: str = answer.read().decode()
            return text

    async def _start(self) -> None:
        for peer, relay in zip(self._peers, (self.door, self.tls_door), strict=True):
            await peer.start()
            relay.target = peer.port
            await relay.listen()

    async def _close(self) -> None:
        for relay in (self.door, self.tls_door):
            await relay.close()
        for peer in self._peers:
            await peer.close()


def warm_up(stand: Stand) -> None:
    """Let it do everything once, so that what it keeps for good is there; what is open then counts as its base line."""
    for ask in (Ask.READ, Ask.CHANGE, Ask.READ_BY_TLS):
        answer = stand.run(asks_and_reads(begin(stand, ask, (answers,))))
        assert answer.status == 200
    stand.note_base_line()


@contextlib.contextmanager
def standing(
    folder: Path, settings: Settings | None = None, *, made: Stand | None = None, tls: ssl.SSLContext | None = None, ca_file: str = ""
) -> Iterator[Stand]:
    """A warm stand, ended afterwards; `made` is one that is to be started."""
    stand = made or Stand(tls)
    try:
        stand.start(settings or {}, folder, ca_file)
        warm_up(stand)
        yield stand
        assert doubles(stand.plays) == {}
    finally:
        stand.close()
