"""What becomes of requests when the proxy is told to end: those that were sent are answered, those that wait are told so at once."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import TYPE_CHECKING

from faults.caller import PATIENT_S, Caller, End

from drain.handing import asked, ended
from drain.load import get

if TYPE_CHECKING:
    from collections.abc import Callable

    from faults.caller import Answer
    from wire.process import ProxyProcess, Settings

    Start = Callable[[Settings], ProxyProcess]

LONG_S = 40  # longer than any wait of these tests: what comes has not come by this
KEPT = 20
THROTTLE = f"X-Simulator: throttle_s={LONG_S}\r\nX-Nylas-Proxy-Patience: 0"


async def _ask(proxy: ProxyProcess, request: bytes) -> Answer:
    caller = await Caller.dial(proxy.address[1])
    await caller.send(request)
    answer = await caller.answer()
    caller.leave("close")
    return answer


async def _until(proxy: ProxyProcess, reading: str) -> None:
    """Return when the metrics hold this line."""
    async with asyncio.timeout(PATIENT_S):
        while reading not in (await asyncio.to_thread(asked, proxy, "/metrics"))[1].splitlines():
            pass


async def _until_told(proxy: ProxyProcess) -> None:
    await asyncio.to_thread(proxy.wait_for, lambda event: event.get("event") == "proxy.draining")


async def test_each_request_on_a_kept_connection_is_answered_and_the_last_answer_says_so(start: Start) -> None:
    proxy = start({"listen": {"drain_timeout_s": LONG_S}})
    answered, has_enough = 0, asyncio.Event()

    async def keep_asking(number: int) -> list[Answer]:
        nonlocal answered
        caller = await Caller.dial(proxy.address[1])
        answers: list[Answer] = []
        while not answers or not answers[-1].is_last:
            await caller.send(get(number))
            answers.append(await caller.answer())
            answered += 1
            if answered == 10 * KEPT:
                has_enough.set()
            assert answers[-1].end is End.WHOLE
            await asyncio.sleep(0.05)
        assert await caller.until_closed() == b""
        caller.leave("close")
        return answers

    asking = [asyncio.create_task(keep_asking(number)) for number in range(KEPT)]
    await asyncio.wait([asyncio.create_task(has_enough.wait()), *asking], return_when=asyncio.FIRST_COMPLETED)
    proxy.terminate()
    got = await asyncio.gather(*asking)
    assert {answer.status for answers in got for answer in answers} == {200}
    assert await asyncio.to_thread(ended, proxy) == (0, [])


async def test_a_request_that_waits_is_told_to_go_elsewhere_at_once(start: Start) -> None:
    proxy = start({"listen": {"drain_timeout_s": LONG_S}, "patience": {"max_s": 2 * LONG_S}})
    assert (await _ask(proxy, get(fields=THROTTLE, grant="ews"))).status == 429
    waiting = asyncio.create_task(_ask(proxy, get(fields=f"X-Nylas-Proxy-Patience: {2 * LONG_S}", grant="ews")))
    await _until(proxy, "nylas_proxy_queue_depth 1.0")
    proxy.terminate()
    answer = await waiting
    assert (answer.status, answer.cause, answer.is_last) == (503, "shutting_down", True)
    assert int(answer.value(b"retry-after")) >= 1
    assert json.loads(answer.body)["proxy"]["origin"] == "proxy"
    assert await asyncio.to_thread(ended, proxy) == (0, [])


async def test_in_the_grace_period_it_is_not_ready_and_still_serves_whoever_comes(start: Start) -> None:
    proxy = start({"listen": {"drain_grace_s": LONG_S}})
    assert (await asyncio.to_thread(asked, proxy, "/readyz"))[0] == 200
    proxy.terminate()
    await _until_told(proxy)
    assert await asyncio.to_thread(asked, proxy, "/readyz") == (503, {"status": "draining"})
    for number in range(3):
        answer = await _ask(proxy, get(number))
        assert (answer.status, answer.is_last) == (200, True)
    proxy.signal(signal.SIGTERM)
    assert await asyncio.to_thread(ended, proxy) == (1, [])


async def test_a_second_signal_ends_it_at_once_and_nobody_gets_half_an_answer(start: Start) -> None:
    proxy = start({"listen": {"drain_timeout_s": LONG_S}})
    under_way = asyncio.create_task(_ask(proxy, get(fields=f"X-Simulator: delay_s={LONG_S}")))
    await _until(proxy, "nylas_proxy_in_flight 1.0")
    proxy.terminate()
    await _until_told(proxy)
    proxy.signal(signal.SIGINT)
    assert await asyncio.to_thread(ended, proxy) == (1, [])
    answer = await under_way
    assert answer.end in {End.NONE, End.WHOLE}
    assert (answer.status, answer.cause) in {(0, ""), (503, "shutting_down")}
