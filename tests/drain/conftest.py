"""An upstream for all, and proxies before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from end_to_end.rig import simulator
from wire.process import ProxyProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from wire.process import Settings


@pytest.fixture
async def upstream(tmp_path: Path) -> AsyncIterator[str]:
    """A simulated Nylas that keeps its limits."""
    async with simulator(tmp_path, "") as url:
        yield url


@pytest.fixture
def start(tmp_path: Path, upstream: str) -> Iterator[Callable[[Settings], ProxyProcess]]:
    """Starts a proxy before it; all of them are ended afterwards."""
    made: list[ProxyProcess] = []

    def started(settings: Settings) -> ProxyProcess:
        folder = tmp_path / f"proxy{len(made)}"
        folder.mkdir()
        made.append(ProxyProcess({**settings, "upstream": {"v3_url": upstream, "v2_url": upstream}}, folder))
        return made[-1]

    yield started
    for proxy in made:
        proxy.stop()
