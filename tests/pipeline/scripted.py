"""An upstream that plays a script, and everything before it as the settings make it; all in the loop's time, which tests fast-forward."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args
from unittest.mock import Mock, patch

from builders import a_context, the_catalogue, the_classifier, the_handbook
from secrecy.collected import keep_error, keep_told

from proxy import gate as gates
from proxy.core.decide import RetryPolicy
from proxy.core.events import Event
from proxy.core.model import Cause
from proxy.core.normalise import MAY_HAVE_HAPPENED, MAY_HAVE_HAPPENED_UNDER_KEY
from proxy.core.outcome import TransportFailure
from proxy.core.retry_budget import RetryBudget
from proxy.egress import own_fields, waiting_fields
from proxy.errand import Errand
from proxy.patience import Patience, PatienceLimits
from proxy.pipeline import Knowledge, Pipeline
from proxy.result import Relay, Told
from proxy.settings import Settings
from proxy.telemetry.observers import Observers
from proxy.trip import Retrying
from proxy.wire.body import Body
from proxy.wire.call import Response
from proxy.wire.framing import Framing
from proxy.wire.head import RequestHead, ResponseHead
from proxy.wire.replay import KeptMemory, Replay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from proxy.wire.head import Field

READ, SEND, EVENTS = b"/v3/grants/ada/messages/m1", b"/v3/grants/ada/messages/send", b"/v3/grants/ada/events"
_KEPT_MAX_BYTES: Final = 1_000_000
_LONG_S: Final = 200_000.0
_JSON: Final = (b"Content-Type", b"application/json")


@dataclass(frozen=True)
class Says:
    """An answer: its head after `takes_s`, its body after `body_s` more."""

    status: int = 200
    body: Any = None
    fields: tuple[Field, ...] = ()
    takes_s: float = 0.0
    body_s: float = 0.0


@dataclass(frozen=True)
class Fails:
    """No answer."""

    cause: Cause = Cause.UPSTREAM_BROKE_OFF
    sent: bool = True
    stale: bool = False
    takes_s: float = 0.0


@dataclass(frozen=True)
class Crashes:
    """A bug in the proxy."""


class Attempt(NamedTuple):
    """A call as upstream saw it: when, in seconds since the test began, what, under which key of ours, with which body."""

    at_s: float
    target: bytes
    key: str
    body: bytes


class ScriptedUpstream:
    """Plays a script, one step for each attempt; then it says 200. What `known` says of a target is said whenever that is asked for."""

    def __init__(self, *script: Says | Fails | Crashes, connect_s: float = 0.0) -> None:
        self._loop = asyncio.get_running_loop()
        self._began_at = self._loop.time()
        self.script, self.connect_s = list(script), connect_s
        self.attempts: list[Attempt] = []
        self.known: dict[bytes, Says | Fails | Crashes] = {}
        self.abandoned = 0

    @property
    def times_s(self) -> list[float]:
        return [attempt.at_s for attempt in self.attempts]

    async def attempt(self, errand: Errand, on_leaving: Callable[[Errand], None]) -> Response | TransportFailure:
        await asyncio.sleep(self.connect_s)
        step = self.known.get(errand.context.target) or (self.script.pop(0) if self.script else Says())
        body = (errand.replay or errand.body).take()
        self.attempts.append(Attempt(round(self._loop.time() - self._began_at, 3), errand.context.target, errand.key, body))
        if isinstance(step, Crashes):
            raise RuntimeError("a bug")  # noqa: TRY004 - what the step is for
        if isinstance(step, Says) or step.sent:
            on_leaving(errand)
            errand.sent = True
        await asyncio.sleep(step.takes_s)
        if isinstance(step, Fails):
            return TransportFailure(step.cause, "it failed", sent=step.sent, stale=step.stale)
        return self._response(step)

    def _response(self, step: Says) -> Response:
        data = step.body if isinstance(step.body, bytes) else json.dumps({} if step.body is None else step.body).encode()
        head = ResponseHead(step.status, b"", is_http_10=False, fields=[(name.lower(), name, value) for name, value in (_JSON, *step.fields)])
        head.framing = Framing(len(data))
        body = Body(Mock())
        self._loop.call_later(step.body_s, _complete, body, data) if step.body_s else _complete(body, data)
        return Response(head, body, self._abandon)

    def _abandon(self) -> None:
        self.abandoned += 1


def _complete(body: Body, data: bytes) -> None:
    if data:
        body.feed(data)
    body.end([])


class Heard(NamedTuple):
    """What the caller got."""

    status: int
    fields: tuple[Field, ...]
    body: Any

    @property
    def proxy(self) -> dict[str, Any]:
        """The object in which the proxy says what it makes of an error."""
        return dict(self.body["proxy"])

    @property
    def in_doubt(self) -> bool:
        """The caller was told that the request may have been carried out."""
        return str(self.proxy["solution"]).startswith((MAY_HAVE_HAPPENED, MAY_HAVE_HAPPENED_UNDER_KEY))

    def field(self, name: bytes) -> bytes | None:
        return next((value for known, value in self.fields if known.lower() == name.lower()), None)


class Way:
    """The whole way of requests, from admission to a scripted upstream."""

    def __init__(self, settings: Settings, upstream: ScriptedUpstream, roll: float) -> None:
        loop = asyncio.get_running_loop()
        self.upstream, self.log, self.told = upstream, Mock(), list[Any]()
        self.observers = Observers(self.log)
        self.observers.add(dict.fromkeys(get_args(Event), self.told.append))
        with patch.object(gates, "now_us", lambda: round(loop.time() * 1e6)):
            self.gate = gates.make_gate(settings, the_catalogue(), self.observers)
        self.admission, self.turnstile = self.gate.admission, self.gate.admission._turnstile
        self.book = self.admission._ledger.book
        self.kept = KeptMemory(_KEPT_MAX_BYTES)
        patience = Patience(PatienceLimits(settings.patience.default_s, settings.patience.max_s, settings.patience.client_timeout_s))
        retry = settings.retry
        policy, budget = RetryPolicy(retry.max_attempts, retry.initial_s, retry.cap_s), RetryBudget(retry.budget_ratio, loop.time())
        retrying = Retrying(policy, budget, retry.idempotency_keys, lambda: roll, loop.time)
        knowledge = Knowledge(the_classifier(), the_handbook(), _KEPT_MAX_BYTES)
        self.pipeline = Pipeline(self.admission, upstream, knowledge, patience, retrying, self.observers.tell)  # type: ignore[arg-type]
        self.gate.discover(self.pipeline)

    def errand(self, target: bytes, method: str = "GET", body: bytes = b"", **fields: str) -> Errand:
        """A request; `patience="0"` is X-Nylas-Proxy-Patience, `retry` and `errors` likewise, other names are fields as they are."""
        own = {"patience", "retry", "errors"}
        named = [(("x-nylas-proxy-" if name in own else "") + name.replace("_", "-"), value) for name, value in fields.items()]
        head = RequestHead(method.encode(), target, is_http_10=False, fields=[(name.encode(),) * 2 + (value.encode(),) for name, value in named])
        head.framing = Framing(len(body))
        incoming = Body(Mock())
        _complete(incoming, body)
        errand = Errand(a_context(target, method, callers_key=b"idempotency-key" in head.index), head, incoming, lambda _head: None)
        if body:
            errand.replay = Replay(incoming, self.kept, _KEPT_MAX_BYTES)
        return errand

    async def ask(self, target: bytes, method: str = "GET", body: bytes = b"", **fields: str) -> Heard:
        """Bring a request to its end, the body of its answer included, as the listener does."""
        errand = self.errand(target, method, body, **fields)
        try:
            return await _heard(errand, await self.pipeline.run(errand))
        finally:
            self.pipeline.leave(errand)

    def start(self, target: bytes, method: str = "GET", body: bytes = b"", **fields: str) -> asyncio.Task[Heard]:
        return asyncio.get_running_loop().create_task(self.ask(target, method, body, **fields))

    def leases(self) -> int:
        return sum(map(len, self.book.leases.values()))

    def booked(self, limit: str) -> int:
        """The units that stand in the logs of a limit."""
        return sum(entry[2] for key, log in self.book.logs.items() if key.startswith(f"{limit}:") for entry in log.entries())

    async def assert_nothing_leaks(self) -> None:
        assert self.turnstile.waiting == (0, 0)
        assert not self.turnstile._lines
        assert not self.turnstile._lines._rows
        assert self.book.leases == {}
        assert self.admission._in_flight == set()
        assert self.kept.used_bytes == 0
        await asyncio.sleep(_LONG_S)
        self.gate.sweep(0.0)
        assert self.book.logs == {}
        assert (self.turnstile._metronomes._ramps, self.turnstile._metronomes._limiters) == ({}, {})
        assert self.book.windows == {}


async def _heard(errand: Errand, result: Relay | Told) -> Heard:
    if isinstance(result, Told):
        keep_error(result.origin, result.answer.body)
        return Heard(result.answer.status, (*result.answer.fields, *waiting_fields(errand)), json.loads(result.answer.body))
    head, verdict = result.response.head, result.verdict
    data, _ = await result.response.body.read(_KEPT_MAX_BYTES)
    fields = own_fields(errand.context.request_id, errand, (verdict.origin, verdict.cause) if verdict else None)
    return Heard(head.status, (*head.end_to_end(), *fields), json.loads(data))


@contextlib.asynccontextmanager
async def a_way(*script: Says | Fails | Crashes, settings: Settings | None = None, roll: float = 0.0, connect_s: float = 0.0) -> AsyncIterator[Way]:
    """The way through a scripted upstream; in the end nothing may be left of what went along it."""
    way = Way(settings or Settings(), ScriptedUpstream(*script, connect_s=connect_s), roll)
    yield way
    keep_told([*way.told, *way.log.mock_calls])
    await way.assert_nothing_leaks()


async def soon() -> None:
    """Until all have gone as far as they can now."""
    for _ in range(20):
        await asyncio.sleep(0)


def nylas_error(status: int, kind: str, message: str = "it did not work", *fields: Field, takes_s: float = 0.0, body_s: float = 0.0) -> Says:
    return Says(status, {"request_id": "r", "error": {"type": kind, "message": message}}, fields, takes_s, body_s)


def exchange_throttle(*fields: Field, body_s: float = 0.0) -> Says:
    message = "The Exchange account has been throttled or sync has been temporarily paused"
    return nylas_error(429, "rate_limit_error", message, *fields, body_s=body_s)


def nylas_429(*fields: Field) -> Says:
    return nylas_error(429, "nylas_rate_limit_exceeded", "slow down", *fields)


def daily_quota() -> Says:
    return nylas_error(429, "quota_exceeded_error", "Daily sending quota exceeded")
