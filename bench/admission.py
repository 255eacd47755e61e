"""What admission costs a request, in CPU: who asks, three claims, and the ledger of one process: `.venv/bin/python bench/admission.py`."""

from __future__ import annotations

import asyncio
import statistics
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

from proxy import known
from proxy.core.identify import identify
from proxy.errand import Errand
from proxy.gate import make_gate
from proxy.settings import Settings
from proxy.settings.pacing import Limits, Providers
from proxy.telemetry.logs import Log
from proxy.telemetry.observers import Observers
from proxy.wire.body import Body
from proxy.wire.head import RequestHead

if TYPE_CHECKING:
    from proxy.settings.kinds import Override

ROUNDS, REQUESTS = 50, 400


async def main() -> None:
    never_reached: dict[str, Override] = {"google_user": {"count": 10**9}, "v3_contacts": {"count": 10**9}}
    settings = Settings(limits=Limits(overrides=never_reached), providers=Providers({"g": "google"}))
    catalogue = known.catalogue()
    admission = make_gate(settings, catalogue, Observers(Log("json", "info"))).admission
    head = RequestHead(b"GET", b"/v3/grants/g/contacts/1", is_http_10=False, fields=[(b"authorization", b"Authorization", b"Bearer nyk_1")])
    source = SimpleNamespace(hold_body=lambda: None, release_body=lambda: None)
    costs_us: list[float] = []
    errands: list[Errand] = []
    for _ in range(ROUNDS):
        errands = []
        for _ in range(REQUESTS // 10):
            body = Body(source)
            body.ended = True
            errands.append(Errand(identify(catalogue, "GET", head.target, "id"), head, body, lambda _head: None))
        started_at = time.process_time()
        for errand in errands:
            assert await admission.enter(errand, 0.0) is None
            admission.left(errand)
            admission.leave(errand, succeeded=True)
        costs_us.append((time.process_time() - started_at) / len(errands) * 1e6)
        await asyncio.sleep(0.21)
    claims = len(errands[0].ask.claims) if errands[0].ask else 0
    print(f"{statistics.median(costs_us):.1f} us of CPU a request with {claims} claims (median of {ROUNDS} rounds; best {min(costs_us):.1f})")


if __name__ == "__main__":
    asyncio.run(main())
