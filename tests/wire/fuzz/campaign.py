"""Plays inputs against a running proxy, many at a time, and gathers what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wire import process
from wire.fuzz import inputs
from wire.fuzz.upstream import Upstream
from wire.fuzz.verdicts import fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wire.fuzz.inputs import Input
    from wire.process import ProxyProcess, Settings

CONCURRENCY = 128
DEADLINE_S = 30.0  # of one exchange: far beyond the longest time-out below
WARM_UP = 300  # inputs after which memory is measured for the first time
PROGRESS_EVERY = 5000
KEPT_FAULTS = 20
GROWTH_MAX_BYTES = 40 * 1024 * 1024


@dataclass(slots=True)
class Report:
    """What a campaign saw.

    Attributes:
        played: Inputs by kind.
        faults: What was wrong, each with the index of its input.
        answered: Connections by how they ended and the class of the last status that their clients got.
        upstream_requests: How many requests upstream read, every one of them strictly well formed.
        grown_bytes: How much more memory the proxy held at the end than after the warm-up.
        duration_s: Wall-clock time.
    """

    played: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    upstream_requests: int = 0
    grown_bytes: int = 0
    duration_s: float = 0.0


def settings(event_loop: str, port: int) -> Settings:
    """Short time-outs and small limits, so that inputs reach them."""
    url = f"http://127.0.0.1:{port}"
    return {
        "listen": {"event_loop": event_loop, "head_timeout_s": 3, "body_timeout_s": 3, "idle_timeout_s": 5, "head_max_bytes": 16384},
        "upstream": {"v3_url": url, "v2_url": url, "response_timeout_s": 5, "stall_timeout_s": 3, "max_connections_per_grant": 1000},
        "bodies": {"request_max_bytes": 100_000},
        "retry": {"max_attempts": 1},
        "limits": {"mode": "observe"},
    }


class Campaign:
    """Inputs `indices` of `seed` against one proxy."""

    def __init__(self, proxy: ProxyProcess, upstream: Upstream, seed: int, *, say: Callable[[str], None] | None = None) -> None:
        self._proxy = proxy
        self._upstream = upstream
        self._seed = seed
        self._say = say
        self._warm_bytes = 0
        self.report = Report()

    async def run(self, indices: range) -> Report:
        """Play them all."""
        started_s = time.monotonic()
        waiting = iter(indices)
        await asyncio.gather(*(self._play_each(waiting) for _ in range(CONCURRENCY)))
        report = self.report
        report.duration_s = time.monotonic() - started_s
        report.faults += self._upstream.complaints[:KEPT_FAULTS] + self._proxy.noise[:KEPT_FAULTS]
        report.upstream_requests = self._upstream.request_count
        if self._proxy.is_alive():
            report.grown_bytes = self._proxy.resident_bytes() - (self._warm_bytes or self._proxy.resident_bytes())
        else:
            report.faults.append("the proxy has ended")
        if report.grown_bytes > GROWTH_MAX_BYTES:
            report.faults.append(f"the proxy has grown by {report.grown_bytes} bytes")
        return report

    async def _play_each(self, waiting: Iterator[int]) -> None:
        for index in waiting:
            if len(self.report.faults) >= KEPT_FAULTS or not self._proxy.is_alive():
                return
            await self._play(inputs.make(self._seed, index))
            self._count_up(index)

    async def _play(self, played: Input) -> None:
        self._upstream.playing[played.index] = played
        try:
            async with asyncio.timeout(DEADLINE_S):
                received, end = await self._exchange(played)
        except TimeoutError:
            self._complain(played, "a hang: the connection was not ended in time")
            return
        finally:
            del self._upstream.playing[played.index]
        self.report.played[played.kind.name.lower()] += 1
        self.report.answered[f"{end} after {received[9:10].decode(errors='replace') or 'no '}xx"] += 1
        if (text := fault(played, received)) is not None:
            self._complain(played, f"{text}\n  ended by {end}; received {received[:600]!r}")

    async def _exchange(self, played: Input) -> tuple[bytes, str]:
        """Send everything, read until the proxy ends the connection."""
        reader, writer = await asyncio.open_connection(*self._proxy.address)
        sending = asyncio.ensure_future(self._send(writer, played.request))
        received = bytearray()
        end = "FIN"
        try:
            while piece := await reader.read(65536):
                received += piece
        except ConnectionError:
            end = "RST"
        finally:
            sending.cancel()
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()
        return bytes(received), end

    async def _send(self, writer: asyncio.StreamWriter, pieces: tuple[bytes, ...]) -> None:
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                if writer.is_closing():
                    return
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)

    def _complain(self, played: Input, text: str) -> None:
        self.report.faults.append(f"--seed {self._seed} --only {played.index} ({played.kind.name.lower()}): {text}")

    def _count_up(self, index: int) -> None:
        count = self.report.played.total()
        if count == WARM_UP:
            self._warm_bytes = self._proxy.resident_bytes()
        if count % PROGRESS_EVERY == 0:
            self._proxy.forget_events()
        if count % PROGRESS_EVERY == 0 and self._say is not None:
            self._say(f"{count} inputs, at index {index}, {len(self.report.faults)} faults")


def play(event_loop: str, seed: int, indices: range, directory: Path, *, say: Callable[[str], None] | None = None) -> Report:
    """Start an upstream and a proxy, play the inputs, stop both."""

    async def campaign() -> Report:
        upstream = Upstream()
        port = await upstream.start()
        proxy = await asyncio.to_thread(process.ProxyProcess, settings(event_loop, port), directory)
        try:
            report = await Campaign(proxy, upstream, seed, say=say).run(indices)
        finally:
            upstream.stop()
            stopping = asyncio.to_thread(proxy.stop)
            with contextlib.suppress(subprocess.TimeoutExpired):  # it is killed then; the report says so below
                await stopping
        if proxy.exit_status() != 0:
            report.faults.append("the proxy did not end in an orderly way")
        return report

    return asyncio.run(campaign())
