"""Load that gives every metric something to tell: errors of each origin, holds, refusals, throttles, windows, repetitions, answers that break off."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import aiohttp

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

HEADERS: Final = {"Authorization": "Bearer nyk_observability"}
SETTINGS: Final = """\
patience.max_waiting = 20
[limits.overrides]
v3_messages = { count = 20, per_s = 1.0 }
[providers.known]
google-a = "google"
"""
OBSERVING: Final = """\
[limits]
mode = "observe"
[limits.overrides]
v3_messages = { count = 5, per_s = 1.0 }
"""
_ROUND_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Call:
    """One request, and how patient it is."""

    method: str
    path: str
    cue: str = ""
    patience_s: float = 0

    @property
    def fields(self) -> dict[str, str]:
        cues = {"X-Simulator": self.cue} if self.cue else {}
        return {**HEADERS, "X-Nylas-Proxy-Patience": str(self.patience_s), **cues}


@dataclass(frozen=True, slots=True)
class Load:
    """A bounded load on two proxies, for as long as it is let.

    Attributes:
        session: Carries it.
        enforcing: The address of the proxy that holds and refuses.
        observing: The address of the one that only observes.
        tls: To whom that one's certificate is known.
        answers: How often which status came; 0 for answers that broke off.
    """

    session: aiohttp.ClientSession
    enforcing: str
    observing: str
    tls: ssl.SSLContext
    answers: Counter[int] = field(default_factory=Counter)

    async def go_on(self) -> None:
        for number in itertools.count():
            watched = [self._ask(self.observing, Call("GET", "/v3/grants/nylas-a/messages")) for _ in range(15)]
            await asyncio.gather(*watched, *(self._ask(self.enforcing, call) for call in burst()))
            await asyncio.gather(*(self._ask(self.enforcing, call) for call in mixture(number)))
            await asyncio.sleep(_ROUND_S)

    async def _ask(self, proxy: str, call: Call) -> None:
        try:
            async with self.session.request(call.method, proxy + call.path, headers=call.fields, ssl=self.tls) as answer:
                await answer.read()
                self.answers[answer.status] += 1
        except aiohttp.ClientError:
            self.answers[0] += 1


def burst() -> Iterator[Call]:
    """More than the limit lets through at once, and more than may wait."""
    yield from (Call("GET", f"/v3/grants/nylas-{grant}/messages", patience_s=2) for grant in "ab" for _ in range(35))


def mixture(number: int) -> Iterator[Call]:
    """A little of everything else."""
    yield from (Call("GET", "/v3/grants/nylas-d/messages") for _ in range(25))  # more than pass at once, and not patient
    yield Call("GET", "/v3/grants/google-a/messages?limit=2")
    yield Call("GET", "/messages?limit=2")
    yield from (Call("GET", "/v3/grants/nylas-c/calendars", "status=500; html=1", 5) for _ in range(3))  # repeated
    yield from (Call("POST", "/v3/grants/nylas-c/events", cue) for cue in ("status=500", "reset=before_head"))  # not repeated
    yield Call("GET", "/v3/grants/nylas-c/contacts", "break=mid_body")
    yield Call("GET", f"/v3/grants/nylas-l{number}/contacts", "corpus=docs-429-nylas-layer")
    yield from (Call("GET", f"/v3/grants/ews-{number}/events", "throttle_s=5") for _ in range(2))
    yield Call("GET", f"/v3/grants/ews-{number - 1}/events")  # its window is open
