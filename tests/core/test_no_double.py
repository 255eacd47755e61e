"""Nothing that was sent is done twice: one property over every outcome and request, and the mutants of table and rules that it kills.

What may have been carried out is written down here once more, by hand, so that a mistake of the product is not shared.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import pytest
from builders import a_verdict

from proxy.core import decide as decide_module
from proxy.core.decide import Again, Case, RetryPolicy, decide
from proxy.core.model import Cause
from proxy.core.outcome import ErrorReply, TransportFailure
from proxy.core.repeat import TABLE, Ending, Move, Repeat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proxy.core.outcome import Outcome


def answered(cause: Cause, status: int, *, by_nylas: bool = True, replayed: bool = False) -> ErrorReply:
    return ErrorReply(status, a_verdict(cause), retryable=True, by_nylas=by_nylas, replayed=replayed)


def ended(cause: Cause, *, sent: bool, stale: bool = False) -> TransportFailure:
    return TransportFailure(cause, "why", sent=sent, stale=stale)


MAY_HAVE_ACTED: list[Outcome] = [
    ended(Cause.RESPONSE_TIMEOUT, sent=True),
    ended(Cause.UPSTREAM_BROKE_OFF, sent=True),
    ended(Cause.UPSTREAM_BROKE_OFF, sent=True, stale=True),
    ended(Cause.UPSTREAM_MALFORMED, sent=True),
    answered(Cause.SERVER_ERROR, 500),
    answered(Cause.PROVIDER_ERROR, 500),
    answered(Cause.UPSTREAM_UNAVAILABLE, 502),
    answered(Cause.UPSTREAM_UNAVAILABLE, 502, by_nylas=False),
    answered(Cause.SERVER_ERROR, 503),
    answered(Cause.PROVIDER_ERROR, 503),
    answered(Cause.EXCHANGE_THROTTLE, 503),
    answered(Cause.PROVIDER_TIMEOUT, 504),
    answered(Cause.UPSTREAM_UNAVAILABLE, 504, by_nylas=False),
    answered(Cause.UPSTREAM_UNAVAILABLE, 408),
    answered(Cause.PROVIDER_TIMEOUT, 504, replayed=True),
    answered(Cause.IDEMPOTENCY_IN_FLIGHT, 409),
    answered(Cause.UNKNOWN, 202),
]
DID_NOTHING: list[Outcome] = [
    ended(Cause.UPSTREAM_UNREACHABLE, sent=False),
    answered(Cause.RATE_LIMIT_NYLAS, 429),
    answered(Cause.RATE_LIMIT_PROVIDER_GOOGLE, 403),
    answered(Cause.EXCHANGE_THROTTLE, 429),
    answered(Cause.SERVER_ERROR_SAFE_TO_RETRY, 503),
    answered(Cause.TIMEOUT_NOT_SENT, 504),
    answered(Cause.RATE_LIMIT_NYLAS, 429, replayed=True),
]


def requests() -> Iterator[Case]:
    flags = (True, False)
    for method, repeat, replayable, signed, callers_key, in_doubt in product(("POST", "GET"), Repeat, flags, flags, flags, flags):
        if repeat is Repeat.FREELY or (repeat is Repeat.WITH_KEY and (callers_key or signed or method == "GET")):
            continue
        has_body = method == "POST"
        yield Case(method, repeat, has_body, replayable, signed, callers_key, calm=False, attempts=1, in_doubt=in_doubt)


def doubles() -> list[tuple[Outcome, Case, Again]]:
    """Return every step by which something that may have been done could be done again."""
    found = []
    for outcome, case, held_s in product(MAY_HAVE_ACTED + DID_NOTHING, requests(), (None, 1.0)):
        step = decide_module.decide(outcome, case, RetryPolicy(), roll=0.5, budget_left=True, time_left_s=60.0, held_s=held_s)
        if isinstance(step, Again) and is_double(outcome, case, step):
            found.append((outcome, case, step))
    return found


def is_double(outcome: Outcome, case: Case, step: Again) -> bool:
    may_have_acted = outcome in MAY_HAVE_ACTED
    has_left = not (isinstance(outcome, TransportFailure) and not outcome.sent)
    if has_left and (case.signed or not case.replayable):
        return True
    if case.repeat is Repeat.NOT_ONCE_SENT:
        return may_have_acted
    # Under one key Nylas does it once. What was in doubt must keep its key, and must be known to be in doubt the next time.
    in_doubt = may_have_acted or case.in_doubt
    return (in_doubt and (step.new_key or not step.ambiguous)) or (isinstance(outcome, ErrorReply) and outcome.replayed)


def test_nothing_that_may_have_been_done_is_done_again() -> None:
    assert doubles() == []


def test_what_did_nothing_is_repeated() -> None:
    """The property above would hold for a proxy that never repeats."""
    repeated = [
        decide(outcome, case, RetryPolicy(), roll=0.5, budget_left=True, time_left_s=60.0) for outcome in DID_NOTHING for case in requests()
    ]
    assert sum(isinstance(step, Again) for step in repeated) > 20


def cell(ending: Ending, repeat: Repeat, move: Move) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(decide_module, "TABLE", {**TABLE, (ending, repeat): move})


def forgetting(**changes: bool) -> Callable[[pytest.MonkeyPatch], None]:
    """The rules see a request with these properties changed."""
    return lambda patch: patch.setattr(
        decide_module,
        "decide",
        lambda outcome, case, *rest, **more: decide(outcome, replace(case, **changes), *rest, **more),
    )


def seeing(change: Callable[[Outcome], Outcome]) -> Callable[[pytest.MonkeyPatch], None]:
    """The rules see another outcome."""
    return lambda patch: patch.setattr(decide_module, "decide", lambda outcome, *rest, **more: decide(change(outcome), *rest, **more))


def unsent(outcome: Outcome) -> Outcome:
    return replace(outcome, sent=False) if isinstance(outcome, TransportFailure) else outcome


def not_replayed(outcome: Outcome) -> Outcome:
    return replace(outcome, replayed=False) if isinstance(outcome, ErrorReply) else outcome


def no_failure(outcome: Outcome) -> Outcome:
    return replace(outcome, status=429) if isinstance(outcome, ErrorReply) and outcome.verdict.cause is Cause.EXCHANGE_THROTTLE else outcome


MUTANTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "unsafe repeated after a time-out": cell(Ending.AMBIGUOUS, Repeat.NOT_ONCE_SENT, Move.BACK_OFF),
    "unsafe repeated after 503": cell(Ending.UNAVAILABLE, Repeat.NOT_ONCE_SENT, Move.BACK_OFF),
    "unsafe repeated after 500": cell(Ending.FAILED, Repeat.NOT_ONCE_SENT, Move.BACK_OFF),
    "unsafe queued after a throttle told as 503": cell(Ending.THROTTLED_FAILURE, Repeat.NOT_ONCE_SENT, Move.QUEUE),
    "unsafe GET repeated on a stale connection": cell(Ending.STALE, Repeat.NOT_ONCE_SENT, Move.AT_ONCE),
    "unsafe repeated while its key is in flight": cell(Ending.KEY_IN_FLIGHT, Repeat.NOT_ONCE_SENT, Move.AWAIT),
    "accepted send repeated": cell(Ending.ACCEPTED, Repeat.NOT_ONCE_SENT, Move.BACK_OFF),
    "accepted send repeated under a new key": cell(Ending.ACCEPTED, Repeat.WITH_KEY, Move.BACK_OFF_NEW_KEY),
    "replay repeated": cell(Ending.REPLAYED, Repeat.WITH_KEY, Move.BACK_OFF),
    "new key after a time-out": cell(Ending.AMBIGUOUS, Repeat.WITH_KEY, Move.BACK_OFF_NEW_KEY),
    "new key after 503": cell(Ending.UNAVAILABLE, Repeat.WITH_KEY, Move.BACK_OFF_NEW_KEY),
    "new key after 500": cell(Ending.FAILED, Repeat.WITH_KEY, Move.BACK_OFF_NEW_KEY),
    "new key after a throttle told as 503": cell(Ending.THROTTLED_FAILURE, Repeat.WITH_KEY, Move.QUEUE_NEW_KEY),
    "new key while the old one is in flight": cell(Ending.KEY_IN_FLIGHT, Repeat.WITH_KEY, Move.BACK_OFF_NEW_KEY),
    "new key for a refusal after doubt": forgetting(in_doubt=False),
    "a spent body sent again": forgetting(replayable=True),
    "a nonce used again": forgetting(signed=False),
    "whether bytes left is not looked at": seeing(unsent),
    "whether an answer is a replay is not looked at": seeing(not_replayed),
    "a throttle told as 503 taken for a refusal": seeing(no_failure),
    "doubt is not remembered": lambda patch: patch.setattr(decide_module, "leaves_doubt", lambda _outcome: False),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_that_could_do_something_twice_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)
    assert doubles() != []
