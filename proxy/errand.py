"""What the parts above the wire hand to each other about one request."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.core.model import RequestContext
    from proxy.wire.body import Body
    from proxy.wire.call import Response
    from proxy.wire.head import RequestHead, ResponseHead


class Errand:
    """One request on its way, and what has been done about it so far.

    Attributes:
        context: What it is.
        head: As it came.
        body: As it comes.
        on_interim: Told each interim answer of upstream.
        unsafe: A second one, or a lost one, would be noticed.
        raw_errors: The caller wants upstream's own error bodies.
        attempts: How often upstream was asked.
        sent: Bytes of it have left.
        upstream_s: Time spent waiting for upstream.
        response: What upstream answered, while its body may still come.
    """

    __slots__ = ("attempts", "body", "context", "has_body", "head", "on_interim", "raw_errors", "response", "sent", "unsafe", "upstream_s")

    def __init__(self, context: RequestContext, head: RequestHead, body: Body, on_interim: Callable[[ResponseHead], None]) -> None:
        self.context = context
        self.head = head
        self.body = body
        self.on_interim = on_interim
        self.unsafe = context.method in context.route.unsafe
        self.has_body = not (body.ended and body.received_bytes == 0)
        self.raw_errors = head.index.get(b"x-nylas-proxy-errors", b"").lower() == b"raw"
        self.attempts = 0
        self.sent = False
        self.upstream_s = 0.0
        self.response: Response | None = None
