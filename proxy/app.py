"""Runs the proxy: listens, sweeps, and stops in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from proxy import __version__, parts
from proxy.admin import start_admin
from proxy.desk import make_desk
from proxy.loop_errors import LoopErrors
from proxy.operator import Operator
from proxy.sidecar import Sidecar
from proxy.stopping import Stop, end
from proxy.systemd import Notifier, inherited_sockets, watchdog_interval_s
from proxy.telemetry.logs import Log
from proxy.telemetry.otel.choice import not_installed, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proxy.settings import Loaded, Settings
    from proxy.telemetry.otel.export import Otel

_SWEEP_MAX_S: Final = 1.0
_CANNOT_LISTEN: Final = 1
_WRONG_SETTINGS: Final = 2
_OTHER_DESCRIPTORS: Final = 64


class _CannotListenError(Exception):
    """An address cannot be had."""


def serve(loaded: Loaded, reread: Callable[[], Loaded]) -> int:
    """Run the proxy until it is told to stop; returns the exit status.

    Args:
        loaded: The settings.
        reread: Reads them once more; raises SettingsError where something is wrong.
    """
    settings = loaded.settings
    log = Log(settings.log.format, settings.log.level, successes=settings.log.successes)
    try:
        loop_factory = _loop_factory(settings.listen.event_loop)
        if loop_factory is None:
            sys.stderr.write("nylas-proxy serve: listen.event_loop: uvloop is not installed; allowed here: auto, asyncio\n")
            return _WRONG_SETTINGS
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(_serve(loaded, reread, log))
    except _CannotListenError as error:
        sys.stderr.write(f"nylas-proxy serve: {error}\n")  # not to the log, whose level may hide it
        return _CANNOT_LISTEN
    finally:
        log.writer.close()


async def _serve(loaded: Loaded, reread: Callable[[], Loaded], log: Log) -> int:
    loop, settings = asyncio.get_running_loop(), loaded.settings
    log.writer.run_on(loop)
    loop.set_exception_handler(LoopErrors(log).tell)
    for warning in settings.warnings:
        log.warning("settings.warning", message=warning)
    sidecar, stop, systemd = Sidecar(loaded, log), Stop(), Notifier(os.environ)
    operator = Operator(sidecar, reread, stop.begin, systemd)
    _raise_descriptor_limit(settings, log)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.signalled)
    loop.add_signal_handler(signal.SIGHUP, operator.reload_now)
    inherited = {name: socket.socket(fileno=number) for name, number in inherited_sockets(os.environ, os.getpid()).items()}
    with _named("listen", settings.listen.port):
        tls = parts.server_tls(settings.listen)
        port = await sidecar.server.listen(settings.listen.host, settings.listen.port, tls, inherited.get("proxy"))
    sidecar.is_listening = True
    with _named("admin", settings.admin.port):
        admin, admin_port = await start_admin(settings.admin, make_desk(sidecar, operator), inherited.get("admin"))
    otel = _start_otel(sidecar)
    ticking = _start_ticking(sidecar, systemd, settings)
    _tune_garbage_collection()
    where = {"v3": settings.upstream.v3_base, "v2": settings.upstream.v2_base, "tls": bool(settings.listen.tls_certificate)}
    what = {"version": __version__, "loop": type(loop).__module__}
    log.event("proxy.listening", host=settings.listen.host, port=port, admin_port=admin_port, **where, **what)
    systemd.ready(f"listening on port {port}")
    await stop.begun()
    systemd.stopping()
    if "admin" in inherited:
        admin.refuse_new()  # the next process answers there by now
    status = await end(sidecar, stop, settings.listen)
    await admin.cleanup()
    if otel is not None:
        await asyncio.to_thread(otel.close)
    for task in ticking:
        task.cancel()
    return status


def _start_otel(sidecar: Sidecar) -> Otel | None:
    """Begin to export traces and metrics where the standard variables ask for that."""
    if not wanted(os.environ):
        return None
    log, loop = sidecar.log, asyncio.get_running_loop()
    try:
        from proxy.telemetry.otel.export import start  # noqa: PLC0415  an extra, which costs memory that only who wants it should pay
    except ImportError:
        log.warning("otel.missing", message=not_installed())
        return None

    def on_problem(message: str) -> None:
        loop.call_soon_threadsafe(partial(log.warning, "otel.problem", message=message))

    otel = start(sidecar.registry, __version__, on_problem)
    sidecar.exposition.is_pushed = True
    sidecar.observers.add(otel.takers())
    sidecar.observers.keeps_steps = otel.keeps_steps
    return otel


def _start_ticking(sidecar: Sidecar, systemd: Notifier, settings: Settings) -> list[asyncio.Task[None]]:
    """Begin what goes on beside requests."""
    loop = asyncio.get_running_loop()
    sidecar.lag.start(loop)
    tasks = [loop.create_task(_sweep(_sweep_interval_s(settings), sidecar.sweeps(), sidecar.log))]
    every_s = watchdog_interval_s(os.environ, os.getpid())
    if every_s is not None:
        tasks.append(loop.create_task(_sweep(every_s, (lambda _now: systemd.watchdog(),), sidecar.log)))
    return tasks


def _tune_garbage_collection() -> None:
    gc.collect()
    # With the usual 700, thirty requests at hand set off a collection that finds nothing: 5 % of all CPU. Each connection leaves a cycle with its
    # parser behind, so the older generations are looked at more often: flat at 58 MB over 100,000 connections, where (10_000, 20, 50) grew by 17.
    gc.set_threshold(10_000, 5, 5)
    gc.freeze()  # what the start has left lives as long as the process: no collection has to look at it again


@contextlib.contextmanager
def _named(section: str, port: int) -> Iterator[None]:
    """Say which listener could not be had, and which setting moves it."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        variable = f"NYLAS_PROXY__{section.upper()}__PORT"
        raise _CannotListenError(f"{section}.port {port}: {reason}; choose another with {variable}, or look at {section}.host") from error


async def _sweep(every_s: float, sweeps: tuple[Callable[[float], None], ...], log: Log) -> None:
    """Look at every connection's time-outs now and then: no request has a timer of its own."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(every_s)
        for sweep in sweeps:
            try:
                sweep(loop.time())
            except Exception as bug:  # noqa: BLE001 - without the sweep there would be no time-out any more
                log.bug(bug, "-")


def _raise_descriptor_limit(settings: Settings, log: Log) -> None:
    """Let the process have as many connections as the settings allow; the usual soft limit is 1024."""
    wanted = settings.listen.max_connections + 2 * settings.upstream.max_connections + _OTHER_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < possible:
        resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    if possible < wanted:
        message = f"the system allows {possible} open files; listen.max_connections and upstream.max_connections need {wanted}"
        log.warning("settings.warning", message=message)


def _sweep_interval_s(settings: Settings) -> float:
    listen, upstream = settings.listen, settings.upstream
    shortest_s = min(
        listen.head_timeout_s, listen.idle_timeout_s, listen.body_timeout_s, listen.write_timeout_s,
        upstream.response_timeout_s, upstream.stall_timeout_s, upstream.stream_timeout_s, upstream.idle_timeout_s,
    )  # fmt: skip
    return min(_SWEEP_MAX_S, shortest_s / 4)


def _loop_factory(wanted: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The fast loop where there is one, unless plain asyncio is asked for; None where the wanted one is not there."""
    if wanted != "asyncio":
        with contextlib.suppress(ModuleNotFoundError):
            import uvloop  # noqa: PLC0415 - there is none on some platforms, and none is needed

            return uvloop.new_event_loop
    return None if wanted == "uvloop" else asyncio.new_event_loop
