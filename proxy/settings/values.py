"""What an operator can set: frozen values, their defaults and their bounds, and nothing else.

`proxy.settings.source` reads them from a file and the environment; `config/proxy.toml` lists them all. A section is a
`Struct`, here or in `proxy.settings.pacing`, a setting is one annotated field: the annotation's `description` is what a
mistake is answered with.
"""

from __future__ import annotations

import ipaddress
from typing import Final, Literal
from urllib.parse import urlsplit

from msgspec import Struct

from proxy.settings.kinds import (
    MASK,
    ApiUrl,
    Bytes,
    BytesOrNone,
    CaFile,
    Count,
    File,
    HeaderSecret,
    Host,
    Networks,
    Port,
    ProxyUrl,
    Seconds,
    SecondsOrNone,
    Secret,
    Share,
    Switch,
)
from proxy.settings.pacing import Identity, Limits, Patience, Providers, Redis, Retry, Windows

# The public hosts by data region, as the official SDKs have them: nylas-python 6 `nylas/config.py` (v3), nylas-nodejs 6 `src/config.ts` (v2).
V3_BASES: Final = {"us": "https://api.us.nylas.com", "eu": "https://api.eu.nylas.com"}
V2_BASES: Final = {"us": "https://api.nylas.com", "eu": "https://ireland.api.nylas.com"}


class Listen(Struct, frozen=True, forbid_unknown_fields=True):
    """The listener that applications speak to.

    Attributes:
        host: Address to bind.
        port: TCP port; 0 takes a free one.
        tls_certificate: PEM file with the certificate chain; empty speaks plain HTTP.
        tls_key: PEM file with its unencrypted private key; may be the same file.
        client_networks: Networks and addresses that clients may connect from; empty allows all.
        client_secret: Every request must carry it in `X-Nylas-Proxy-Secret`; empty asks for none.
        client_ca_file: PEM file of the authorities of which clients must show a certificate; empty asks for none.
        event_loop: `auto` takes uvloop where it is installed.
        max_connections: Open client connections in all; one more is answered 503.
        requests_per_connection: The answer to so many ends the connection.
        head_max_bytes: Longest request head.
        header_max_count: Most header fields of a request.
        head_timeout_s: From a request's first byte, or from the connection being made, to a complete head.
        idle_timeout_s: A kept-alive connection between requests.
        body_timeout_s: No byte of a request body for so long.
        write_timeout_s: The client takes no byte of a response for so long.
        drain_grace_s: After SIGTERM, before new connections are refused: so long the readiness probe fails already.
        drain_timeout_s: After that, for requests in flight; 0 waits for none.
    """

    host: Host = "127.0.0.1"
    port: Port = 8700
    tls_certificate: File = ""
    tls_key: File = ""
    client_networks: Networks = ""
    client_secret: HeaderSecret = ""
    client_ca_file: CaFile = ""
    event_loop: Literal["auto", "uvloop", "asyncio"] = "auto"
    max_connections: Count = 4096
    requests_per_connection: Count = 10_000
    head_max_bytes: Bytes = 65536
    header_max_count: Count = 200
    head_timeout_s: Seconds = 30.0
    idle_timeout_s: Seconds = 75.0
    body_timeout_s: Seconds = 60.0
    write_timeout_s: Seconds = 60.0
    drain_grace_s: SecondsOrNone = 0.0
    drain_timeout_s: SecondsOrNone = 30.0

    @property
    def has_access_rule(self) -> bool:
        """Something but the way to it says who may use it."""
        return bool(self.client_networks or self.client_secret or self.client_ca_file)

    def __repr__(self) -> str:
        return f"Listen(host={self.host!r}, port={self.port}, client_secret={MASK if self.client_secret else ''!r}, ...)"


class Admin(Struct, frozen=True, forbid_unknown_fields=True):
    """The second listener: health, metrics, the status page, and an operator's orders.

    Attributes:
        host: Address to bind.
        port: TCP port; 0 takes a free one.
        token: Everything but health and readiness asks for it; empty asks for none, and switches orders off.
    """

    host: Host = "127.0.0.1"
    port: Port = 8701
    token: Secret = ""

    def __repr__(self) -> str:
        return f"Admin(host={self.host!r}, port={self.port}, token={MASK if self.token else ''!r})"


class Upstream(Struct, frozen=True, forbid_unknown_fields=True):
    """The Nylas hosts, and how long and how often they are asked.

    Attributes:
        region: Data region; picks the public hosts where the URLs are empty.
        v3_url: Where paths beginning with `/v3/` go, in place of the region's host.
        v2_url: Where all others go, in place of the region's host.
        connect_timeout_s: For TCP and for TLS, each.
        response_timeout_s: From the request being sent to the final head.
        stall_timeout_s: No byte of a response body, or upstream takes no byte of an upload, for so long.
        stream_timeout_s: In place of the two above on long-lived routes (delta streams, server-sent events).
        idle_timeout_s: A pooled connection that nobody uses.
        max_connections: Open connections to each upstream.
        max_connections_per_grant: Of these, for one grant.
        head_max_bytes: Longest response head.
        ca_file: PEM file of the authorities that upstream's certificate is checked against; empty takes the system's.
        proxy_url: HTTP proxy that connections are tunnelled through by CONNECT; empty connects directly.
    """

    region: Literal["us", "eu"] = "us"
    v3_url: ApiUrl = ""
    v2_url: ApiUrl = ""
    connect_timeout_s: Seconds = 10.0
    response_timeout_s: Seconds = 90.0
    stall_timeout_s: Seconds = 90.0
    stream_timeout_s: Seconds = 3700.0
    idle_timeout_s: Seconds = 60.0
    max_connections: Count = 1000
    max_connections_per_grant: Count = 100
    head_max_bytes: Bytes = 65536
    ca_file: CaFile = ""
    proxy_url: ProxyUrl = ""

    @property
    def v3_base(self) -> str:
        """Scheme and authority of the v3 API, without a slash at the end."""
        return self.v3_url.rstrip("/") or V3_BASES[self.region]

    @property
    def v2_base(self) -> str:
        """Scheme and authority of the v2 API, without a slash at the end."""
        return self.v2_url.rstrip("/") or V2_BASES[self.region]

    def __repr__(self) -> str:
        return f"Upstream(v3_base={self.v3_base!r}, v2_base={self.v2_base!r}, ...)"


class Bodies(Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds of message bodies.

    Attributes:
        request_max_bytes: Longest request body; a longer one is answered 413.
        error_max_bytes: So much of an error body of upstream is read.
        replay_max_bytes: A request body up to this length is kept until its answer begins, so that the request can be repeated; 0 keeps none.
        buffered_max_bytes: Kept bodies in all; while there is no room for one more, bodies pass without being kept.
        refuse_empty_put: Answer a v2 PUT without a body with 400, without asking upstream.
    """

    request_max_bytes: Bytes = 167_772_160
    error_max_bytes: Bytes = 1_048_576
    replay_max_bytes: BytesOrNone = 4_194_304
    buffered_max_bytes: Bytes = 268_435_456
    refuse_empty_put: Switch = True


class Log(Struct, frozen=True, forbid_unknown_fields=True):
    """The log on standard output.

    Attributes:
        format: `auto` is `console` on a terminal and `json` elsewhere.
        level: The least severe level that is written.
        successes: The share of requests answered below 400 that get a line; all others do.
    """

    format: Literal["auto", "json", "console"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"
    successes: Share = 1.0


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that can be set, one attribute a section."""

    listen: Listen = Listen()
    admin: Admin = Admin()
    upstream: Upstream = Upstream()
    patience: Patience = Patience()
    retry: Retry = Retry()
    limits: Limits = Limits()
    providers: Providers = Providers()
    windows: Windows = Windows()
    redis: Redis = Redis()
    identity: Identity = Identity()
    bodies: Bodies = Bodies()
    log: Log = Log()

    @property
    def warnings(self) -> list[str]:
        """What works and is probably not wanted, one sentence each; without a secret."""
        listen, admin = self.listen, self.admin
        found = []
        if not is_loopback(listen.host) and not listen.tls_certificate:
            found.append(f"listen.host: {listen.host} is reachable from other machines without TLS: tokens and mail cross the network readable")
        if not is_loopback(listen.host) and not listen.has_access_rule:
            rules = "listen.client_networks, listen.client_secret and listen.client_ca_file"
            found.append(f"listen.host: {listen.host} is reachable from other machines without an access rule ({rules} are empty): all can use it")
        if not is_loopback(admin.host) and not admin.token:
            found.append(f"admin.host: {admin.host} is reachable from other machines without admin.token")
        for key, base in (("v3_url", self.upstream.v3_base), ("v2_url", self.upstream.v2_base)):
            if base.lower().startswith("http://") and not is_loopback(urlsplit(base).hostname or ""):
                found.append(f"upstream.{key}: http:// to another machine: tokens and mail cross the network readable")
        redis = urlsplit(self.redis.url)
        if redis.scheme == "redis" and redis.password and not is_loopback(redis.hostname or ""):
            found.append("redis.url: redis:// to another machine: its password crosses the network readable")
        return found


def is_loopback(host: str) -> bool:
    """Tell whether `host`, an address or a name, can only be reached from this machine; names but `localhost` count as reachable."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
