"""A steady load that takes note of each request that got no whole and good answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from faults.caller import Caller, End

if TYPE_CHECKING:
    from faults.caller import Answer

GRANTS = 10
KEPT, KEPT_EVERY_S = 20, 0.1
NEW_EVERY_S = 0.01
_PATIENT_S = 30.0


def get(number: int = 0, fields: str = "", grant: str = "imap-load") -> bytes:
    """A request for a list of messages."""
    lines = (f"GET /v3/grants/{grant}-{number % GRANTS}/messages?limit=2 HTTP/1.1", "Host: localhost", "Authorization: Bearer nyk_drain", fields)
    return ("\r\n".join(filter(None, lines)) + "\r\n\r\n").encode()


class Load:
    """Some 300 requests a second: 200 on kept connections, which are made anew when an answer ends them, 100 each on a new one.

    Attributes:
        answered: Requests that got a whole 200.
        failures: What became of the others.
    """

    def __init__(self, port: int) -> None:
        self.answered = 0
        self.failures: list[str] = []
        self._port = port
        self._is_over = False
        self._enough, self._has_enough = 0, asyncio.Event()
        self._tasks = [asyncio.create_task(self._keep(number)) for number in range(KEPT)] + [asyncio.create_task(self._make_new())]

    async def until_answered(self, more: int) -> None:
        """Return when so many more have been answered, or one has failed."""
        self._enough, self._has_enough = self.answered + more, asyncio.Event()
        async with asyncio.timeout(_PATIENT_S):
            await self._has_enough.wait()

    async def end(self) -> None:
        """Ask nothing more, and wait for what is under way."""
        self._is_over = True
        await asyncio.gather(*self._tasks)

    async def _keep(self, number: int) -> None:
        caller: Caller | None = None
        while not self._is_over:
            try:
                caller = caller or await Caller.dial(self._port)
                await caller.send(get(number))
                answer = await caller.answer()
            except (OSError, TimeoutError) as error:
                self._fail(f"kept: {error!r}")
                caller = None
                continue
            self._judge("kept", answer)
            if answer.is_last or answer.end is not End.WHOLE:
                caller.leave("close")
                caller = None
            await asyncio.sleep(KEPT_EVERY_S)
        if caller is not None:
            caller.leave("close")

    async def _make_new(self) -> None:
        under_way: set[asyncio.Task[None]] = set()
        number = 0
        while not self._is_over:
            number += 1
            task = asyncio.create_task(self._ask_once(number))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            await asyncio.sleep(NEW_EVERY_S)
        await asyncio.gather(*under_way)

    async def _ask_once(self, number: int) -> None:
        try:
            caller = await Caller.dial(self._port)
            await caller.send(get(number))
            self._judge("new", await caller.answer())
            caller.leave("close")
        except (OSError, TimeoutError) as error:
            self._fail(f"new: {error!r}")

    def _judge(self, which: str, answer: Answer) -> None:
        if (answer.end, answer.status) == (End.WHOLE, 200):
            self.answered += 1
            if self.answered >= self._enough:
                self._has_enough.set()
        else:
            self._fail(f"{which}: {answer.end}, {answer.status} {answer.cause}")

    def _fail(self, failure: str) -> None:
        self.failures.append(failure)
        self._has_enough.set()
