from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from admin.rig import TOKEN, Listener, listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def unlocked() -> AsyncIterator[Listener]:
    """A listener without a token."""
    async with listening() as listener:
        yield listener


@pytest.fixture
async def guarded() -> AsyncIterator[Listener]:
    """A listener with a token, which is shown where a test says nothing else."""
    async with listening(token=TOKEN) as listener:
        yield listener
