"""Proxies that do not serve everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from wire.conftest import loop_name
from wire.rig import Rig, running

from access.stage import TOKEN, Renewable, renewable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wire.process import Section, Settings

__all__ = ["loop_name"]

SECRET = "s3cret-of-all-clients"


@pytest.fixture(scope="session")
def fenced_rig(loop_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    listen: Section = {"event_loop": loop_name, "client_networks": "10.0.0.0/8, 127.0.0.1 ::1", "requests_per_connection": 3}
    with running({"listen": listen}, tmp_path_factory.mktemp("fenced")) as rig:
        yield rig


@pytest.fixture
def fenced(fenced_rig: Rig) -> Iterator[Rig]:
    """A proxy for clients of 127.0.0.1, which lets a connection carry three requests."""
    yield fenced_rig
    fenced_rig.settle()


@pytest.fixture(scope="session")
def secret_rig(loop_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    settings: Settings = {"listen": {"event_loop": loop_name, "client_secret": SECRET}, "admin": {"token": TOKEN}}
    with running(settings, tmp_path_factory.mktemp("secret")) as rig:
        yield rig


@pytest.fixture
def secretive(secret_rig: Rig) -> Iterator[Rig]:
    """A proxy that asks every request for the secret."""
    yield secret_rig
    secret_rig.settle()


@pytest.fixture
def tls(loop_name: str, tmp_path: Path) -> Iterator[Renewable]:
    """A proxy with a certificate that can be renewed."""
    with renewable(tmp_path, loop_name) as running_proxy:
        yield running_proxy
        running_proxy.rig.settle()


@pytest.fixture
def mutual(loop_name: str, tmp_path: Path) -> Iterator[Renewable]:
    """The same, and clients must show certificates as well."""
    with renewable(tmp_path, loop_name, client_ca_file=str(tmp_path / "client_ca.pem")) as running_proxy:
        yield running_proxy
        running_proxy.rig.settle()
