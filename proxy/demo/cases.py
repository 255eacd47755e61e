"""The demo's cases: calls as applications make them, how Nylas (simulated) answers, and what the proxy promises for each."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proxy.demo.sdk import OwnError, Returned

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.demo.sdk import Application, Outcome

PERSON = {"name": "Ada", "email": "ada@example.com"}
LARGE_ATTACHMENT_BYTES = 4 * 1024 * 1024
DAY_S = 86_400
NOON_S = 1_700_049_600


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the demo.

    Attributes:
        title: What happens, for the first column.
        call: What the application does; returns a summary of what it got.
        cue: How the simulator misbehaves; empty for calls that succeed.
        status: The status that the SDK's own error must carry through the proxy; None where the call must succeed.
        never_succeeds: The answer breaks off after its head: any error will do, a short success will not.
    """

    title: str
    call: Callable[[Application], str]
    cue: str = ""
    status: int | None = None
    never_succeeds: bool = False

    def is_as_promised(self, without: Outcome, through: Outcome) -> bool:
        """Tell whether the proxy did for this case what it promises."""
        if self.never_succeeds:
            return not isinstance(through, Returned)
        if self.status is None:
            return isinstance(through, Returned) and through == without
        return isinstance(through, OwnError) and through.status == self.status


def _list_messages(a: Application) -> str:
    return f"{len(a.client.messages.list(a.grant, overrides=a.overrides).data)} messages"


def _find_message(a: Application) -> str:
    first = a.client.messages.list(a.grant, query_params={"limit": 1}).data[0]
    return f"message {a.client.messages.find(a.grant, first.id, overrides=a.overrides).data.subject!r}"


def _send(a: Application, **more: Any) -> str:  # noqa: ANN401 - further fields of a message
    message = {"to": [PERSON], "subject": "Hello", "body": "from the demo", **more}
    return f"sent {a.client.messages.send(a.grant, message, overrides=a.overrides).data.subject!r}"


def _send_large(a: Application) -> str:
    content = io.BytesIO(bytes(LARGE_ATTACHMENT_BYTES))
    attachment = {"filename": "large.bin", "content_type": "application/octet-stream", "content": content, "size": LARGE_ATTACHMENT_BYTES}
    return _send(a, attachments=[attachment])


def _download(a: Application) -> str:
    holder = next(message for message in a.client.messages.list(a.grant).data if message.attachments)
    content = a.client.attachments.download_bytes(a.grant, holder.attachments[0].id, {"message_id": holder.id})
    return f"{len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()[:8]}"


def _free_busy(a: Application) -> str:
    question = {"start_time": NOON_S, "end_time": NOON_S + DAY_S, "emails": [PERSON["email"]]}
    return f"{len(a.client.calendars.get_free_busy(a.grant, question, overrides=a.overrides).data)} calendar"


def _exchange_code(a: Application) -> str:
    request = {"redirect_uri": "https://app.example.com/callback", "code": "one-time", "client_id": "app"}
    return f"grant for {a.client.auth.exchange_code_for_token(request, overrides=a.overrides).email}"


CASES = (
    Case("list messages", _list_messages),
    Case("find a message", _find_message),
    Case("send a message", _send),
    Case("send 4 MiB as multipart", _send_large),
    Case("download an attachment", _download),
    Case("ask for free and busy times", _free_busy),
    Case("exchange an OAuth code", _exchange_code),
    Case("429, complete error body", _list_messages, "corpus=oas-429-rate-limit-error", 429),
    Case("429, Gmail quota, sending", _send, "corpus=obs-429-gmail-quota", 429),
    Case("400, provider_error: a string", _list_messages, "corpus=docs-400-provider-error-string", 400),
    Case("403, error: a string", _list_messages, "corpus=cli-403-calendar-string", 403),
    Case("400, error inside an error", _list_messages, "corpus=oas-400-nested-double", 400),
    Case("400, short OAuth error", _exchange_code, "corpus=cli-400-oauth-description", 400),
    Case("502, error: a string", _list_messages, "corpus=rb6-error-string", 502),
    Case("502, HTML page", _list_messages, "status=502; html=1", 502),
    Case("502, empty body", _list_messages, "corpus=cli-502-empty", 502),
    Case("400, JSON cut short", _list_messages, "corpus=java2-truncated", 400),
    Case("connection reset, sending", _send, "reset=before_head", 502),
    Case("answer breaks off in its body", _list_messages, "break=mid_body", never_succeeds=True),
)
