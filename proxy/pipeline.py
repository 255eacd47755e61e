"""The way of a request: one loop, one back-edge."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple, assert_never

from proxy.core.decide import Again, Answer, TransportFailure, decide
from proxy.core.model import Reply
from proxy.core.normalise import normalise, problem_answer

if TYPE_CHECKING:
    from proxy.core.classify import Classifier
    from proxy.core.handbook import Handbook
    from proxy.core.model import Cause, ErrorAnswer, Origin, Verdict
    from proxy.errand import Errand
    from proxy.upstream import Upstream
    from proxy.wire.call import Response

_FIRST_ERROR_STATUS: Final = 400
_READABLE_CODINGS: Final = frozenset({b"", b"identity", b"gzip", b"x-gzip", b"deflate"})


class Relay(NamedTuple):
    """Pass upstream's response through; `verdict` says what an error is whose body stays as it is."""

    response: Response
    verdict: Verdict | None


class Told(NamedTuple):
    """An error in the one shape: upstream's, with its reason phrase, or ours, with the message that we made up."""

    answer: ErrorAnswer
    cause: Cause
    origin: Origin
    reason: bytes = b""
    detail: str | None = None


class Pipeline:
    """Forwards, classifies, decides, normalises."""

    def __init__(self, upstream: Upstream, classifier: Classifier, handbook: Handbook, error_max_bytes: int) -> None:
        self._upstream = upstream
        self._classifier = classifier
        self._handbook = handbook
        self._error_max_bytes = error_max_bytes

    async def run(self, errand: Errand) -> Relay | Told:
        """Bring the request to upstream and say what to tell the caller."""
        while True:
            # Admission has its place here: every attempt, the first and the repeated one, will ask the ledger before it goes.
            errand.attempts += 1
            started_at = time.monotonic()
            outcome = await self._upstream.attempt(errand)
            errand.upstream_s += time.monotonic() - started_at
            if not isinstance(outcome, TransportFailure):
                errand.response = outcome
                return await self._conclude(errand, outcome)
            context = errand.context
            match decide(outcome, method=context.method, has_body=errand.has_body, unsafe=errand.unsafe, attempts=errand.attempts):
                case Again():
                    continue
                case Answer(problem):
                    answer = problem_answer(
                        problem, context, handbook=self._handbook, request_id=context.request_id, attempts=errand.attempts, now=time.time()
                    )
                    return Told(answer, problem.cause, problem.origin, detail=problem.message)
                case unreachable:
                    assert_never(unreachable)

    async def _conclude(self, errand: Errand, response: Response) -> Relay | Told:
        """Relay a success as it is; read, judge and normalise an error."""
        head = response.head
        if head.status < _FIRST_ERROR_STATUS:
            return Relay(response, None)
        fields = tuple(head.end_to_end())
        if errand.raw_errors or errand.context.method == "HEAD" or head.index.get(b"content-encoding", b"").lower() not in _READABLE_CODINGS:
            reply = Reply(head.status, fields, b"")
            return Relay(response, self._classifier.classify(reply, errand.context, now=time.time()))
        started_at = time.monotonic()
        body, cut = await response.body.read(self._error_max_bytes)
        errand.upstream_s += time.monotonic() - started_at
        if cut:
            response.abandon()
        now = time.time()
        reply = Reply(head.status, fields, body, cut)
        verdict = self._classifier.classify(reply, errand.context, now=now)
        answer = normalise(reply, errand.context, verdict, handbook=self._handbook, attempts=errand.attempts, now=now)
        return Told(answer, verdict.cause, verdict.origin, head.reason)
