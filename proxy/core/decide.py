"""What follows from an attempt that brought no success: another one, or an error for the caller.

The table of what may be repeated is `proxy.core.repeat`. Here are the rules that hold for all of it: how often, how long, from which budget, and what
the caller is told about what may have happened. A wait that would outlast the caller's patience is not begun.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.core.backoff import above_floor_s, full_jitter_s, growing_s
from proxy.core.model import Cause, Origin, Problem
from proxy.core.outcome import ErrorReply, ending_of, leaves_doubt
from proxy.core.repeat import TABLE, TOLD_UNDER_CALLERS_KEY, Ending, Move, Repeat

if TYPE_CHECKING:
    from proxy.core.model import RequestContext
    from proxy.core.outcome import Outcome, TransportFailure

_READS: Final = frozenset({"GET", "HEAD"})
_CHANGES_STATE: Final = frozenset({"PUT", "PATCH", "DELETE"})  # repeatable on most routes, and carried out all the same
_QUEUES: Final = frozenset({Move.QUEUE, Move.QUEUE_NEW_KEY})
_RENEWS_KEY: Final = frozenset({Move.QUEUE_NEW_KEY, Move.BACK_OFF_NEW_KEY})

_STATUS_AND_ORIGIN: Final = {
    Cause.UPSTREAM_UNREACHABLE: (502, Origin.NETWORK),
    Cause.UPSTREAM_BROKE_OFF: (502, Origin.NETWORK),
    Cause.UPSTREAM_MALFORMED: (502, Origin.NETWORK),
    Cause.RESPONSE_TIMEOUT: (504, Origin.NETWORK),
    Cause.OVERLOADED: (503, Origin.PROXY),
    Cause.REQUEST_MALFORMED: (400, Origin.PROXY),
}
_OVERLOADED_RETRY_AFTER_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Case:
    """A request, and what has been tried so far.

    Attributes:
        method: In capitals.
        repeat: How far it may be repeated.
        has_body: It came with one.
        replayable: All of the body is kept, or there is none.
        signed: Its signature counts once (`/v3/admin/*`).
        callers_key: It carries an Idempotency-Key of its caller.
        calm: Its caller forbids repetitions (`X-Nylas-Proxy-Retry: never`).
        attempts: How often upstream was asked.
        uncounted: How many of these were repetitions that did not count (`Again.counts`).
        waited_s: How long it has waited for an earlier request with the same key.
        in_doubt: An earlier attempt may have succeeded (`Again.ambiguous`).
        known_by_key: Nylas tells its caller's own repetitions by the key that it carries.
    """

    method: str
    repeat: Repeat
    has_body: bool
    replayable: bool
    signed: bool
    callers_key: bool
    calm: bool
    attempts: int
    uncounted: int = 0
    waited_s: float = 0.0
    in_doubt: bool = False
    known_by_key: bool = False


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how fast.

    Attributes:
        max_attempts: How many attempts that count, the first included.
        initial_s: The longest first backoff, doubled for each further one.
        cap_s: The longest backoff.
        concurrent_max_s: How long to wait, in all, for an earlier request with the same key.
    """

    max_attempts: int = 3
    initial_s: float = 0.5
    cap_s: float = 20.0
    concurrent_max_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Again:
    """Ask upstream once more, on a new connection.

    Attributes:
        wait_s: The backoff before it asks for admission again; 0 where a throttle window will hold it there.
        new_key: It gets a new idempotency key: under the old one Nylas would repeat its refusal.
        counts: It takes a token of the retry budget and one of the attempts that a request has.
        ambiguous: This attempt, or one before, may have succeeded.
    """

    wait_s: float = 0.0
    new_key: bool = False
    counts: bool = True
    ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """Tell the caller what happened on the way."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Pass:
    """Tell the caller what upstream said.

    Attributes:
        may_have_happened: The request may have been carried out all the same, by this attempt or one before.
    """

    may_have_happened: bool


def finishes_without_caller(context: RequestContext) -> bool:
    """Tell whether a request that has left is brought to its end when its caller leaves.

    Nylas carries it out anyway, so what remains is to know how it ended. Read-only POSTs are not worth it.
    """
    return context.method in context.route.unsafe or context.method in _CHANGES_STATE


def decide(
    outcome: Outcome, case: Case, policy: RetryPolicy, *, roll: float, budget_left: bool, time_left_s: float, held_s: float | None = None
) -> Again | Answer | Pass:
    """Return what follows from `outcome`.

    Args:
        outcome: How the attempt ended.
        case: The request.
        policy: How often and how fast.
        roll: The dice, from 0 up to 1.
        budget_left: The retry budget has a token.
        time_left_s: How long the caller will still wait.
        held_s: For how long the throttle window that this outcome opened holds the request at admission; None where none does.
    """
    ending = ending_of(outcome, first_read=case.method in _READS and not case.has_body and case.attempts == 1)
    move = _move(ending, case)
    in_doubt = _is_in_doubt(ending, outcome, case)
    is_held = move in _QUEUES and held_s is not None
    counts = not is_held and move not in {Move.AT_ONCE, Move.AWAIT}
    wait_s = 0.0 if is_held else _wait_s(move, outcome, case, policy, roll)
    if wait_s is None or max(wait_s, held_s or 0.0) > time_left_s:
        return _told(outcome, case, in_doubt=in_doubt)
    if counts and not (budget_left and case.attempts - case.uncounted < policy.max_attempts):
        return _told(outcome, case, in_doubt=in_doubt)
    # After a doubtful attempt the refusal of the next one proves nothing about the first: a new key could bring a second mail.
    return Again(wait_s, new_key=move in _RENEWS_KEY and not case.in_doubt, counts=counts, ambiguous=in_doubt)


def _move(ending: Ending, case: Case) -> Move:
    """Return the cell of the table, as far as this request allows any repetition."""
    can_be_made_again = case.replayable and not case.signed
    if case.calm or (ending is not Ending.NEVER_LEFT and not can_be_made_again):
        return Move.TELL
    if case.callers_key and ending in TOLD_UNDER_CALLERS_KEY:
        return Move.TELL
    return TABLE[ending, case.repeat]


def _wait_s(move: Move, outcome: Outcome, case: Case, policy: RetryPolicy, roll: float) -> float | None:
    """Return how long to wait before the move; None for one that is not made."""
    if move is Move.TELL:
        return None
    if move is Move.AT_ONCE:
        return 0.0
    floor_s = outcome.verdict.retry_after_s if isinstance(outcome, ErrorReply) else None
    if move is not Move.AWAIT:
        repeats = case.attempts - case.uncounted - 1
        return above_floor_s(full_jitter_s(policy.initial_s, policy.cap_s, repeats, roll=roll), floor_s, roll=roll)
    growing = growing_s(policy.initial_s, case.waited_s, policy.concurrent_max_s, roll=roll)
    wait_s = None if growing is None else above_floor_s(growing, floor_s, roll=roll)
    return wait_s if wait_s is not None and case.waited_s + wait_s <= policy.concurrent_max_s else None


def _is_in_doubt(ending: Ending, outcome: Outcome, case: Case) -> bool:
    """Tell whether the request may have been carried out, by this attempt or one before. Reads carry out nothing."""
    if case.repeat is Repeat.FREELY and case.method not in _CHANGES_STATE:
        return False
    if ending is Ending.KEY_IN_FLIGHT and case.repeat is Repeat.WITH_KEY:
        return True
    return leaves_doubt(outcome) or (case.in_doubt and ending is not Ending.REPLAYED)


def _told(outcome: Outcome, case: Case, *, in_doubt: bool) -> Answer | Pass:
    return Pass(in_doubt) if isinstance(outcome, ErrorReply) else _answer(outcome, case, in_doubt=in_doubt)


def _answer(failure: TransportFailure, case: Case, *, in_doubt: bool) -> Answer:
    status, origin = _STATUS_AND_ORIGIN[failure.cause]
    advice = "repeat it with the same Idempotency-Key" if case.known_by_key else "look before you repeat it"
    message = f"{failure.detail}; it may have been carried out all the same: {advice}" if in_doubt else failure.detail
    return Answer(Problem(status, failure.cause, message, origin, _OVERLOADED_RETRY_AFTER_S if failure.cause is Cause.OVERLOADED else None, in_doubt))
