"""A real Prometheus with the configuration of the repository, which scrapes much more often than it would."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import socket
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from observability.tools import RULES, tool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

_STARTS_WITHIN_S: Final = 20.0
_ATTEMPTS: Final = 5
_LOOKS_EVERY_S: Final = 0.1


class Prometheus:
    """A running one."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def ask(self, endpoint: str, **words: str) -> Any:
        async with self._session.get(f"{self._url}/api/v1/{endpoint}", params=words) as answer:
            told = await answer.json()
        assert told["status"] == "success", (words, told)
        return told["data"]

    async def has_data(self, expression: str) -> bool:
        """Tell whether it gives at least one number."""
        found = await self.ask("query", query=expression)
        samples = [found["result"]] if found["resultType"] == "scalar" else [series["value"] for series in found["result"]]
        return any(not math.isnan(float(value)) for _, value in samples)

    async def without_data(self, expressions: Iterable[str], within_s: float) -> set[str]:
        """Ask until all give data, or time is up; returns those that never did."""
        left = set(expressions)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while left:
                    left -= {expression for expression in sorted(left) if await self.has_data(expression)}
                    await asyncio.sleep(_LOOKS_EVERY_S)
        return left

    async def is_ready(self) -> bool:
        try:
            async with self._session.get(f"{self._url}/-/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientConnectionError:
            return False


def write_configuration(folder: Path, targets: list[str], token_file: Path) -> Path:
    """The scrape example, with these targets, their token, and little patience."""
    example = (RULES / "prometheus.yml").read_text()
    uncommented = re.sub(r"# (authorization:|  credentials_file:)", r"\1", example)
    quoted = ", ".join(f'"{target}"' for target in targets)
    changes = {"15s": "200ms", '"127.0.0.1:8701"': quoted, "/etc/prometheus/nylas-proxy.token": str(token_file)}
    for before, after in changes.items():
        assert before in uncommented
        uncommented = uncommented.replace(before, after)
    (folder / "rules.yml").write_text((RULES / "rules.yml").read_text())
    file = folder / "prometheus.yml"
    file.write_text(uncommented)
    return file


@contextlib.asynccontextmanager
async def running(folder: Path, configuration: Path) -> AsyncIterator[Prometheus]:
    """Run one on a free port; killed at the end."""
    async with aiohttp.ClientSession() as session:
        process, prometheus = await _started(session, folder, configuration)
        try:
            yield prometheus
        finally:
            process.kill()
            await process.wait()


async def _started(session: aiohttp.ClientSession, folder: Path, configuration: Path) -> tuple[asyncio.subprocess.Process, Prometheus]:
    log_file = folder / "prometheus.log"
    for attempt in range(_ATTEMPTS):  # a free port may be taken between looking and starting
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        # Targets are usually looked at every five seconds.
        options = [f"--storage.tsdb.path={folder / str(attempt)}", f"--web.listen-address={address}", "--scrape.discovery-reload-interval=100ms"]
        with log_file.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                tool("prometheus"), f"--config.file={configuration}", *options, "--log.level=warn", stdout=log, stderr=log
            )
        prometheus = Prometheus(session, f"http://{address}")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STARTS_WITHIN_S):
                while process.returncode is None:
                    if await prometheus.is_ready():
                        return process, prometheus
                    await asyncio.sleep(_LOOKS_EVERY_S)
        if process.returncode is None:
            process.kill()
            await process.wait()
    raise OSError(log_file.read_text())
