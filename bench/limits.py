"""What the proxy exists for, against a simulated Nylas that keeps its limits: `.venv/bin/python bench/limits.py [NAME...]`.

Each scenario starts a fresh simulator and proxy as processes of their own, sends a bounded load, asks the simulator what it saw, and prints a row.
The simulator judges by its own arrival clock and an exact sliding log. All of it takes some two minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

HEADERS = {"Authorization": "Bearer nyk_bench", "X-Nylas-Proxy-Patience": "60"}


class Rig(NamedTuple):
    """A simulator and a proxy before it."""

    session: aiohttp.ClientSession
    proxy_url: str
    simulator_url: str

    async def report(self, name: str) -> dict[str, Any]:
        """Return what the simulator has noted."""
        async with self.session.get(f"{self.simulator_url}/__simulator/{name}") as answer:
            told: dict[str, Any] = await answer.json()
            return told

    async def call(self, method: str, path: str, **more: Any) -> tuple[int, float, dict[str, Any] | None, float]:  # noqa: ANN401 - as aiohttp takes them
        """Return the status, the time it took, an error's `proxy` object, and how long it says that it waited."""
        started_at = time.monotonic()
        headers = {**HEADERS, **more.pop("headers", {})}
        async with self.session.request(method, self.proxy_url + path, headers=headers, **more) as answer:
            body = await answer.read()
            told = json.loads(body).get("proxy") if answer.status >= 400 else None
            return answer.status, time.monotonic() - started_at, told, float(answer.headers["X-Nylas-Proxy-Waited"])


@contextlib.asynccontextmanager
async def process(ready: Callable[[str], str | None], *words: str) -> AsyncIterator[str]:
    """Run `nylas-proxy WORDS`; give what `ready` makes of its first telling line."""
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "proxy", *words, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    try:
        told = None
        while told is None:
            line = (await child.stdout.readline()).decode()
            if not line:
                raise RuntimeError(f"{words[0]} ended before it listened")
            told = ready(line)
        drained = asyncio.create_task(_drain(child.stdout))
        yield told
        drained.cancel()
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass


def _simulator_url(line: str) -> str | None:
    return line.rsplit(maxsplit=1)[-1] if line.startswith("simulator listening on") else None


def _proxy_url(line: str) -> str | None:
    event = json.loads(line)
    return f"http://127.0.0.1:{event['port']}" if event["event"] == "proxy.listening" else None


@contextlib.asynccontextmanager
async def rig(scenario: str = "", settings: str = "") -> AsyncIterator[Rig]:
    """Start both; `scenario` and `settings` are TOML."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "scenario.toml").write_text(scenario)
        simulate = process(_simulator_url, "simulate", "--port", "0", "--limits", "--scenario", str(folder / "scenario.toml"))
        async with simulate as simulator_url, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            own = f'listen.port = 0\nadmin.port = 0\nlog.format = "json"\nupstream.v3_url = "{simulator_url}"\nupstream.v2_url = "{simulator_url}"\n'
            (folder / "proxy.toml").write_text(own + settings)
            async with process(_proxy_url, "serve", "--config", str(folder / "proxy.toml")) as proxy_url:
                yield Rig(session, proxy_url, simulator_url)


async def all_at_once(calls: list[Awaitable[tuple[int, float, dict[str, Any] | None, float]]]) -> tuple[Counter[int], float]:
    started_at = time.monotonic()
    answers = await asyncio.gather(*calls)
    return Counter(status for status, *_ in answers), time.monotonic() - started_at


def refused(report: dict[str, Any]) -> int:
    return int(report["refused"])


async def burst() -> str:
    """1,000 GETs at once on one grant, limit 200 a second; best possible 4.0 s."""
    async with rig() as r:
        statuses, took_s = await all_at_once([r.call("GET", "/v3/grants/nylas-burst/messages") for _ in range(1000)])
        arrived = [arrival["arrived_s"] for arrival in (await r.report("arrivals"))["arrivals"] if "burst" in arrival["target"]]
        span_s = arrived[-1] - arrived[0]
        told = f"{took_s:.2f} s ({took_s / 4.0:.2f} of the best), {span_s:.2f} s from the first arrival to the last"
        return f"{dict(statuses)}, {told}, refused upstream: {refused(await r.report('limits'))}"


async def application() -> str:
    """400 requests over 8 grants against the application's 50 a second; best possible 7.0 s."""
    async with rig() as r:
        statuses, took_s = await all_at_once([r.call("GET", f"/v3/grants/g{number % 8}") for number in range(400)])
        return f"{dict(statuses)}, {took_s:.2f} s ({7.0 / took_s:.0%} of the best), refused upstream: {refused(await r.report('limits'))}"


async def gmail() -> str:
    """Gets (5 units) and sends (100) against Gmail's 250 units a second: 1,500 units, best possible 5.0 s."""
    settings = "[providers.known]\n" + "".join(f'g{number} = "google"\n' for number in range(1))
    async with rig(settings=settings) as r:
        gets = [r.call("GET", f"/v3/grants/g0/messages/message-{1 + number % 3}") for number in range(100)]
        sends = [r.call("POST", "/v3/grants/g0/messages/send", json={"subject": f"s{number}", "to": [{"email": "a@b.c"}]}) for number in range(10)]
        statuses, took_s = await all_at_once([*gets[:50], *sends, *gets[50:]])
        return f"{dict(statuses)}, {took_s:.2f} s ({5.0 / took_s:.0%} of the best), refused upstream: {refused(await r.report('limits'))}"


async def exchange() -> str:
    """An Exchange window of 8 s under steady load, five other grants beside it."""
    rule = '[[rule]]\nmethod = "GET"\npath = "/v3/grants/ews-a/messages"\ncount = 1\nthrottle_s = 8\n'
    async with rig(rule) as r:
        latencies: list[float] = []
        statuses: Counter[int] = Counter()

        async def steady(grant: str) -> None:
            for _ in range(100):
                status, took_s, _, _ = await r.call("GET", f"/v3/grants/{grant}/messages", headers={"X-Nylas-Proxy-Patience": "0"})
                if grant == "ews-a":
                    statuses[status] += 1
                else:
                    latencies.append(took_s)
                await asyncio.sleep(0.1)

        await asyncio.gather(steady("ews-a"), *(steady(f"microsoft-{number}") for number in range(5)))
        report = await r.report("limits")
        knocks = [knock["after_told_s"] for window in report["windows"] for knock in window["knocks"]]
        p99_ms = statistics.quantiles(latencies, n=100)[98] * 1e3
        return f"the mailbox: {dict(statuses)}; knocks inside: {len(knocks)} {knocks}; others' p99 {p99_ms:.1f} ms"


async def sends() -> str:
    """1,000 sends, 5 % dropped after acceptance, 5 % answered 503 or 504 by a gateway, done or not."""
    scenario = "seed = 7\n" + "".join(
        f'[[rule]]\nmethod = "POST"\npath = "/v3/grants/*/messages/send"\nshare = {share}\n{cue}\n'
        for share, cue in (
            (0.05, 'reset = "before_head"'),
            (0.02, "status = 503\nhtml = true\ndone = true"),
            (0.02, "status = 504\nhtml = true"),
            (0.01, "status = 503\nhtml = true"),
        )
    )
    async with rig(scenario, "[retry]\nbudget_ratio = 0.3\n") as r:
        async def send(number: int) -> tuple[int, float, dict[str, Any] | None, float]:
            mail = {"subject": f"mail {number}", "to": [{"email": "a@b.c"}]}
            return await r.call("POST", f"/v3/grants/nylas{number % 50}/messages/send", json=mail)

        answers: list[tuple[int, float, dict[str, Any] | None, float]] = []
        for start in range(0, 1000, 100):
            answers += await asyncio.gather(*(send(number) for number in range(start, start + 100)))
        report = await r.report("deliveries")
        statuses = Counter(status for status, *_ in answers)
        untold = [told for status, _, told, _ in answers if status >= 400 and not (told and "may have taken effect" in told["solution"])]
        delivered = f"delivered {report['delivered']}, duplicates {report['duplicates']}"
        return f"{dict(statuses)}; {delivered}; errors that do not say that it may have happened: {len(untold)}"


async def impatient() -> str:
    """Patience 0 against an exhausted limit."""
    async with rig() as r:
        await all_at_once([r.call("GET", "/v3/grants/nylas-p/messages") for _ in range(200)])
        status, took_s, told, waited_s = await r.call("GET", "/v3/grants/nylas-p/messages", headers={"X-Nylas-Proxy-Patience": "0"})
        assert told is not None
        why = f"{told['cause']}, scope {told['scope']}, retry_after_s {told['retry_after_s']}"
        return f"{status} after {took_s * 1e3:.1f} ms, waited {waited_s}, {why}"


async def fairness() -> str:
    """One greedy grant at ten times its share beside nine polite ones, under one application limit of 50 a second, for 10 s."""
    async with rig() as r:
        waits: dict[str, list[float]] = {}
        done: Counter[str] = Counter()
        asked: Counter[str] = Counter()

        async def one(grant: str) -> None:
            asked[grant] += 1
            status, took_s, _, _ = await r.call("GET", f"/v3/grants/{grant}")
            if status == 200:
                done[grant] += 1
                waits.setdefault(grant, []).append(took_s)

        async def at_rate(grant: str, per_s: float, tasks: list[asyncio.Task[None]]) -> None:
            for _ in range(int(10 * per_s)):
                tasks.append(asyncio.create_task(one(grant)))
                await asyncio.sleep(1 / per_s)

        tasks: list[asyncio.Task[None]] = []
        polite = [f"polite{number}" for number in range(9)]
        await asyncio.gather(at_rate("greedy", 50, tasks), *(at_rate(grant, 4.5, tasks) for grant in polite))
        in_time = {grant: done[grant] for grant in polite}
        p99_s = max(statistics.quantiles(waits[grant], n=100)[98] for grant in polite)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        least = min(in_time[grant] / asked[grant] for grant in polite)
        served = f"polite p99 {p99_s:.2f} s, least served polite {least:.0%}, greedy {done['greedy']} of {asked['greedy']}"
        return f"{served}; refused upstream: {refused(await r.report('limits'))}"


SCENARIOS: dict[str, Callable[[], Awaitable[str]]] = {
    scenario.__name__: scenario for scenario in (burst, application, gmail, exchange, sends, impatient, fairness)
}


async def main(names: list[str]) -> None:
    for name in names or SCENARIOS:
        print(f"{name}: {await SCENARIOS[name]()}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
