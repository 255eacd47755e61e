"""The way of a request: one loop, one back-edge."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, NamedTuple, assert_never

from proxy.core.decide import Again, Answer, Pass
from proxy.core.events import AttemptEnded, Retried
from proxy.core.model import Cause, Problem, Reply, Verdict
from proxy.core.normalise import entry_of, normalise, problem_answer
from proxy.core.outcome import THROTTLES, ErrorReply, TransportFailure, is_not_ready
from proxy.result import Reading, Relay, Told
from proxy.trip import Trip

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.admission import Admission
    from proxy.core.classify import Classifier
    from proxy.core.events import Event
    from proxy.core.handbook import Handbook
    from proxy.core.model import Fields
    from proxy.errand import Errand
    from proxy.patience import Patience
    from proxy.trip import Retrying
    from proxy.upstream import Upstream
    from proxy.wire.call import Response

_FIRST_ERROR_STATUS: Final = 400
_TOO_MANY_REQUESTS: Final = 429
_CALLER_LEFT: Final = "caller_left"
_BODY_BROKEN: Final = Problem(400, Cause.REQUEST_MALFORMED, "the request's body broke off")
_READABLE_CODINGS: Final = frozenset({b"", b"identity", b"gzip", b"x-gzip", b"deflate"})


class Knowledge(NamedTuple):
    """What errors are told apart and told by."""

    classifier: Classifier
    handbook: Handbook
    error_max_bytes: int


class Pipeline:
    """Admits, forwards, classifies, decides, normalises.

    Attributes:
        patience: How long requests may wait.
        retrying: How repetitions are made; may be replaced at any time.
    """

    def __init__(
        self, admission: Admission, upstream: Upstream, knowledge: Knowledge, patience: Patience, retrying: Retrying, tell: Callable[[Event], None]
    ) -> None:
        self._admission = admission
        self._upstream = upstream
        self._classifier, self._handbook, self._error_max_bytes = knowledge
        self.patience = patience
        self.retrying = retrying
        self._tell = tell
        self._loop = asyncio.get_running_loop()

    async def run(self, errand: Errand) -> Relay | Told:
        """Bring the request to upstream and say what to tell the caller. Whatever comes of it, `leave` is to be called when it is over."""
        ends_at = self.retrying.now_s() + self.patience.of(errand.head, errand.context.route)
        trip = Trip(errand, ends_at, self.retrying)
        while True:
            problem = await self._admission.enter(errand, trip.time_left_s())
            if problem is None and errand.body.broken is not None:
                problem = _BODY_BROKEN  # while it waited
            if problem is not None:
                return self._told_problem(errand, trip.with_doubt(problem))
            done = await self._attempt(errand, trip)
            if done is not None:
                return done

    def leave(self, errand: Errand) -> None:
        """The request is over, its answer told or its caller gone: nothing is held for it any more."""
        self._admission.leave(errand, succeeded=False)
        errand.let_go()

    async def _attempt(self, errand: Errand, trip: Trip) -> Relay | Told | None:
        """Ask upstream once; None where it is to be asked again, after the wait for that."""
        errand.attempts += 1
        if errand.attempts == 1:
            self.retrying.budget.deposit()
        outcome, upstream_s = await self._sent(errand)
        if isinstance(outcome, TransportFailure):
            self._admission.leave(errand, succeeded=False)
            return await self._after_failure(errand, trip, outcome)
        self.patience.note(errand.context.route, upstream_s)
        errand.response = outcome
        self._admission.answered(errand, outcome.head)
        if outcome.head.status < _FIRST_ERROR_STATUS and not self._is_not_ready(errand, outcome):
            self._admission.probed(errand)
            return Relay(outcome, None)
        return await self._after_error(errand, trip, outcome)

    async def _sent(self, errand: Errand) -> tuple[Response | TransportFailure, float]:
        """Make one attempt; return what came of it, and how long that took."""
        started_at, outcome = time.monotonic(), None
        try:
            outcome = await self._upstream.attempt(errand, self._admission.left)
        finally:
            upstream_s = self._note_attempt(errand, started_at, outcome)
        return outcome, upstream_s

    def _note_attempt(self, errand: Errand, started_at: float, outcome: Response | TransportFailure | None) -> float:
        ended_at = time.monotonic()
        errand.upstream_s += (upstream_s := ended_at - started_at)
        status = 0
        failure: str | None = None
        if isinstance(outcome, TransportFailure):
            failure = outcome.cause
        elif outcome is not None:
            status = outcome.head.status
        else:
            failure = _CALLER_LEFT
        self._tell(AttemptEnded(errand.context.route, status, failure, upstream_s))
        errand.note("attempt", started_at, ended_at, failure or str(status))
        return upstream_s

    async def _after_failure(self, errand: Errand, trip: Trip, failure: TransportFailure) -> Told | None:
        match trip.decide(failure, held_s=None):
            case Again() as again:
                await self._pause(errand, trip, again, failure.cause)
                return None
            case Answer(problem):
                return self._told_problem(errand, problem)
            case Pass():
                raise RuntimeError("a failure has no answer to pass on")
            case unreachable:
                assert_never(unreachable)

    async def _after_error(self, errand: Errand, trip: Trip, response: Response) -> Relay | Told | None:
        reading = await self._read(errand, response)
        succeeded = not reading.closes and reading.verdict.cause not in THROTTLES
        if succeeded:
            self._admission.probed(errand)
        match trip.decide(reading.outcome, held_s=reading.held_s):
            case Again() as again:
                self._admission.leave(errand, succeeded=succeeded)
                response.abandon()  # an upload that it answered early ends with it
                errand.response = None
                await self._pause(errand, trip, again, reading.verdict.cause)
                return None
            case Pass(may_have_happened):
                if not reading.untouched:  # else its body is still to come: whoever relays it leaves
                    self._admission.leave(errand, succeeded=succeeded)
                return self._told_error(errand, response, reading, may_have_happened=may_have_happened)
            case Answer():
                raise RuntimeError("an error of upstream is passed on")
            case unreachable:
                assert_never(unreachable)

    async def _read(self, errand: Errand, response: Response) -> Reading:
        """Read, judge, and close the doors that the answer names."""
        head, context = response.head, errand.context
        fields = tuple(head.end_to_end())
        untouched = errand.raw_errors or context.method == "HEAD" or head.index.get(b"content-encoding", b"").lower() not in _READABLE_CODINGS
        untouched |= head.status < _FIRST_ERROR_STATUS
        reply = Reply(head.status, fields, b"")
        if not untouched:
            reply = await self._read_body(errand, response, fields)
        replayed = head.index.get(b"idempotent-response", b"").lower() == b"true"
        verdict = self._classifier.classify(reply, context, now=time.time())
        # What answers an earlier request says nothing about now.
        closed_s = None if replayed else self._admission.throttled(errand, verdict, head.status, self.retrying.roll())
        if closed_s is not None:
            await self._admission.announced()  # before the caller knows, who may come again by another way
            verdict = Verdict(verdict.cause, verdict.origin, closed_s)
        outcome = ErrorReply(
            head.status,
            verdict,
            retryable=self._handbook.retryable(entry_of(reply, context, verdict, self._handbook)),
            by_nylas=b"json" in head.index.get(b"content-type", b""),
            replayed=replayed,
        )
        return Reading(reply, verdict, outcome, closed_s if self._admission.enforces else None, closed_s is not None, untouched)

    async def _read_body(self, errand: Errand, response: Response, fields: Fields) -> Reply:
        """Read an error. While more of a throttling one is on its way nobody else of the mailbox goes: it will say for how long."""
        resume = self._admission.suspend(errand) if response.head.status == _TOO_MANY_REQUESTS and not response.body.ended else None
        started_at = time.monotonic()
        try:
            body, cut = await response.body.read(self._error_max_bytes)
        finally:
            errand.upstream_s += time.monotonic() - started_at
            if resume is not None:
                self._loop.call_soon(resume)  # when what it meant has been booked
        if cut:
            response.abandon()
        return Reply(response.head.status, fields, body, cut)

    def _is_not_ready(self, errand: Errand, response: Response) -> bool:
        return is_not_ready(response.head.status, errand.context, errand.head.index.get(b"accept", b""))

    async def _pause(self, errand: Errand, trip: Trip, again: Again, cause: Cause) -> None:
        """Wait for the backoff; a caller who leaves meanwhile leaves at once."""
        errand.sent = False
        trip.note(again)
        self._tell(Retried(errand.context.route, cause, again.wait_s, again.counts))
        if again.wait_s:
            began_at, began_s = time.monotonic(), self._loop.time()
            try:
                await asyncio.sleep(again.wait_s)
            finally:
                errand.waited_s += min(again.wait_s, self._loop.time() - began_s)  # less where its caller leaves
                errand.note("backoff", began_at, time.monotonic(), cause)

    def _told_error(self, errand: Errand, response: Response, reading: Reading, *, may_have_happened: bool) -> Relay | Told:
        verdict = reading.verdict
        if reading.untouched:
            return Relay(response, verdict if response.head.status >= _FIRST_ERROR_STATUS else None)
        answer = normalise(
            reading.reply,
            errand.context,
            verdict,
            handbook=self._handbook,
            attempts=errand.attempts,
            now=time.time(),
            may_have_happened=may_have_happened,
        )
        return Told(answer, verdict.cause, verdict.origin, response.head.reason)

    def _told_problem(self, errand: Errand, problem: Problem) -> Told:
        context = errand.context
        answer = problem_answer(
            problem, context, handbook=self._handbook, request_id=context.request_id, attempts=errand.attempts, now=time.time()
        )
        return Told(answer, problem.cause, problem.origin, detail=problem.message)
