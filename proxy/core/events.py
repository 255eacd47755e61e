"""What happened, for whoever observes: metrics, logs, the status page, traces. Values only.

None holds anything that the caller or upstream wrote but the request id and the id of a trace. Grants are keyed hashes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from proxy.core.model import Cause, Origin, Route


class Step(NamedTuple):
    """A part of a request, for its trace.

    Attributes:
        name: `hold` (it waited to be admitted), `attempt` or `backoff`.
        began_at: In seconds of the monotonic clock.
        ended_at: The same.
        says: The status or the cause of an attempt that failed; what held it, by its name; the cause of a backoff.
    """

    name: str
    began_at: float
    ended_at: float
    says: str


class RequestEnded(NamedTuple):
    """One request is over.

    Attributes:
        request_id: As answered to the caller.
        route: Its row of the catalogue; None where the request was not understood, and the method is `-`.
        status: As answered; 0 where the caller left before an answer.
        cause: Why it failed, or None.
        origin: Whose fault that is, or None.
        detail: What the proxy itself told the caller, or None: never a word of upstream's.
        advice: What the proxy advised the caller about its mailbox, or None.
        ended: `complete`, `cut` (the answer broke off), `caller_left`.
        normalised: An error of upstream was told in the one shape.
        grant: Whose request it was: a keyed hash of the grant, account or application; empty where it was refused before that was clear.
        provider: Of that grant, as far as known.
        attempts: How often upstream was asked.
        duration_s: From the complete head to the end of the answer.
        waited_s: Of that, waiting for admission and between attempts.
        would_hold_s: How long it would have been held, where limits are only observed; else 0.
        upstream_s: Of that, waiting for upstream: until the head of its answer, and for the body of an error.
        own_s: Of that, until the answer began, the rest: what the proxy itself took; 0 where none began.
        sent_bytes: Body bytes given to the caller.
        trace_id: Of the caller's `traceparent`, 32 hex digits (https://www.w3.org/TR/trace-context/), or None.
        traceparent: The whole of it, or None.
        ended_at: When it ended, in seconds of the monotonic clock.
        steps: What it consisted of, where traces are made.
    """

    request_id: str
    route: Route | None
    method: str
    status: int
    cause: Cause | None
    origin: Origin | None
    detail: str | None
    advice: str | None
    ended: str
    normalised: bool
    grant: str
    provider: str | None
    attempts: int
    duration_s: float
    waited_s: float
    would_hold_s: float
    upstream_s: float
    own_s: float
    sent_bytes: int
    trace_id: str | None
    traceparent: str | None
    ended_at: float
    steps: tuple[Step, ...] = ()


class AttemptEnded(NamedTuple):
    """Upstream has answered an attempt, or has not.

    Attributes:
        status: Of the answer; 0 where there is none.
        failure: Why there is none: a cause, or `caller_left`; else None.
        upstream_s: Until its head.
    """

    route: Route
    status: int
    failure: str | None
    upstream_s: float


class Retried(NamedTuple):
    """A request will be sent once more.

    Attributes:
        cause: What went wrong.
        wait_s: The backoff before it.
        counts: It takes a token of the budget.
    """

    route: Route
    cause: Cause
    wait_s: float
    counts: bool


class HoldEnded(NamedTuple):
    """A request that had to wait for admission waits no longer; or would have had to, where limits are only observed.

    Attributes:
        by: `limit`, `in_flight`, `window`, or `turn`: it stood behind others of its line, and nothing more was known.
        name: The limit's or the cap's name, or the cause of the window.
        level: `application`, `grant`, `sends`.
        wait_s: How long it waited.
        enforced: False where it went at once, because limits are only observed.
    """

    by: str
    name: str
    level: str
    wait_s: float
    enforced: bool


class Refused(NamedTuple):
    """The proxy itself refused a request for a limit, a window or a full queue.

    Attributes:
        status: As answered, and the cause as well.
        by: `limit`, `in_flight`, `window`, `room` (too many wait), `ending` (so does the proxy) or `ledger` (away, and settings say to refuse).
        name: The limit's or the cap's name, or the cause of the window; `-` for the rest.
        level: `application`, `grant`, `sends`, or `-`.
        grant: Whose request, a keyed hash.
        wait_s: What it was told to wait, as Retry-After says it.
    """

    route: Route
    status: int
    cause: Cause
    by: str
    name: str
    level: str
    grant: str
    wait_s: float


class Throttled(NamedTuple):
    """A throttling answer has come.

    Attributes:
        cause: Its class.
        origin: Who throttles.
        scope: The key of what is closed now, or empty where it closes nothing.
        level: `application`, `grant`, `sends`, or `-`.
        grant: Whose request it was, a keyed hash.
        status: Of the answer.
        source: Who named the time: `retry_after`, `default`; `operator` where a hand closed it.
        closed_s: For how long the scope is closed now.
    """

    cause: Cause
    origin: Origin
    scope: str
    level: str
    grant: str
    status: int
    source: str
    closed_s: float


class WindowOpened(NamedTuple):
    """A throttle window is closed that was not, as far as this process knows: by an answer, by hand, or by another process.

    Attributes:
        level: What it holds: `application`, `grant`, `sends`.
        cause: The class of the answer that opened it.
        source: Who named the time: `retry_after`, `default`, `operator`; `elsewhere` where it was opened by another process, or before a restart.
        closed_s: For how long it is closed now.
        again: It had been closed before, and the probe at the end of that has failed.
    """

    level: str
    grant: str
    cause: str
    source: str
    closed_s: float
    again: bool = False


class WindowClosed(NamedTuple):
    """A throttle window is over: a probe has succeeded, or its time has run out. `cause` is that of the last answer that made it longer.

    Attributes:
        lasted_s: For how long it was known here.
    """

    level: str
    grant: str
    cause: str
    lasted_s: float


class LedgerChanged(NamedTuple):
    """Who counts has changed.

    Attributes:
        state: `shared`, `local-safe`, `rejoining`.
        why: Why the server was lost, or empty.
    """

    state: str
    why: str


class LedgerAnswered(NamedTuple):
    """The server of a shared ledger has answered an admission, after so long."""

    seconds: float


class GmailSpent(NamedTuple):
    """An attempt has used units of a Gmail mailbox: as its answer told, else as estimated."""

    units: int


class Reloaded(NamedTuple):
    """The settings were read once more.

    Attributes:
        mistakes: Why they were refused; nothing where they are in force.
        applied: The settings that have changed and are in force now, `section.key`.
        at_restart: Those that have changed and wait for a restart.
    """

    mistakes: tuple[str, ...]
    applied: tuple[str, ...]
    at_restart: tuple[str, ...]


Event = (
    RequestEnded | AttemptEnded | Retried | HoldEnded | Refused | Throttled | WindowOpened | WindowClosed | LedgerChanged | LedgerAnswered
    | GmailSpent | Reloaded
)  # fmt: skip
