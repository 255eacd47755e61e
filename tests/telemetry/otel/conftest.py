from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from otel.receiver import Receiver
from proxy.telemetry.otel.export import Otel, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A collector that the variables name."""
    receiver = Receiver()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    yield receiver
    receiver.close()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def problems() -> list[str]:
    return []


@pytest.fixture
def started(registry: CollectorRegistry, problems: list[str]) -> Iterator[Callable[[], Otel]]:
    """Starts an export as the variables say at that moment; it is closed at the end at the latest."""
    running: list[Otel] = []

    def begin() -> Otel:
        running.append(start(registry, "1.2.3", problems.append))
        return running[-1]

    yield begin
    for otel in running:
        otel.close()
