"""What a request remembers from one attempt to the next: how far it may be repeated, under which key, how long still."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.core.decide import Case, decide
from proxy.core.repeat import Repeat, is_known_by_callers_key, repeat_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.decide import Again, Answer, Pass, RetryPolicy
    from proxy.core.model import Problem
    from proxy.core.outcome import Outcome
    from proxy.core.retry_budget import RetryBudget
    from proxy.errand import Errand

_SIGNED: Final = b"/v3/admin/"


class Retrying(NamedTuple):
    """How repetitions are made.

    Attributes:
        policy: How often and how fast.
        budget: How many in all.
        gives_keys: Sends without an idempotency key get one.
        roll: The dice, from 0 up to 1.
        now_s: The loop's time.
    """

    policy: RetryPolicy
    budget: RetryBudget
    gives_keys: bool
    roll: Callable[[], float]
    now_s: Callable[[], float]


class Trip:
    """One request, over all its attempts.

    Args:
        errand: The request; gets an idempotency key of ours where it may have one.
        ends_at: Until when its caller waits, in the loop's time.
        retrying: How repetitions are made.
    """

    __slots__ = ("_calm", "_ends_at", "_errand", "_in_doubt", "_key_waited_s", "_repeat", "_retrying", "_signed", "_uncounted")

    def __init__(self, errand: Errand, ends_at: float, retrying: Retrying) -> None:
        index = errand.head.index
        self._errand = errand
        self._ends_at = ends_at
        self._retrying = retrying
        self._calm = index.get(b"x-nylas-proxy-retry", b"").lower() == b"never"
        self._signed = errand.context.target.startswith(_SIGNED)
        self._repeat = repeat_of(errand.context, gives_keys=retrying.gives_keys)
        self._uncounted = 0
        self._key_waited_s = 0.0
        self._in_doubt = False
        if self._repeat is Repeat.WITH_KEY:
            errand.key = str(uuid.uuid4())

    def time_left_s(self) -> float:
        """Return how long the caller will still wait."""
        return max(0.0, self._ends_at - self._retrying.now_s())

    def decide(self, outcome: Outcome, held_s: float | None) -> Again | Answer | Pass:
        """Return what follows; `held_s` as in `decide`."""
        errand, retrying = self._errand, self._retrying
        case = Case(
            method=errand.context.method,
            repeat=self._repeat,
            has_body=errand.has_body,
            replayable=not errand.has_body or (errand.replay is not None and errand.replay.replayable),
            signed=self._signed,
            callers_key=errand.context.callers_key,
            calm=self._calm or errand.abandoned,
            attempts=errand.attempts,
            uncounted=self._uncounted,
            waited_s=self._key_waited_s,
            in_doubt=self._in_doubt,
            known_by_key=is_known_by_callers_key(errand.context),
        )
        return decide(
            outcome,
            case,
            retrying.policy,
            roll=retrying.roll(),
            budget_left=retrying.budget.has_token(retrying.now_s()),
            time_left_s=self.time_left_s(),
            held_s=held_s,
        )

    def note(self, again: Again) -> None:
        """Another attempt will be made."""
        if again.counts:
            self._retrying.budget.withdraw()
        else:
            self._uncounted += 1
            self._key_waited_s += again.wait_s  # nothing else that does not count is waited for here
        self._in_doubt = again.ambiguous
        if again.new_key and self._errand.key:
            self._errand.key = str(uuid.uuid4())
            self._errand.key_renewed = True

    def with_doubt(self, problem: Problem) -> Problem:
        """Say of a refusal that an earlier attempt may have succeeded, where that is so."""
        return replace(problem, may_have_happened=True) if self._in_doubt else problem
