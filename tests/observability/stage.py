"""A simulated Nylas, two proxies before it, load on both, and a Prometheus that watches."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import aiohttp
import trustme
from end_to_end import rig

from observability import prometheus
from observability.load import OBSERVING, SETTINGS, Load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ledger.conftest import Server

    from observability.prometheus import Prometheus

TOKEN: Final = "nyk_of_the_operator"
BEARER: Final = {"Authorization": f"Bearer {TOKEN}"}
MISTAKE: Final = "no_such_section.key = 1\n"


class Sidecar(NamedTuple):
    """A running proxy: its two ports, and the file of its settings."""

    port: int
    admin_port: int
    file: Path

    @property
    def admin(self) -> str:
        return f"127.0.0.1:{self.admin_port}"


class Stage(NamedTuple):
    """What is running."""

    session: aiohttp.ClientSession
    sidecars: tuple[Sidecar, Sidecar]
    load: Load
    prometheus: Prometheus

    async def exposition(self, sidecar: Sidecar, accept: str) -> tuple[str, str]:
        """What a proxy exposes to those who want this form, and the form that it has."""
        async with self.session.get(f"http://{sidecar.admin}/metrics", headers={**BEARER, "Accept": accept}) as answer:
            assert answer.status == 200
            return await answer.text(), answer.headers["Content-Type"]

    async def reload(self, sidecar: Sidecar) -> int:
        """Have the settings read again; returns the status."""
        async with self.session.post(f"http://{sidecar.admin}/reload", headers=BEARER) as answer:
            return answer.status

    async def read_settings_again(self, sidecar: Sidecar) -> tuple[int, int]:
        """With a mistake in them, and without it."""
        settings = sidecar.file.read_text()
        sidecar.file.write_text(MISTAKE + settings)
        refused = await self.reload(sidecar)
        sidecar.file.write_text(settings)
        return refused, await self.reload(sidecar)


@contextlib.asynccontextmanager
async def set_up(folder: Path, server: Server) -> AsyncIterator[Stage]:
    authority = trustme.CA()
    client_tls = ssl.create_default_context()
    authority.configure_trust(client_tls)
    async with contextlib.AsyncExitStack() as stack:
        nylas = await stack.enter_async_context(rig.simulator(folder, ""))
        enforcing = await stack.enter_async_context(_sidecar(folder, "enforcing", nylas, SETTINGS))
        observing = await stack.enter_async_context(_sidecar(folder, "observing", nylas, _shared(folder, server, authority) + OBSERVING))
        token_file = folder / "token"
        token_file.write_text(TOKEN)
        configuration = prometheus.write_configuration(folder, [enforcing.admin, observing.admin], token_file)
        watching = await stack.enter_async_context(prometheus.running(folder, configuration))
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        load = Load(session, f"http://127.0.0.1:{enforcing.port}", f"https://127.0.0.1:{observing.port}", client_tls)
        going_on = asyncio.create_task(load.go_on())
        stack.push_async_callback(_ended, going_on)
        yield Stage(session, (enforcing, observing), load, watching)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _shared(folder: Path, server: Server, authority: trustme.CA) -> str:
    """Settings of a proxy that speaks TLS and counts with others."""
    certificate, key, identity = folder / "certificate.pem", folder / "key.pem", folder / "identity.key"
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    identity.write_bytes(b"an identity key of some length")
    return f"""\
listen.tls_certificate = "{certificate}"
listen.tls_key = "{key}"
redis.url = "{server.url}"
redis.command_timeout_ms = 1000
identity.key_file = "{identity}"
"""


@contextlib.asynccontextmanager
async def _sidecar(folder: Path, name: str, nylas: str, settings: str) -> AsyncIterator[Sidecar]:
    file = folder / f"{name}.toml"
    own = f'listen.port = 0\nadmin.port = 0\nadmin.token = "{TOKEN}"\nlog.format = "json"\nupstream.v3_url = "{nylas}"\nupstream.v2_url = "{nylas}"\n'
    file.write_text(own + settings)
    async with rig.process(_ports, "serve", "--config", str(file)) as ports:
        port, _, admin_port = ports.partition(" ")
        yield Sidecar(int(port), int(admin_port), file)


def _ports(line: str) -> str | None:
    event: dict[str, Any] = json.loads(line)
    return f"{event['port']} {event['admin_port']}" if event["event"] == "proxy.listening" else None
