"""Two bursts on connections that take long to make: what counts is when a request leaves, not when it was admitted."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import trustme

from promises.callers import at_once
from promises.check import Check, all_good, arrivals_s
from promises.rig import Rig, child_telling, running, simulated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from promises.callers import Answer, Callers

CONNECT_S = 0.2
PAUSES_S = (0.95, 1.0, 1.05, 1.2, 1.3)
_RELAY = Path(__file__).parent / "slow_tls.py"


async def pause() -> Check:
    """200 GETs at once, a pause of one window from their start, 200 more; 200 ms connects to a TLS upstream."""
    told, kept = [], True
    for pause_s in PAUSES_S:
        async with _behind_slow_tls() as r:
            answers = await _two_bursts(r.proxies[0].callers, pause_s)
            refused, came_s = (await r.simulator.report("limits"))["refused"], arrivals_s(await r.simulator.report("arrivals"), "burst")
        late = sum(answer.fields.get("x-nylas-proxy-waited", "0") != "0" for answer in answers[200:])
        told.append(f"{pause_s} s: {refused} refusals, first arrivals over {came_s[199]:.2f} s, {late} of the second 200 held")
        kept = kept and refused == 0 and all_good(answers)
    return Check("0 refusals", "; ".join(told), kept)


async def _two_bursts(callers: Callers, pause_s: float) -> list[Answer]:
    await callers.gather(400)
    first = asyncio.create_task(_burst(callers))
    await asyncio.sleep(pause_s)
    second = await _burst(callers)
    return [*await first, *second]


async def _burst(callers: Callers) -> list[Answer]:
    return await at_once(callers.ask("GET", "/v3/grants/nylas-burst/messages") for _ in range(200))


@contextlib.asynccontextmanager
async def _behind_slow_tls() -> AsyncIterator[Rig]:
    async with simulated("") as (folder, simulator):
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / "relay.pem")
        relay_folder = folder / "relay"
        relay_folder.mkdir()
        command = [sys.executable, str(_RELAY), simulator.url.rpartition(":")[2], str(CONNECT_S), str(folder / "relay.pem")]
        async with child_telling(command, relay_folder, _relay_port) as port:
            upstream = f'upstream.v3_url = "https://localhost:{port}"\nupstream.ca_file = "{folder / "ca.pem"}"\n'
            made = Rig(folder, simulator, upstream, "")
            async with running(made, 1):
                yield made


def _relay_port(line: str) -> str | None:
    return line.rsplit(maxsplit=1)[-1] if line.startswith("relay listening on") else None
