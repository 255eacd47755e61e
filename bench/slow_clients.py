"""What slow and idle clients cost the others: `python bench/slow_clients.py [--pairs 5] [--seconds 8]`.

500 connections that give a byte of a head each second and 1,000 that give nothing stand beside a normal load of 200 requests
a second (open loop). Runs with them and without them take turns, in pairs of the same schedule; printed are both p99 of each
pair and the median of their ratios. Exits with 1 where that is 2 or more, or where a request of the normal load failed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from promises.rig import child_telling

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SLOW, IDLE, PER_S = 500, 1_000, 200
RATIO_MAX = 2.0
# Nobody is cut off while a run takes: that they are after `head_timeout_s` would only make it easier.
SETTINGS = 'listen.port = 0\nadmin.port = 0\nlog.format = "json"\nlisten.head_timeout_s = 600\nlisten.idle_timeout_s = 600\n'
_BENCH = Path(__file__).parent
_HEAD = b"GET /v3/grants/slow/messages HTTP/1.1\r\nHost: localhost\r\nX-Slow: " + b"s" * 4096
_WRITTEN_AT_ONCE = 50
_ANSWER_WITHIN_S = 30.0


class Pair(NamedTuple):
    """One run with the slow ones and one without: p50 and p99 in milliseconds, failures."""

    beside: dict[str, Any]
    alone: dict[str, Any]

    @property
    def ratio(self) -> float:
        """How many times as long p99 is beside them."""
        return float(self.beside["p99_ms"] / self.alone["p99_ms"])


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pairs", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=8.0)
    asked = arguments.parse_args()
    load_before = os.getloadavg()[0]
    pairs = asyncio.run(_measured(asked.pairs, asked.seconds))
    return 0 if _told(pairs, load_before) else 1


def _told(pairs: list[Pair], load_before: float) -> bool:
    print(f"{SLOW} slow and {IDLE} idle connections beside {PER_S} requests a second; load average {load_before:.2f} to {os.getloadavg()[0]:.2f}\n")
    print("| pair | p50 beside, ms | p50 alone | p99 beside, ms | p99 alone | ratio of p99 | failed |\n| --: | --: | --: | --: | --: | --: | --: |")
    for number, pair in enumerate(pairs, 1):
        beside, alone = pair
        latencies = " | ".join(f"{run[name]:.2f}" for name in ("p50_ms", "p99_ms") for run in (beside, alone))
        print(f"| {number} | {latencies} | {pair.ratio:.2f} | {beside['errors'] + alone['errors']} |")
    ratio = statistics.median(pair.ratio for pair in pairs)
    failed = sum(run["errors"] for pair in pairs for run in pair)
    print(f"\nmedian of the ratios {ratio:.2f}, to be under {RATIO_MAX:g}; {failed} failed")
    return ratio < RATIO_MAX and failed == 0


async def _measured(pairs: int, seconds: float) -> list[Pair]:
    async with _proxy() as port:
        await _load(port, 1.0, 0)  # what is done once is done
        measured = []
        for number in range(1, pairs + 1):
            runs: dict[bool, dict[str, Any]] = {}
            for is_beside in (True, False) if number % 2 else (False, True):
                async with _slow_ones(port if is_beside else None):
                    runs[is_beside] = await _load(port, seconds, number)
            measured.append(Pair(runs[True], runs[False]))
        return measured


@contextlib.asynccontextmanager
async def _proxy() -> AsyncIterator[int]:
    """Run a proxy and an upstream that has the same small answer for all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        upstream = await asyncio.start_server(_answer, "127.0.0.1", 0)
        port = upstream.sockets[0].getsockname()[1]
        (folder / "proxy.toml").write_text(f'{SETTINGS}upstream.v3_url = "http://127.0.0.1:{port}"\nlimits.mode = "observe"\n')
        words = [sys.executable, "-m", "proxy", "serve", "--config", "proxy.toml"]
        async with upstream, child_telling(words, folder, _port) as told:
            yield int(told)


def _port(line: str) -> str | None:
    return str(json.loads(line)["port"]) if '"proxy.listening"' in line else None


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    body = json.dumps({"request_id": "1", "data": [{"id": "1", "body": "x" * 1900}]}).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):  # the last one comes at the end of all
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
    writer.close()


async def _load(port: int, seconds: float, seed: int) -> dict[str, Any]:
    """Load it from a process of its own; returns its figures."""
    path = "/v3/grants/normal/messages/1"
    words = [str(_BENCH / "open_loop.py"), str(port), path, str(PER_S), str(seconds), str(seed)]
    child = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.PIPE)
    told, _ = await asyncio.wait_for(child.communicate(), seconds + _ANSWER_WITHIN_S)
    figures: dict[str, Any] = json.loads(told)
    return figures


@contextlib.asynccontextmanager
async def _slow_ones(port: int | None) -> AsyncIterator[None]:
    """Have all slow and idle connections stand; none without a port."""
    if port is None:
        yield
        return
    standing = [await asyncio.open_connection("127.0.0.1", port) for _ in range(SLOW + IDLE)]
    writers = [writer for _, writer in standing]
    trickling = asyncio.create_task(_trickle(writers[:SLOW]))
    try:
        await asyncio.sleep(1)  # each has given a byte
        yield
        gone = sum(reader.at_eof() or writer.is_closing() for reader, writer in standing)
        if gone or trickling.done():
            raise RuntimeError(f"{gone} of the slow and idle connections were cut")
    finally:
        trickling.cancel()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.5)  # the proxy has seen them leave


async def _trickle(writers: list[asyncio.StreamWriter]) -> None:
    """Give a byte of each head every second, spread over it."""
    loop = asyncio.get_running_loop()
    due_s = loop.time()
    for byte in _HEAD:
        for first in range(0, len(writers), _WRITTEN_AT_ONCE):
            for writer in writers[first : first + _WRITTEN_AT_ONCE]:
                writer.write(bytes([byte]))
            due_s += _WRITTEN_AT_ONCE / len(writers)
            await asyncio.sleep(max(0.0, due_s - loop.time()))


if __name__ == "__main__":
    sys.exit(main())
