"""What the parts above the wire hand to each other about one request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.core.events import Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.book import Admitted
    from proxy.core.model import RequestContext
    from proxy.core.quota import Ask
    from proxy.wire.body import Body
    from proxy.wire.call import Response
    from proxy.wire.head import RequestHead, ResponseHead
    from proxy.wire.replay import Replay


class Errand:
    """One request on its way, and what has been done about it so far.

    Attributes:
        context: What it is.
        head: As it came.
        body: As it comes.
        replay: What calls upstream take in the body's place, where it may be sent again; None where there is nothing to keep.
        on_interim: Told each interim answer of upstream.
        unsafe: A second one, or a lost one, would be noticed.
        raw_errors: The caller wants upstream's own error bodies.
        key: The idempotency key that we gave it, or empty.
        key_renewed: It is not the first one.
        ask: What it asks of the ledger; None before it was asked.
        provider: Whose mailbox it is, as far as that was known then.
        admitted: What was booked for the attempt under way, or None.
        asked_at: When that was asked for, in the loop's time.
        abandoned: Its caller has left; what is under way is finished, nothing is repeated: the caller may repeat it itself.
        attempts: How often upstream was asked.
        sent: Bytes of the present attempt have left.
        waited_s: Time spent waiting for admission and between attempts.
        advice: What its caller should know about its mailbox, or empty.
        would_hold_s: How long it would have been held, where limits are only observed.
        upstream_s: Time spent waiting for upstream.
        client_s: Time spent waiting for the caller to go on, before it was sent.
        steps: What it consisted of so far; None where no traces are made.
        response: What upstream answered, while its body may still come.
    """

    __slots__ = (
        "abandoned", "admitted", "advice", "ask", "asked_at", "attempts", "body", "client_s", "context", "has_body", "head", "key", "key_renewed",
        "on_interim", "provider", "raw_errors", "replay", "response", "sent", "steps", "unsafe", "upstream_s", "waited_s", "would_hold_s",
    )  # fmt: skip

    def __init__(self, context: RequestContext, head: RequestHead, body: Body, on_interim: Callable[[ResponseHead], None]) -> None:
        self.context = context
        self.head = head
        self.body = body
        self.replay: Replay | None = None
        self.on_interim = on_interim
        self.unsafe = context.method in context.route.unsafe
        self.has_body = not (body.ended and body.received_bytes == 0)
        self.raw_errors = head.index.get(b"x-nylas-proxy-errors", b"").lower() == b"raw"
        self.key = ""
        self.key_renewed = False
        self.ask: Ask | None = None
        self.provider: str | None = None
        self.admitted: Admitted | None = None
        self.asked_at = 0.0
        self.abandoned = False
        self.attempts = 0
        self.sent = False
        self.waited_s = 0.0
        self.advice = ""
        self.would_hold_s = 0.0
        self.upstream_s = 0.0
        self.client_s = 0.0
        self.steps: list[Step] | None = None
        self.response: Response | None = None

    def note(self, name: str, began_at: float, ended_at: float, says: str) -> None:
        """Keep a step for the trace, where one is made."""
        if self.steps is not None:
            self.steps.append(Step(name, began_at, ended_at, says))

    def let_go(self) -> None:
        """No further call will need the body."""
        if self.replay is not None:
            self.replay.let_go()
