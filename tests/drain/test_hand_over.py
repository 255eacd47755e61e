"""A proxy takes over from another one on the same listening socket, under load: nobody notices."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from drain.handing import HandedOver, asked, ended, listening
from drain.load import Load

if TYPE_CHECKING:
    from pathlib import Path

    from wire.process import Settings


@pytest.mark.parametrize("names_process", [True, False], ids=["LISTEN_PID", "no LISTEN_PID"])
async def test_a_hand_over_under_load_fails_no_request(tmp_path: Path, upstream: str, *, names_process: bool) -> None:
    settings: Settings = {"upstream": {"v3_url": upstream, "v2_url": upstream}, "listen": {"drain_timeout_s": 8}}
    proxies: list[HandedOver] = []
    with listening() as sock:

        async def start() -> HandedOver:
            folder = tmp_path / f"proxy{len(proxies)}"
            proxies.append(await asyncio.to_thread(HandedOver, settings, folder, sock, names_process=names_process))
            return proxies[-1]

        try:
            first = await start()
            assert first.address[1] == sock.getsockname()[1]
            load = Load(first.address[1])
            await load.until_answered(300)
            second = await start()
            assert (await asyncio.to_thread(asked, second, "/readyz"))[0] == 200
            await load.until_answered(100)
            first.terminate()
            assert await asyncio.to_thread(ended, first) == (0, [])
            await load.until_answered(300)
            await load.end()
            assert (load.failures, second.noise, second.is_alive()) == ([], [], True)
        finally:
            for proxy in proxies:
                await asyncio.to_thread(proxy.stop)
