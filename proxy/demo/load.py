"""What the application of the scenes does: the same code on both ways, without any logic of its own for limits, windows or duplicates.

It does not look at what it gets: the simulator's reports tell.
"""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import aiohttp

from proxy.demo import sdk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PAUSE_S = 0.25
TRIES = 3

T = TypeVar("T")


def at_once(jobs: Iterable[Callable[[], T]]) -> list[T]:
    """Run each job in a thread of its own and give what they return; raises what the first of them raised.

    The threads are daemons: a demo that is interrupted does not wait for calls that are held.
    """
    futures: list[Future[T]] = []
    for job in jobs:
        future: Future[T] = Future()
        futures.append(future)
        threading.Thread(target=_fulfil, args=(future, job), daemon=True).start()
    return [future.result() for future in futures]


def _fulfil(future: Future[T], job: Callable[[], T]) -> None:
    try:
        future.set_result(job())
    except BaseException as failed:  # noqa: BLE001 - it is raised where the result is asked for
        future.set_exception(failed)


def burst(base_url: str, grant: str, calls: int) -> None:
    """List a mailbox so many times at once. Asynchronous, since so many threads would not be a burst."""
    asyncio.run(_burst(f"{base_url}/v3/grants/{grant}/messages?limit=1", calls))


async def _burst(url: str, calls: int) -> None:
    headers = {"Authorization": f"Bearer {sdk.API_KEY}"}
    timeout = aiohttp.ClientTimeout(total=sdk.TIMEOUT_S)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers, timeout=timeout) as session:

        async def call() -> None:
            async with session.get(url) as answer:
                await answer.read()

        await asyncio.gather(*(call() for _ in range(calls)), return_exceptions=True)


def keep_calling(base_url: str, grants: Iterable[str], for_s: float) -> None:
    """List each of the mailboxes again and again by the SDK, whatever the answers, with a short pause after each."""
    at_once([partial(_keep_calling, sdk.application(base_url, grant), for_s) for grant in grants])


def _keep_calling(application: sdk.Application, for_s: float) -> None:
    ends_at = time.monotonic() + for_s
    while time.monotonic() < ends_at:
        application.observe(_list_one)
        time.sleep(PAUSE_S)


def _list_one(a: sdk.Application) -> str:
    return str(a.client.messages.list(a.grant, query_params={"limit": 1}).request_id)


def send_and_repeat(base_url: str, grants: Iterable[str], mails_each: int) -> None:
    """Send mails by the SDK from all mailboxes at the same time; what fails is sent again, as most applications do."""
    at_once([partial(_send_and_repeat, sdk.application(base_url, grant), mails_each) for grant in grants])


def _send_and_repeat(application: sdk.Application, mails: int) -> None:
    for number in range(mails):
        send = partial(_send, number)
        for _ in range(TRIES):
            if isinstance(application.observe(send), sdk.Returned):
                break


def _send(number: int, a: sdk.Application) -> str:
    message = {"to": [{"email": "ada@example.com"}], "subject": f"{a.grant}, mail {number}", "body": "from the demo"}
    return str(a.client.messages.send(a.grant, message).data.id)
