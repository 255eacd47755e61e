"""One run: traffic at a steady pace through both proxies, a failure every few seconds, a sample every second, and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import aiohttp

from soak.calls import Traffic
from soak.stage import MESSAGES_PER_S, staged
from soak.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path
    from typing import Any

    from soak.calls import Call
    from soak.samples import Sample
    from soak.stage import Stage

REFUSALS = "refusals of a limit by upstream"
_ANSWERED_WITHIN_S = 60.0
_BURST_EVERY_S, _BURST_GRANTS = 3.0, 5
_WINDOW_EVERY_S, _WINDOW_S, _KNOCKS, _KNOCK_EVERY_S = 4.0, 3, 6, 0.4
_MAILS_MAX = 9_000  # the simulator remembers 10,000, and without its memory no second copy would show
_ENDS_QUIETLY_S = 3.0
_SENT = frozenset({200, 202})


class Pace(NamedTuple):
    """How much is asked, and for how long.

    Attributes:
        seconds: Of traffic.
        calls_per_s: Without bursts and windows.
        fresh_share: Of the calls that name a grant for the first time.
        seed: Of all dice.
        fails: Redis does, every few seconds.
    """

    seconds: float
    calls_per_s: float
    fresh_share: float
    seed: int
    fails: bool = True


class Outcome(NamedTuple):
    """What came of a run.

    Attributes:
        grants: How many were named.
        statuses: Of the answers; 0: none, -1: its caller left.
        samples: By proxy, every second.
        at_the_end: Of each proxy, when all had calmed down.
        violations: Of each kind, and which: what must never be.
        limits: The simulator's report.
        failures: How often Redis failed.
    """

    grants: int
    statuses: Counter[int]
    samples: list[list[Sample]]
    at_the_end: list[Sample]
    violations: dict[str, list[str]]
    limits: dict[str, Any]
    failures: int


class Run:
    """What goes on at a time."""

    def __init__(self, stage: Stage, session: aiohttp.ClientSession, pace: Pace) -> None:
        self._stage = stage
        self._session = session
        self._pace = pace
        self._dice = random.Random(pace.seed)
        self._under_way: set[asyncio.Task[Any]] = set()
        self.traffic = Traffic(self._dice, pace.fresh_share)
        self.trouble = Trouble(stage.server, random.Random(pace.seed + 1))
        self.statuses: Counter[int] = Counter()
        self.samples: list[list[Sample]] = [[] for _ in stage.proxies]
        self.told_sent: set[str] = set()
        self.bugs: list[str] = []
        self.refusals: list[str] = []
        self._refused: dict[str, int] = {}
        self._mails = 0

    async def go(self) -> None:
        """Do all of it; the last seconds are without trouble."""
        going = [asyncio.create_task(each) for each in (self._steady(), self._bursts(), self._windows(), self._look())]
        failing = asyncio.create_task(self.trouble.go_on() if self._pace.fails else asyncio.sleep(self._pace.seconds))
        await asyncio.sleep(self._pace.seconds - _ENDS_QUIETLY_S)
        await _cancel(failing)
        await self.trouble.mend()
        await asyncio.sleep(_ENDS_QUIETLY_S)
        for each in going:
            await _cancel(each)
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def _steady(self) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        for number in range(int(self._pace.seconds * self._pace.calls_per_s) + 1):
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            due_s += self._dice.expovariate(self._pace.calls_per_s)
            call = self.traffic.next()
            self._mails += bool(call.subject)
            if not call.subject or self._mails <= _MAILS_MAX:
                self._begin(self._ask(number % len(self._stage.proxies), call))

    async def _bursts(self) -> None:
        """Twice what a second allows one grant, through both proxies at once."""
        while True:
            await asyncio.sleep(_BURST_EVERY_S)
            grant = f"imap-burst-{self._dice.randrange(_BURST_GRANTS)}"
            for number in range(2 * MESSAGES_PER_S):
                self._begin(self._ask(number % len(self._stage.proxies), self.traffic.listing(grant)))

    async def _windows(self) -> None:
        """Have Exchange close a mailbox, time and again."""
        number = 0
        while True:
            await asyncio.sleep(_WINDOW_EVERY_S)
            number += 1
            self._begin(self._knock_at(f"ews-{number}", number % len(self._stage.proxies)))

    async def _knock_at(self, grant: str, through: int) -> None:
        """Ask until after the window; through the other proxy as well, as long as nothing has kept the two from telling each other."""
        listing = self.traffic.listing(grant)
        failures, tell_each_other = self.trouble.count, await self._share()
        closing = listing._replace(fields={**listing.fields, "X-Simulator": f"throttle_s={_WINDOW_S}", "X-Nylas-Proxy-Patience": "0"})
        await self._ask(through, closing)
        knocking = listing._replace(fields={**listing.fields, "X-Nylas-Proxy-Patience": "0"})
        for _ in range(_KNOCKS):
            await self._ask(through, knocking)
            tell_each_other = tell_each_other and await self._share() and failures == self.trouble.count
            if tell_each_other:
                await self._ask(1 - through, knocking)
            await asyncio.sleep(_KNOCK_EVERY_S)

    async def _share(self) -> bool:
        """Tell whether both proxies count on the server, and it is well."""
        return not self.trouble.is_on and {await asyncio.to_thread(proxy.ledger) for proxy in self._stage.proxies} == {"shared"}

    async def _look(self) -> None:
        while True:
            for proxy, samples in zip(self._stage.proxies, self.samples, strict=True):
                samples.append(await asyncio.to_thread(proxy.look))
                self.bugs += proxy.bugs()
            self.note_refusals(await self._stage.report(self._session, "limits"))
            await asyncio.sleep(1)

    def note_refusals(self, limits: dict[str, Any]) -> None:
        """Keep which limits refused since this was last asked, and after which failure."""
        refused = {name: row["refused"] for name, row in limits["limits"].items() if row["refused"]}
        if refused.keys() - self._refused.keys() or any(refused[name] > self._refused.get(name, 0) for name in refused):
            more = ", ".join(f"{count - self._refused.get(name, 0)} more by {name}" for name, count in refused.items())
            self.refusals.append(f"{more} after {self.trouble.last}, number {self.trouble.count}")
            self._refused = refused

    async def _ask(self, through: int, call: Call) -> None:
        status = await self._status(self._stage.proxies[through].url + call.path, call)
        self.statuses[status] += 1
        if call.subject and status in _SENT:
            self.told_sent.add(call.subject)

    async def _status(self, url: str, call: Call) -> int:
        limit = aiohttp.ClientTimeout(total=call.leaves_after_s or _ANSWERED_WITHIN_S)
        try:
            async with self._session.request(call.method, url, headers=call.fields, data=call.body or None, timeout=limit) as answer:
                await answer.read()
                return answer.status
        except TimeoutError:
            return -1 if call.leaves_after_s else 0
        except aiohttp.ClientError:
            return 0

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)


async def soak(folder: Path, pace: Pace) -> Outcome:
    """Run it, and look at what came of it once all has calmed down."""
    async with staged(folder) as stage:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False) as session:
            run = Run(stage, session, pace)
            await run.go()
        at_the_end = await stage.calm()
        async with aiohttp.ClientSession() as session:
            limits, mails = await stage.report(session, "limits"), await stage.report(session, "deliveries")
        run.note_refusals(limits)
        for proxy in stage.proxies:
            run.bugs += proxy.bugs()
    delivered = {mail["subject"] for mail in mails["messages"]}
    violations = {
        REFUSALS: run.refusals,
        "arrivals inside closed windows": _knocks(limits),
        "mails sent twice": [mail["subject"] for mail in mails["messages"] if mail["count"] > 1],
        "mails told as sent that were not": sorted(run.told_sent - delivered),
        "bugs in the logs": run.bugs,
        "not back at nothing": [str(sample) for sample in at_the_end if not sample.is_idle()],
    }
    return Outcome(run.traffic.grants, run.statuses, run.samples, at_the_end, violations, limits, run.trouble.count)


def _knocks(limits: dict[str, Any]) -> list[str]:
    told = [f"{window['subject']}, {knock['after_told_s']:.3f} s" for window in limits["windows"] for knock in window["knocks"]]
    return told if told or not limits["early"] else [f"{limits['early']} in windows that are forgotten"]


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
