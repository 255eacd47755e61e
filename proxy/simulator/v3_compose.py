"""Smart compose in v3: the suggestion as one JSON body, or word by word as server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.simulator.call import Call, Route, for_grant, v3_data, v3_missing
from proxy.simulator.replies import Reply, Stream, json_bytes, v3_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proxy.simulator.store import Mailbox

_SUGGESTION = "Thank you for your message. The report is attached, and I am glad to answer questions about it."
_SSE = "text/event-stream"


def _compose(call: Call, _mailbox: Mailbox) -> Reply:
    prompt = (call.body.json_object() or {}).get("prompt")
    if not isinstance(prompt, str) or not prompt:
        return v3_error(call.request_id, 400, "prompt_required_error", "prompt is required")
    if _SSE in call.headers.get("Accept", ""):
        return Reply(200, (("Content-Type", _SSE), ("Cache-Control", "no-cache")), Stream(_events()))
    return v3_data(call, {"suggestion": _SUGGESTION})


async def _events() -> AsyncIterator[bytes]:
    for word in _SUGGESTION.split(" "):
        yield b"data: " + json_bytes({"suggestion": f"{word} "}) + b"\n\n"


def _reply(call: Call, mailbox: Mailbox) -> Reply:
    return _compose(call, mailbox) if mailbox.collections["messages"].find(call.ids["id"]) else v3_missing(call, "Message")


ROUTES = (
    Route("POST", "/v3/grants/{grant}/messages/smart-compose", for_grant(_compose)),
    Route("POST", "/v3/grants/{grant}/messages/{id}/smart-compose", for_grant(_reply)),
)
