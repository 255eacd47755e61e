"""Simulators for the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from simulator.rig import Simulator, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest_asyncio.fixture
async def nylas() -> AsyncIterator[Simulator]:
    async for simulator in running():
        yield simulator
