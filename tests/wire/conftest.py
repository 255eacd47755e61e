"""Proxies for the wire's conformance cases: each configuration runs once on uvloop and once on plain asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trustme

from wire.authority import Authority
from wire.rig import Rig, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wire.process import Section, Settings

MIB = 1024 * 1024


@pytest.fixture(scope="session", params=["uvloop", "asyncio"])
def loop_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _rig(loop_name: str, factory: pytest.TempPathFactory, settings: Settings) -> Iterator[Rig]:
    listen = {**settings.get("listen", {}), "event_loop": loop_name}
    with running({**settings, "listen": listen}, factory.mktemp("proxy")) as rig:
        yield rig


@pytest.fixture(scope="session")
def plain_rig(loop_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    yield from _rig(loop_name, tmp_path_factory, {})


@pytest.fixture(scope="session")
def hasty_rig(loop_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    listen: Section = {"head_timeout_s": 0.4, "idle_timeout_s": 0.5, "body_timeout_s": 0.4, "write_timeout_s": 0.5}
    upstream: Section = {
        "connect_timeout_s": 0.5,
        "response_timeout_s": 0.5,
        "stall_timeout_s": 0.5,
        "stream_timeout_s": 0.5,
        "idle_timeout_s": 0.5,
    }
    yield from _rig(loop_name, tmp_path_factory, {"listen": listen, "upstream": upstream})


@pytest.fixture(scope="session")
def tight_rig(loop_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    listen: Section = {"max_connections": 5, "head_max_bytes": 4096, "header_max_count": 20}
    upstream: Section = {"max_connections_per_grant": 2, "head_max_bytes": 4096}
    bodies: Section = {"request_max_bytes": MIB, "error_max_bytes": 65536, "refuse_empty_put": False}
    yield from _rig(loop_name, tmp_path_factory, {"listen": listen, "upstream": upstream, "bodies": bodies})


@pytest.fixture
def plain(plain_rig: Rig) -> Iterator[Rig]:
    """The proxy with its defaults."""
    yield plain_rig
    plain_rig.settle()


@pytest.fixture
def hasty(hasty_rig: Rig) -> Iterator[Rig]:
    """The proxy with every time-out below a second."""
    yield hasty_rig
    hasty_rig.settle()


@pytest.fixture
def tight(tight_rig: Rig) -> Iterator[Rig]:
    """The proxy with small limits: five clients, two calls for each grant, heads of 4 KiB and 20 fields, bodies of 1 MiB."""
    yield tight_rig
    tight_rig.settle()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    ca = trustme.CA()
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(file)
    return Authority(ca, str(file))
