"""Single parts, made from the settings: pools, listeners' bounds and TLS, patience, repetitions."""

from __future__ import annotations

import asyncio
import random
import ssl
from typing import TYPE_CHECKING, Final

from proxy.clients import ClientSecret
from proxy.core.decide import RetryPolicy
from proxy.core.model import Api
from proxy.ingress import RequestRules
from proxy.patience import PatienceLimits
from proxy.settings.checks import ca_file_mistake, file_mistake, tls_mistake
from proxy.settings.networks import networks
from proxy.trip import Retrying
from proxy.upstream import Upstream
from proxy.wire.allow_list import AllowList
from proxy.wire.dial import Dialer, Origin
from proxy.wire.limits import CallLimits, ServerLimits, UpstreamLimits
from proxy.wire.pool import Pool
from proxy.wire.replay import KeptMemory

if TYPE_CHECKING:
    from proxy.core.retry_budget import RetryBudget
    from proxy.settings import Listen, Settings
    from proxy.settings import Upstream as UpstreamSettings

_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: forward secret and authenticated ones. Those of 1.3 all are."""
_TLS_FILES: Final = {"tls_certificate": file_mistake, "tls_key": file_mistake, "client_ca_file": ca_file_mistake}


def patience_limits(settings: Settings) -> PatienceLimits:
    """Return how long requests may wait."""
    patience = settings.patience
    return PatienceLimits(patience.default_s, patience.max_s, patience.client_timeout_s)


def retrying(settings: Settings, budget: RetryBudget) -> Retrying:
    """Return how repetitions are made."""
    retry = settings.retry
    policy = RetryPolicy(retry.max_attempts, retry.initial_s, retry.cap_s)
    return Retrying(policy, budget, retry.idempotency_keys, random.random, asyncio.get_running_loop().time)


def request_rules(settings: Settings) -> RequestRules:
    """Return what is asked of requests, and done about their bodies."""
    bodies, secret = settings.bodies, ClientSecret(settings.listen.client_secret.encode())
    return RequestRules(secret, bodies.refuse_empty_put, bodies.replay_max_bytes, KeptMemory(bodies.buffered_max_bytes))


def caller(settings: UpstreamSettings, pools: dict[Api, Pool]) -> Upstream:
    """Return who makes attempts."""
    stream_s = settings.stream_timeout_s
    return Upstream(pools, CallLimits(settings.response_timeout_s, settings.stall_timeout_s), CallLimits(stream_s, stream_s))


def pools(settings: UpstreamSettings) -> dict[Api, Pool]:
    """Return the connections to each API."""
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


def server_limits(settings: Settings) -> ServerLimits:
    """Return the bounds towards clients."""
    listen = settings.listen
    return ServerLimits(
        max_connections=listen.max_connections,
        requests_per_connection=listen.requests_per_connection,
        head_max_bytes=listen.head_max_bytes,
        header_max_count=listen.header_max_count,
        body_max_bytes=settings.bodies.request_max_bytes,
        head_timeout_s=listen.head_timeout_s,
        idle_timeout_s=listen.idle_timeout_s,
        body_timeout_s=listen.body_timeout_s,
        write_timeout_s=listen.write_timeout_s,
    )


def allow_list(listen: Listen) -> AllowList:
    """Return which clients may connect."""
    return AllowList(networks(listen.client_networks))


def _upstream_tls(ca_file: str) -> ssl.SSLContext:
    """Certificates and names are always verified; `ca_file` replaces the system's authorities."""
    context = ssl.create_default_context(cafile=ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def server_tls(listen: Listen) -> ssl.SSLContext | None:
    """Return how clients are spoken to; None for plain HTTP. Raises OSError where a file cannot be read."""
    if not listen.tls_certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    # Without a password given here, OpenSSL would ask for it on the terminal.
    context.load_cert_chain(listen.tls_certificate, listen.tls_key or None, password="")
    context.set_alpn_protocols(["http/1.1"])
    if listen.client_ca_file:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cafile=listen.client_ca_file)
    return context


def renewed_tls(listen: Listen) -> ssl.SSLContext | str | None:
    """Return how clients are spoken to by the files as they are now, or what is wrong: the setting, its file, and why."""
    if not listen.tls_certificate:
        return None
    for key, check in _TLS_FILES.items():
        path = getattr(listen, key)
        if path and (what := check(path)):
            return f"listen.{key}: {path} {what}"
    if tls_mistake(listen.tls_certificate, listen.tls_key):
        return f"listen.tls_key: {listen.tls_key} is not the unencrypted PEM key of {listen.tls_certificate}, which listen.tls_certificate names"
    try:
        return server_tls(listen)
    except OSError:  # ssl.SSLError is one
        return f"listen.tls_certificate: {listen.tls_certificate} changed while it was read"
