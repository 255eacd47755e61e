"""The composition root: the only file that knows every class."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import resource
import signal
import ssl
import sys
from typing import TYPE_CHECKING, Final

from proxy import __version__, known
from proxy.admin import start_admin
from proxy.core.decide import RetryPolicy
from proxy.core.model import Api
from proxy.core.retry_budget import RetryBudget
from proxy.gate import make_gate
from proxy.ingress import BodyRules, Ingress
from proxy.patience import Patience, PatienceLimits
from proxy.pipeline import Knowledge, Pipeline
from proxy.telemetry.logs import Log
from proxy.trip import Retrying
from proxy.upstream import Upstream
from proxy.wire.dial import Dialer, Origin
from proxy.wire.limits import CallLimits, ServerLimits, UpstreamLimits
from proxy.wire.pool import Pool
from proxy.wire.replay import KeptMemory
from proxy.wire.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proxy.core.catalogue import Catalogue
    from proxy.gate import Gate
    from proxy.settings import Listen, Settings
    from proxy.settings import Upstream as UpstreamSettings

_SWEEP_MAX_S: Final = 1.0
_CANNOT_LISTEN: Final = 1
_WRONG_SETTINGS: Final = 2
_OTHER_DESCRIPTORS: Final = 64


class _CannotListenError(Exception):
    """An address cannot be had."""


def serve(settings: Settings) -> int:
    """Run the proxy until it is told to stop; returns the exit status."""
    log = Log(settings.log.format, settings.log.level)
    try:
        loop_factory = _loop_factory(settings.listen.event_loop)
        if loop_factory is None:
            sys.stderr.write("nylas-proxy serve: listen.event_loop: uvloop is not installed; allowed here: auto, asyncio\n")
            return _WRONG_SETTINGS
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(_serve(settings, log))
    except _CannotListenError as error:
        sys.stderr.write(f"nylas-proxy serve: {error}\n")  # not to the log, whose level may hide it
        return _CANNOT_LISTEN
    finally:
        log.writer.close()


async def _serve(settings: Settings, log: Log) -> int:
    loop = asyncio.get_running_loop()
    log.writer.run_on(loop)
    loop.set_exception_handler(lambda _loop, context: log.bug(context.get("exception") or RuntimeError(), "-"))
    for warning in settings.warnings:
        log.warning("settings.warning", message=warning)
    pools = _pools(settings.upstream)
    catalogue = known.catalogue()
    gate = make_gate(settings, catalogue, log)
    ingress = _ingress(settings, catalogue, gate, pools, log)
    server = Server(_server_limits(settings), ingress.handle)
    _raise_descriptor_limit(settings, log)
    stop = _told_to_stop(loop)
    with _named("listen", settings.listen.port):
        port = await server.listen(settings.listen.host, settings.listen.port, _server_tls(settings.listen))
    with _named("admin", settings.admin.port):
        admin, admin_port = await start_admin(settings.admin.host, settings.admin.port, settings.admin.token, lambda: not server.draining)
    sweeper = asyncio.create_task(_sweep(_sweep_interval_s(settings), (server.sweep, *[pool.sweep for pool in pools.values()], gate.sweep), log))
    _tune_garbage_collection()
    where = {"v3": settings.upstream.v3_base, "v2": settings.upstream.v2_base, "tls": bool(settings.listen.tls_certificate)}
    what = {"version": __version__, "loop": type(loop).__module__}
    log.event("proxy.listening", host=settings.listen.host, port=port, admin_port=admin_port, **where, **what)
    await stop.wait()
    log.event("proxy.draining", for_at_most_s=settings.listen.drain_timeout_s)
    ends_at = loop.time() + settings.listen.drain_timeout_s
    left = await server.drain(settings.listen.drain_timeout_s)
    await ingress.wait_idle(max(0.0, ends_at - loop.time()))
    await ingress.refuse_running()
    await server.close()
    await gate.close()
    for pool in pools.values():
        pool.close()
    await admin.cleanup()
    sweeper.cancel()
    log.event("proxy.stopped", refused_requests=left)
    return 0


def _told_to_stop(loop: asyncio.AbstractEventLoop) -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


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


def _ingress(settings: Settings, catalogue: Catalogue, gate: Gate, pools: dict[Api, Pool], log: Log) -> Ingress:
    upstream, bodies = settings.upstream, settings.bodies
    stream_s = upstream.stream_timeout_s
    handbook = known.handbook()
    caller = Upstream(pools, CallLimits(upstream.response_timeout_s, upstream.stall_timeout_s), CallLimits(stream_s, stream_s))
    knowledge = Knowledge(known.classifier(), handbook, bodies.error_max_bytes)
    pipeline = Pipeline(gate.admission, caller, knowledge, _patience(settings), _retrying(settings))
    gate.discover(pipeline)
    body_rules = BodyRules(bodies.refuse_empty_put, bodies.replay_max_bytes, KeptMemory(bodies.buffered_max_bytes))
    return Ingress(pipeline, catalogue, handbook, log, {Api.V3: upstream.v3_base, Api.V2: upstream.v2_base}, body_rules)


def _patience(settings: Settings) -> Patience:
    patience = settings.patience
    return Patience(PatienceLimits(patience.default_s, patience.max_s, patience.client_timeout_s))


def _retrying(settings: Settings) -> Retrying:
    retry = settings.retry
    policy = RetryPolicy(retry.max_attempts, retry.initial_s, retry.cap_s)
    now_s = asyncio.get_running_loop().time
    return Retrying(policy, RetryBudget(retry.budget_ratio, now_s()), retry.idempotency_keys, random.random, now_s)


def _pools(settings: UpstreamSettings) -> dict[Api, Pool]:
    tls = _upstream_tls(settings.ca_file)
    limits = UpstreamLimits(
        max_connections=settings.max_connections,
        max_connections_per_key=settings.max_connections_per_grant,
        connect_timeout_s=settings.connect_timeout_s,
        idle_timeout_s=settings.idle_timeout_s,
        head_max_bytes=settings.head_max_bytes,
    )
    bases = {Api.V3: settings.v3_base, Api.V2: settings.v2_base}
    return {api: Pool(Dialer(Origin.of(base), tls, settings.proxy_url, settings.connect_timeout_s), limits) for api, base in bases.items()}


def _server_limits(settings: Settings) -> ServerLimits:
    listen = settings.listen
    return ServerLimits(
        max_connections=listen.max_connections,
        head_max_bytes=listen.head_max_bytes,
        header_max_count=listen.header_max_count,
        body_max_bytes=settings.bodies.request_max_bytes,
        head_timeout_s=listen.head_timeout_s,
        idle_timeout_s=listen.idle_timeout_s,
        body_timeout_s=listen.body_timeout_s,
        write_timeout_s=listen.write_timeout_s,
    )


def _upstream_tls(ca_file: str) -> ssl.SSLContext:
    """Certificates and names are always verified; `ca_file` replaces the system's authorities."""
    context = ssl.create_default_context(cafile=ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _server_tls(listen: Listen) -> ssl.SSLContext | None:
    if not listen.tls_certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(listen.tls_certificate, listen.tls_key or None)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _loop_factory(wanted: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The fast loop where there is one, unless plain asyncio is asked for; None where the wanted one is not there."""
    if wanted != "asyncio":
        with contextlib.suppress(ModuleNotFoundError):
            import uvloop  # noqa: PLC0415 - there is none on some platforms, and none is needed

            return uvloop.new_event_loop
    return None if wanted == "uvloop" else asyncio.new_event_loop
