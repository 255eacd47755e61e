"""One simulated Nylas for all; each module runs the proxies that it looks at."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ledger.conftest import own_server, server, session_server

from operating.rig import Nylas

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["own_server", "server", "session_server"]

sys.path.insert(0, str(Path(__file__).parents[1] / "telemetry"))  # for `otel.receiver`, as pytest itself does for the tests there


@pytest.fixture(scope="session")
def nylas() -> Iterator[Nylas]:
    running = Nylas()
    yield running
    running.close()
