"""What may be repeated after which ending of an attempt: one table, as data.

A repetition is harmless where nothing was done, where doing it twice changes nothing, or where Nylas tells the second from the first by its
idempotency key. Nylas keeps what it answered to a key for an hour, errors included: what was refused for good needs a new key to succeed, and what
may have happened must keep its key (RFC 9110 9.2.2 forbids a proxy the rest).
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.core.model import RequestContext


class Repeat(StrEnum):
    """How far a request may be repeated: the columns of the table."""

    FREELY = "freely"
    """Reads, and what sets or deletes without anybody noticing a second time."""
    WITH_KEY = "with_key"
    """A send that carries an idempotency key of ours."""
    NOT_ONCE_SENT = "not_once_sent"
    """Everything else that changes something; a send that carries its caller's own key."""


class Ending(StrEnum):
    """How an attempt ended: the rows of the table."""

    NEVER_LEFT = "never_left"
    """No byte of it went out."""
    STALE = "stale"
    """A first read, without a body, on a kept connection that upstream had most likely closed before (RFC 9112 9.3.1)."""
    REFUSED = "refused"
    """Throttled by Nylas or the provider, and so not carried out."""
    NOTHING_DONE = "nothing_done"
    """Failed, and the answer says that nothing was sent."""
    THROTTLED_FAILURE = "throttled_failure"
    """Throttled, told as an error of a server: some of it may have been carried out."""
    FAILED = "failed"
    """Nylas answered that it, or the provider, failed."""
    UNAVAILABLE = "unavailable"
    """Nylas answered 502 or 503."""
    AMBIGUOUS = "ambiguous"
    """Nobody knows: no answer, 504, or one of a gateway."""
    KEY_IN_FLIGHT = "key_in_flight"
    """An earlier request with the same key is still being worked on."""
    NOT_READY = "not_ready"
    """202: there, but not fetched yet (v2)."""
    REPLAYED = "replayed"
    """The answer to an earlier request with the same key."""
    ACCEPTED = "accepted"
    """202 to anything else: it will be done."""
    FINAL = "final"
    """Refused for good or for hours, or a fault of the request."""


class Move(StrEnum):
    """What follows."""

    TELL = "tell"
    AT_ONCE = "at_once"
    BACK_OFF = "back_off"
    BACK_OFF_NEW_KEY = "back_off_new_key"
    QUEUE = "queue"
    """Back to admission, where a throttle window holds it."""
    QUEUE_NEW_KEY = "queue_new_key"
    AWAIT = "await"
    """Wait for the earlier request, then repeat with the same key, which brings its answer."""


_ROWS: Final = {
    # ending                    FREELY          WITH_KEY               NOT_ONCE_SENT
    Ending.NEVER_LEFT:         (Move.BACK_OFF, Move.BACK_OFF,         Move.BACK_OFF),
    Ending.STALE:              (Move.AT_ONCE,  Move.BACK_OFF,         Move.TELL),
    Ending.REFUSED:            (Move.QUEUE,    Move.QUEUE_NEW_KEY,    Move.QUEUE),
    Ending.NOTHING_DONE:       (Move.BACK_OFF, Move.BACK_OFF_NEW_KEY, Move.BACK_OFF),
    Ending.THROTTLED_FAILURE:  (Move.QUEUE,    Move.TELL,             Move.TELL),
    Ending.FAILED:             (Move.BACK_OFF, Move.TELL,             Move.TELL),
    Ending.UNAVAILABLE:        (Move.BACK_OFF, Move.BACK_OFF,         Move.TELL),
    Ending.AMBIGUOUS:          (Move.BACK_OFF, Move.BACK_OFF,         Move.TELL),
    Ending.KEY_IN_FLIGHT:      (Move.TELL,     Move.AWAIT,            Move.TELL),
    Ending.NOT_READY:          (Move.BACK_OFF, Move.TELL,             Move.TELL),
    Ending.REPLAYED:           (Move.TELL,     Move.TELL,             Move.TELL),
    Ending.ACCEPTED:           (Move.TELL,     Move.TELL,             Move.TELL),
    Ending.FINAL:              (Move.TELL,     Move.TELL,             Move.TELL),
}  # fmt: skip

TABLE: Final[Mapping[tuple[Ending, Repeat], Move]] = MappingProxyType(
    {(ending, repeat): move for ending, moves in _ROWS.items() for repeat, move in zip(Repeat, moves, strict=True)}
)

TOLD_UNDER_CALLERS_KEY: Final = frozenset({Ending.REFUSED, Ending.NOTHING_DONE})
"""Endings that need a new key to end better: with the caller's own, which is never changed, they are told."""


def repeat_of(context: RequestContext, *, gives_keys: bool) -> Repeat:
    """Return how far a request may be repeated.

    Args:
        context: The request.
        gives_keys: The proxy gives one to what carries none (a setting).
    """
    route = context.route
    if context.method not in route.unsafe:
        return Repeat.FREELY
    return Repeat.WITH_KEY if route.idempotency_key and gives_keys and not context.callers_key else Repeat.NOT_ONCE_SENT


def is_known_by_callers_key(context: RequestContext) -> bool:
    """Tell whether Nylas tells a repetition by the key that the caller gave: it can repeat such a request with the same one, whatever came of it."""
    return context.callers_key and context.route.idempotency_key and context.method in context.route.unsafe
