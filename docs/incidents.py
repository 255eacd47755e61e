"""Plays the three incidents of operations.md and takes their pictures: `python3 dev.py python docs/incidents.py`.

Real processes on free ports of 127.0.0.1, a bounded load, a minute or so; then all of it has ended again. The pictures go to docs/pictures, and what
operations.md quotes is printed: what the terminal showed, what the metrics said, what was logged. Needs chromium, and for the third a Redis server.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp
from pictures.camera import camera
from pictures.stage import Server, nylas, sidecar, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine
    from typing import Any

    from pictures.camera import Camera
    from pictures.stage import Sidecar

LIMIT_S: Final = 150.0
"""After which all is ended, whatever has become of it."""

_WORKERS: Final = 8
_WORK_S: Final = 0.25
_LIMITED: Final = "v3_messages = { count = 60, per_s = 6.0 }\n"
"""In place of 200 a second, so that a few requests are a storm: a picture that is taken on a busy machine should not show how busy it is."""

_SCENARIO: Final = f"[limits]\n{_LIMITED}"
_OVERRIDE: Final = f"[limits.overrides]\n{_LIMITED}"
_STEADY_S: Final = 3.0
_SECOND_LINE_S: Final = 11.5
"""A burst of refusals is told at once and then every ten seconds."""


class Application:
    """What asks.

    Args:
        session: Carries it.

    Attributes:
        answers: How often each mailbox was answered with which status.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        self._session = session

    async def ask(self, proxy: Sidecar, mailbox: str, *, what: str = "messages", patience_s: float | None = None, cue: str = "") -> int:
        """Ask for something of a mailbox; returns the status."""
        fields = {"Authorization": "Bearer nyk_incidents"}
        fields |= {"X-Nylas-Proxy-Patience": str(patience_s)} if patience_s is not None else {}
        fields |= {"X-Simulator": cue} if cue else {}
        async with self._session.get(f"{proxy.url}/v3/grants/{mailbox}/{what}?limit=5", headers=fields) as answer:
            await answer.read()
        self.answers[mailbox, answer.status] += 1
        return answer.status

    async def greedily(self, proxy: Sidecar, mailbox: str, worker: int) -> None:
        """Work for a quarter of a second on each answer, whatever it is, then ask again: what each of many workers does."""
        await asyncio.sleep(worker * _WORK_S / _WORKERS)
        while True:
            await self.ask(proxy, mailbox)
            await asyncio.sleep(_WORK_S)

    async def politely(self, proxy: Sidecar, mailbox: str, every_s: float) -> None:
        """Ask at a steady pace."""
        while True:
            await self.ask(proxy, mailbox)
            await asyncio.sleep(every_s)

    def told(self) -> str:
        """Say who was answered what."""
        return "\n".join(f"{mailbox}: {times} x {status}" for (mailbox, status), times in sorted(self.answers.items()))


@contextlib.asynccontextmanager
async def application(*tasks: tuple[Any, ...]) -> AsyncIterator[Application]:
    """Have an application that does these things, each a method of it and its arguments, until the block ends."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        made = Application(session)
        going_on = [asyncio.create_task(_named(made, *task)) for task in tasks]
        try:
            yield made
        finally:
            for task in going_on:
                task.cancel()
            await asyncio.gather(*going_on, return_exceptions=True)


def _named(of: Application, method: str, *arguments: object) -> Coroutine[Any, Any, None]:
    doing: Coroutine[Any, Any, None] = getattr(of, method)(*arguments)
    return doing


async def storm(folder: Path, look: Camera) -> None:
    """Eight workers fetch one mailbox, 32 requests a second where it may be asked ten times; first nobody waits, then all do."""
    impatient, patient = "patience.default_s = 0\n", "patience.default_s = 10\n"
    async with nylas(folder, _SCENARIO) as upstream, sidecar(folder, upstream, impatient + _OVERRIDE) as proxy:
        polite = [("politely", proxy, f"imap-{name}", 0.25) for name in ("ann", "ben", "cleo")]
        async with application(*polite, *[("greedily", proxy, "imap-archive", worker) for worker in range(_WORKERS)]) as asking:
            await asyncio.sleep(_SECOND_LINE_S)
            await look.take(proxy.admin, "storm")
            await tell("1: refused", proxy, "requests_total", "refusals_total", "throttles_total")
            say("answers", asking.told())
            asking.answers.clear()
            proxy.file.write_text(proxy.file.read_text().replace(impatient, patient))
            proxy.process.send_signal(signal.SIGHUP)
            await until(lambda: proxy.logged("settings.reloaded"), "the settings were not read again")
            await until(lambda: len(_held(proxy)) >= _WORKERS, "nobody waited")
            await look.take(proxy.admin, "storm-waiting", proxy.comes_to_wait(_WORKERS))
            await tell("1: held", proxy, "holds_total", "hold_seconds", "queue_depth", "refusals_total", "throttles_total")
            say("answers", asking.told())
        say("log", *proxy.logged("requests.refused", "settings.reloaded", "window.opened"), *_some(proxy, '"status":429'), *_held(proxy)[-1:])
        say("simulator", await _counted(upstream))


async def exchange(folder: Path, look: Camera) -> None:
    """An Exchange server blocks two mailboxes for 20 minutes, and one for some seconds, so that the end is seen, too."""
    async with nylas(folder) as upstream, sidecar(folder, upstream) as proxy:
        polite = [("politely", proxy, f"ews-{name}", 0.2) for name in ("ann", "ben")]
        async with application(*polite) as asking:
            await asyncio.sleep(2)
            await asking.ask(proxy, "ews-erik", what="events", cue="throttle_s=1200")
            await asking.ask(proxy, "ews-fay", what="events", cue="throttle_s=1200; retry_after=0")
            for _ in range(4):
                await asking.ask(proxy, "ews-erik", what="events")
            await asking.ask(proxy, "ews-gus", what="events", patience_s=0, cue="throttle_s=8")
            patient = [asyncio.create_task(asking.ask(proxy, "ews-gus", what="events", patience_s=30)) for _ in range(4)]
            await asyncio.sleep(2)
            await look.take(proxy.admin, "exchange")
            await tell("2: closed", proxy, "windows_open", "window_seconds", "throttles_total", "holds_total", "refusals_total", "queue_depth")
            say("answers", asking.told())
            await asyncio.gather(*patient)
            await until(lambda: proxy.logged("window.closed"), "the window did not end")
            await tell("2: one is over", proxy, "windows_open", "holds_total", "hold_seconds")
            say("answers", asking.told())
        say("log", *proxy.logged("window.opened", "requests.refused", "window.closed"), *_some(proxy, '"route":"events"', 20))
        say("simulator", await _counted(upstream))


async def redis_away(folder: Path, look: Camera) -> None:
    """Two proxies lose the Redis that they share, and get it back."""
    (folder / "identity.key").write_bytes(b"an identity key of some length")
    async with Server(folder) as server, nylas(folder, _SCENARIO) as upstream:
        shared = f'redis.url = "redis://127.0.0.1:{server.port}/0"\nredis.replicas = 2\nidentity.key_file = "identity.key"\n{_OVERRIDE}'
        async with sidecar(folder, upstream, shared, "one") as one, sidecar(folder, upstream, shared, "two") as two:
            await _loses(server, one, two, look)
        say("log of one", *one.logged("ledger.state", "window.opened"))
        say("log of two", *two.logged("ledger.state", "window.opened", "requests.refused", "settings.warning"))
        say("simulator", await _counted(upstream))


async def _loses(server: Server, one: Sidecar, two: Sidecar, look: Camera) -> None:
    both = [("greedily", (one, two)[worker % 2], "imap-archive", worker) for worker in range(_WORKERS)]
    async with application(*both, ("politely", two, "imap-ann", 0.25)) as asking:
        await asking.ask(one, "ews-erik", what="events", patience_s=0, cue="throttle_s=1200")
        await asking.ask(two, "ews-erik", what="events")
        await asyncio.sleep(_STEADY_S)
        await tell("3: shared", two, "ledger_state", "ledger_seconds", "windows_open")
        await server.end()
        await until(lambda: _ledger(one) == _ledger(two) == "local-safe", "Redis was not missed")
        await asyncio.sleep(_STEADY_S)
        asking.answers.clear()
        await asking.ask(two, "ews-erik", what="events")
        await look.take(two.admin, "redis-away", two.comes_to_wait(_WORKERS // 2))
        await tell("3: away", two, "ledger_state", "windows_open", "refusals_total", "throttles_total", "hold_seconds")
        say("/readyz", await two.told("/readyz"))
        say("answers while it is away", asking.told())
        await asyncio.sleep(_STEADY_S)
        await server.start()
        await until(lambda: _ledger(one) == _ledger(two) == "shared", "Redis was not found again")
        await asyncio.sleep(_STEADY_S)
        await tell("3: back", two, "ledger_state", "throttles_total", "refusals_total")
        say("/readyz", await two.told("/readyz"))


def _ledger(proxy: Sidecar) -> str:
    states = [json.loads(line)["state"] for line in proxy.logged("ledger.state")]
    return states[-1] if states else "shared"


def _some(proxy: Sidecar, part: str, count: int = 1) -> list[str]:
    return [line for line in proxy.logged("request") if part in line][-count:]


def _held(proxy: Sidecar) -> list[str]:
    return [line for line in proxy.logged("request") if json.loads(line)["waited_ms"]]


async def _counted(upstream: str) -> str:
    """Say what the simulated Nylas counted."""
    async with aiohttp.ClientSession() as session, session.get(f"{upstream}/__simulator/limits") as answer:
        told = await answer.json()
    messages = told["limits"]["v3_messages"]
    return f"passed {told['passed']}, refused {told['refused']}, knocks at closed windows {told['early']}; v3_messages: {json.dumps(messages)}"


async def tell(when: str, proxy: Sidecar, *metrics: str) -> None:
    """Print what the terminal and the metrics say now."""
    say(f"{when}: terminal", await proxy.terminal())
    say(f"{when}: metrics", *await proxy.metrics(*metrics))


def say(what: str, *lines: str) -> None:
    """Print something under a heading."""
    sys.stdout.write(f"\n--- {what}\n" + "".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


async def main(names: list[str]) -> None:
    """Play the incidents of these names, or all."""
    with tempfile.TemporaryDirectory() as folder:
        async with asyncio.timeout(LIMIT_S), camera(Path(folder)) as look:
            for play in (storm, exchange, redis_away):
                if not names or play.__name__ in names:
                    await play(Path(folder), look)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
