"""What the pipeline makes of a request: an answer to pass on, or an error to tell; and what it reads in an error on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from proxy.core.model import Cause, ErrorAnswer, Origin, Reply, Verdict
    from proxy.core.outcome import ErrorReply
    from proxy.wire.call import Response


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


class Reading(NamedTuple):
    """What is made of an error of upstream.

    Attributes:
        reply: The error, its body as far as it is read.
        verdict: What it means; the time that it closes a door for, where it does.
        outcome: The same for the decision.
        held_s: For how long admission holds the request now, or None.
        closes: It has closed a door.
        untouched: The body stays with the response: the caller gets it as it is.
    """

    reply: Reply
    verdict: Verdict
    outcome: ErrorReply
    held_s: float | None
    closes: bool
    untouched: bool
