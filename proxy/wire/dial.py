"""Makes connections: fresh name resolution, IPv6 and IPv4, TLS, and CONNECT through a proxy where one is configured."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import ssl
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar, cast
from urllib.parse import unquote, urlsplit

from proxy.wire.certificates import expiry_of_peer

if TYPE_CHECKING:
    from collections.abc import Callable

ProtocolT = TypeVar("ProtocolT", bound=asyncio.Protocol)

_PROXY_HEAD_MAX_BYTES: Final = 16_384
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class DialError(Exception):
    """No connection could be made; the text quotes no address that a caller sent, because no caller names one."""


@dataclass(frozen=True)
class Origin:
    """Where an upstream listens."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """Take it from a URL that the settings have already checked."""
        parts = urlsplit(url)
        return cls(parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme])

    @cached_property
    def authority(self) -> bytes:
        """What the Host field says (RFC 9110 section 7.2): the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if _DEFAULT_PORTS.get(self.scheme) == self.port else f":{self.port}"
        return f"{host}{port}".encode()

    @property
    def host_and_port(self) -> bytes:
        """What CONNECT asks for (RFC 9112 section 3.2.3): always with the port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}".encode()


class Dialer:
    """Connects to one origin.

    Attributes:
        origin: Where to.
        timeout_s: For TCP over all addresses, again for CONNECT, again for TLS.
        certificate_ends_at: When the certificate ends that was shown last, in seconds since 1970; None where none was.
    """

    def __init__(self, origin: Origin, tls: ssl.SSLContext | None, proxy_url: str, timeout_s: float) -> None:
        self.origin = origin
        self.timeout_s = timeout_s
        self.certificate_ends_at: float | None = None
        self._tls = tls if origin.scheme == "https" else None
        self._proxy = Origin.of(proxy_url) if proxy_url else None
        self._proxy_credentials = _basic_credentials(proxy_url)

    async def dial(self, factory: Callable[[], ProtocolT]) -> ProtocolT:
        """Connect and hand the connection to a protocol of `factory`; raises DialError."""
        try:
            if self._proxy is None:
                return await self._direct(factory)
            return await self._through(self._proxy, factory)
        except OSError as error:  # TimeoutError, socket.gaierror and ssl.SSLError are such
            way = "" if self._proxy is None else ", by way of the egress proxy"
            raise DialError(f"no connection to {self.origin.host}{way}: {_reason(error)}") from error

    async def _direct(self, factory: Callable[[], ProtocolT]) -> ProtocolT:
        raw = await self._open_socket(self.origin)
        protocol = factory()
        await self._wrap(raw, protocol, self._tls)
        return protocol

    async def _through(self, proxy: Origin, factory: Callable[[], ProtocolT]) -> ProtocolT:
        """Ask a forward proxy for a tunnel (RFC 9110 section 9.3.6)."""
        raw = await self._open_socket(proxy)
        try:
            async with asyncio.timeout(self.timeout_s):
                await self._ask_for_tunnel(raw)
        except BaseException:
            raw.close()
            raise
        protocol = factory()
        await self._wrap(raw, protocol, self._tls)
        return protocol

    async def _wrap(self, raw: socket.socket, protocol: asyncio.Protocol, tls: ssl.SSLContext | None) -> None:
        loop = asyncio.get_running_loop()
        try:
            if tls is None:
                await loop.create_connection(lambda: protocol, sock=raw)
            else:
                transport, _ = await loop.create_connection(
                    lambda: protocol, sock=raw, ssl=tls, server_hostname=self.origin.host, ssl_handshake_timeout=self.timeout_s
                )
                self.certificate_ends_at = expiry_of_peer(transport.get_extra_info("peercert") or {})
        except BaseException:
            raw.close()
            raise

    async def _open_socket(self, where: Origin) -> socket.socket:
        """A connected socket to the first address that answers; names are resolved anew each time, so that a changed one is noticed."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self.timeout_s):
            addresses = await loop.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
            for index, (family, kind, protocol, _, address) in enumerate(addresses):
                last = index == len(addresses) - 1
                try:
                    async with asyncio.timeout(None if last else self.timeout_s / len(addresses)):
                        return await _connected(loop, family, kind, protocol, address)
                except OSError:  # TimeoutError is one
                    if last:
                        raise
        raise DialError("the name of the upstream has no address")

    async def _ask_for_tunnel(self, raw: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        target = self.origin.host_and_port
        await loop.sock_sendall(raw, b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (target, target, self._proxy_credentials))
        head = b""
        while b"\r\n\r\n" not in head:
            piece = await loop.sock_recv(raw, 4096)
            head += piece
            if not piece or len(head) > _PROXY_HEAD_MAX_BYTES:
                raise DialError("the egress proxy gave no readable answer")
        status_line = head.split(b"\r\n", 1)[0].split(b" ")
        if not head.endswith(b"\r\n\r\n") or len(status_line) < 2 or not status_line[0].startswith(b"HTTP/1."):  # noqa: PLR2004 - version and status
            raise DialError("the egress proxy gave no readable answer")
        if not (status_line[1].startswith(b"2") and status_line[1].isdigit()):
            raise DialError("the egress proxy refused the tunnel")


async def _connected(loop: asyncio.AbstractEventLoop, family: int, kind: int, protocol: int, address: object) -> socket.socket:
    raw = socket.socket(family, kind, protocol)
    try:
        raw.setblocking(False)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(raw, cast("tuple[str, int]", address))
    except BaseException:
        raw.close()
        raise
    return raw


def _basic_credentials(proxy_url: str) -> bytes:
    """The field that carries the proxy URL's user and password (RFC 7617), or nothing."""
    parts = urlsplit(proxy_url)
    if parts.username is None:
        return b""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return b"Proxy-Authorization: Basic " + base64.b64encode(pair) + b"\r\n"


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "it was not made in time"
    if isinstance(error, socket.gaierror):
        return "the name could not be resolved"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {getattr(error, 'verify_message', '') or error.reason or 'no agreement'}"
    return os.strerror(error.errno) if error.errno else type(error).__name__
