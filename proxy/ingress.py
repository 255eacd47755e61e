"""From the wire to the pipeline and back: who asks, what is answered without upstream, what becomes of a caller that leaves."""

from __future__ import annotations

import asyncio
import itertools
import re
import secrets
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.clients import problem_of
from proxy.core.decide import finishes_without_caller
from proxy.core.identify import collapse_leading_slashes, identify
from proxy.core.model import Api, Cause, Origin, Problem
from proxy.core.normalise import problem_answer
from proxy.egress import REASONS, own_fields, waiting_fields, without_ours
from proxy.errand import Errand
from proxy.record import LEFT, Ending, request_ended
from proxy.result import Told
from proxy.wire.framing import NO_BODY
from proxy.wire.head import Refusal
from proxy.wire.replay import KeptMemory, Replay

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.clients import ClientSecret
    from proxy.core.catalogue import Catalogue
    from proxy.core.handbook import Handbook
    from proxy.core.model import ErrorAnswer, RequestContext, Verdict
    from proxy.pipeline import Pipeline
    from proxy.result import Relay
    from proxy.telemetry.observers import Observers
    from proxy.wire.exchange import Exchange
    from proxy.wire.framing import Framing

_EMPTY_PUT: Final = Problem(400, Cause.EMPTY_PUT_BODY, "Empty request body")
_SHUTTING_DOWN: Final = Problem(503, Cause.SHUTTING_DOWN, "this proxy is shutting down", retry_after_s=1.0)
_BUG: Final = Problem(500, Cause.PROXY_BUG, "this proxy failed on the request; its log says more")
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")


class RequestRules(NamedTuple):
    """What is asked of requests, and done about their bodies.

    Attributes:
        secret: What all must show.
        refuse_empty_put: Whether a v2 PUT without a body is refused.
        replay_max_bytes: Up to which length a body is kept.
        kept: What all kept ones may take.
    """

    secret: ClientSecret
    refuse_empty_put: bool
    replay_max_bytes: int
    kept: KeptMemory

    def cap_for(self, framing: Framing) -> int:
        """Return how much of a body to keep; nothing of one that is known to be too long."""
        return self.replay_max_bytes if framing.length_bytes <= self.replay_max_bytes else 0


class Ingress:
    """Takes each request of the wire and answers it.

    Attributes:
        running: The requests at hand.
    """

    def __init__(
        self, pipeline: Pipeline, catalogue: Catalogue, handbook: Handbook, observers: Observers, public_hosts: Mapping[Api, str], rules: RequestRules
    ) -> None:
        self._pipeline = pipeline
        self._catalogue = catalogue
        self._handbook = handbook
        self._observers = observers
        self._public_hosts = public_hosts
        self._rules = rules
        self.running: dict[Exchange, asyncio.Task[None]] = {}
        self._id_prefix = secrets.token_hex(6)
        self._ids = itertools.count(1)
        self._loop = asyncio.get_running_loop()

    def handle(self, exchange: Exchange) -> None:
        """Answer one request; its turn has come."""
        if exchange.head is None:
            self._refuse(exchange)
            return
        self.running[exchange] = self._loop.create_task(self._serve(exchange))

    async def wait_idle(self, timeout_s: float) -> None:
        """Wait for requests at hand, also those whose callers have left."""
        if self.running:
            await asyncio.wait(list(self.running.values()), timeout=timeout_s)

    async def refuse_running(self) -> None:
        """End what is not over: the time for draining is."""
        tasks = list(self.running.values())
        for exchange, task in list(self.running.items()):
            if exchange.answering:
                exchange.cut_off()
                continue
            task.cancel()
            if not exchange.gone and exchange.head is not None:
                exchange.closes = True
                self._tell_problem(exchange, self._context(exchange), _SHUTTING_DOWN)
        if tasks:
            await asyncio.wait(tasks)

    async def _serve(self, exchange: Exchange) -> None:
        assert exchange.head is not None  # noqa: S101 - `handle` sees to it
        context = self._context(exchange)
        try:
            is_v2_put = context.method == "PUT" and context.route.api is Api.V2
            client_s, problem = 0.0, self._rules.secret.problem_of(exchange.head)
            if problem is not None:
                exchange.closes = True  # before its body is read
            elif is_v2_put and self._rules.refuse_empty_put:
                client_s, problem = await self._empty_put(exchange)
            if problem is not None:
                self._tell_problem(exchange, context, problem)
            elif context.route.hosted_auth and context.method in {"GET", "HEAD"}:
                self._redirect(exchange, context)
            else:
                await self._forward(exchange, context, client_s)
        except asyncio.CancelledError:
            if not exchange.gone and not exchange.answering:
                raise
        except Exception as bug:  # noqa: BLE001 - whatever it is, the caller gets an error in the one shape and the operator a traceback
            self._observers.log.bug(bug, context.request_id)
            if exchange.answering:
                exchange.cut_off()
            else:
                self._tell_problem(exchange, context, _BUG)
        finally:
            del self.running[exchange]

    async def _forward(self, exchange: Exchange, context: RequestContext, client_s: float) -> None:
        assert exchange.head is not None  # noqa: S101 - `handle` sees to it
        if exchange.gone:  # it left before its turn came
            self._record(exchange, context, None, LEFT)
            return
        errand = Errand(context, exchange.head, exchange.body, exchange.inform)
        errand.client_s = client_s
        if self._observers.keeps_steps:
            errand.steps = []
        if errand.has_body:
            errand.replay = Replay(exchange.body, self._rules.kept, self._rules.cap_for(exchange.head.framing))
        exchange.on_gone = lambda: self._caller_left(exchange, errand)
        try:
            await self._answer(exchange, context, errand)
        finally:
            self._pipeline.leave(errand)

    async def _answer(self, exchange: Exchange, context: RequestContext, errand: Errand) -> None:
        try:
            result = await self._pipeline.run(errand)
        except asyncio.CancelledError:
            if exchange.gone:
                self._record(exchange, context, errand, LEFT)
            raise
        errand.let_go()
        broken_by = exchange.body.broken
        if isinstance(result, Told) and isinstance(broken_by, Refusal):
            self._tell_problem(exchange, context, problem_of(broken_by), errand)
        elif isinstance(result, Told) and broken_by is not None:
            self._record(exchange, context, errand, LEFT)  # the caller left in the middle of its upload: there is nobody to tell
        elif isinstance(result, Told):
            self._tell(exchange, result.answer, errand, result.reason)
            told_id = next((value for name, value in result.answer.fields if name.lower() == b"x-request-id"), b"")
            verdict, normalised = (result.origin, result.cause), result.detail is None
            self._record(exchange, context, errand, Ending(result.answer.status, verdict, told_id, result.detail, normalised))
        else:
            self._relay(exchange, context, errand, result)
            if not exchange.finished:
                await exchange.wait_finished()
            head = result.response.head
            self._record(exchange, context, errand, Ending(head.status, _pair(result.verdict), head.index.get(b"x-request-id", b"")))

    def _caller_left(self, exchange: Exchange, errand: Errand) -> None:
        """Cancel the call, unless all of a request has left that upstream carries out anyway."""
        errand.abandoned = True
        if errand.sent and errand.body.ended and finishes_without_caller(errand.context):
            return
        if errand.response is not None:
            errand.response.abandon()
        else:
            self.running[exchange].cancel()

    async def _empty_put(self, exchange: Exchange) -> tuple[float, Problem | None]:
        """Nylas v2 answers 400 to a PUT without a body; that needs no call (its documentation of errors says so). Tells how long the caller took."""
        began_at = time.monotonic()
        await exchange.body.wait_for_first()
        is_empty = exchange.body.ended and exchange.body.received_bytes == 0
        return time.monotonic() - began_at, _EMPTY_PUT if is_empty else None

    def _context(self, exchange: Exchange) -> RequestContext:
        head = exchange.head
        assert head is not None  # noqa: S101 - callers see to it
        request_id = head.index.get(b"x-request-id")
        own_id = request_id.decode("ascii") if request_id is not None and _REQUEST_ID.fullmatch(request_id) else self._next_id()
        target = collapse_leading_slashes(head.target)
        return identify(self._catalogue, head.method.decode("ascii"), target, own_id, callers_key=b"idempotency-key" in head.index)

    def _next_id(self) -> str:
        return f"{self._id_prefix}-{next(self._ids):x}"

    def _refuse(self, exchange: Exchange) -> None:
        assert exchange.refusal is not None  # noqa: S101 - an exchange without a head has one
        self._tell_problem(exchange, None, problem_of(exchange.refusal))

    def _tell_problem(self, exchange: Exchange, context: RequestContext | None, problem: Problem, errand: Errand | None = None) -> None:
        request_id = self._next_id() if context is None else context.request_id
        attempts = 0 if errand is None else errand.attempts
        answer = problem_answer(problem, context, handbook=self._handbook, request_id=request_id, attempts=attempts, now=time.time())
        self._tell(exchange, answer, errand)
        ending = Ending(problem.status, (problem.origin, problem.cause), request_id.encode(), problem.message)
        self._record(exchange, context, errand, ending)

    def _tell(self, exchange: Exchange, answer: ErrorAnswer, errand: Errand | None, reason: bytes = b"") -> None:
        body = b"" if exchange.head is not None and exchange.head.method == b"HEAD" else answer.body
        fields = [*answer.fields, *waiting_fields(errand)]
        exchange.answer(answer.status, reason or REASONS.get(answer.status, b""), fields, NO_BODY, body)

    def _redirect(self, exchange: Exchange, context: RequestContext) -> None:
        """Hosted authentication happens in a browser, which must not need this proxy: send it to the public host."""
        location = self._public_hosts[context.route.api].encode() + context.target
        fields = [(b"Location", location), (b"Content-Length", b"0"), *own_fields(context.request_id, None, None)]
        exchange.answer(302, REASONS[302], fields, NO_BODY, b"")
        self._record(exchange, context, None, Ending(302))

    def _relay(self, exchange: Exchange, context: RequestContext, errand: Errand, relay: Relay) -> None:
        head = relay.response.head
        fields = without_ours(head)
        request_id = None if b"x-request-id" in head.index else context.request_id
        fields += own_fields(request_id, errand, _pair(relay.verdict))
        exchange.answer(head.status, head.reason, fields, head.framing, relay.response.body)

    def _record(self, exchange: Exchange, context: RequestContext | None, errand: Errand | None, ending: Ending) -> None:
        """One record per request, when it is over, under the id that the caller was told."""
        self._observers.tell(request_ended(exchange, context, errand, ending))


def _pair(verdict: Verdict | None) -> tuple[Origin, Cause] | None:
    return None if verdict is None else (verdict.origin, verdict.cause)
