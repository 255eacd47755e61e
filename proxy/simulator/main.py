"""Running the simulator as a process: `run` blocks until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from proxy.simulator.app import SERVER_OPTIONS, create_app
from proxy.simulator.scenario import ScenarioError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_BACKLOG = 1024
"""A proxy may open all its connections at once."""

_GOODBYE_S = 1.0
"""How long answers under way may take after the signal; delta streams never end by themselves."""


def run(host: str, port: int, scenario: Path | None, *, limits: bool = False, speed: float | None = None) -> int:
    """Serve on `host` and `port` (0: the kernel's choice) until SIGTERM or SIGINT, keeping the limits where `limits` or the scenario says
    so, on a clock of `speed`.

    Prints `simulator listening on http://HOST:PORT` when it is ready. Returns the exit status: 0 after a signal, 2 for a
    scenario file with mistakes, 1 for an address that cannot be used; both are told on stderr.
    """
    try:
        app = create_app(scenario, limits=limits, speed=speed)
    except ScenarioError as wrong:
        sys.stderr.write("".join(f"simulator: {mistake}\n" for mistake in wrong.mistakes))
        return 2
    try:
        asyncio.run(_serve(app, host, port))
    except OSError as failed:
        sys.stderr.write(f"simulator: cannot listen on {host} port {port}: {failed.strerror}\n")
        return 1
    return 0


def _is_ours(record: logging.LogRecord) -> bool:
    """Tell errors of the simulator from requests that aiohttp's parser refuses, which are the client's business."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


@contextlib.asynccontextmanager
async def serving(app: web.Application, host: str, port: int) -> AsyncIterator[str]:
    """Serve `app` while the block runs and give its URL; raises OSError for an address that cannot be used."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GOODBYE_S, **SERVER_OPTIONS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=_BACKLOG).start()
        bound_host, bound_port = runner.addresses[0][:2]
        yield f"http://[{bound_host}]:{bound_port}" if ":" in bound_host else f"http://{bound_host}:{bound_port}"
    finally:
        await runner.cleanup()


async def _serve(app: web.Application, host: str, port: int) -> None:
    logging.getLogger("aiohttp.server").addFilter(_is_ours)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(app, host, port) as url:
        sys.stdout.write(f"simulator listening on {url}\n")
        sys.stdout.flush()
        await stop.wait()
