"""Reading messages, searching and sending in v2."""

from __future__ import annotations

from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import default as modern_policy
from typing import TYPE_CHECKING

from proxy.simulator.call import Call, Route, v2_invalid, v2_missing
from proxy.simulator.listing import v2_page
from proxy.simulator.replies import Json, Reply, json_reply, v2_error
from proxy.simulator.v2_objects import message_fields
from proxy.simulator.v2_resources import ACCOUNT_ID
from proxy.simulator.v3_objects import objects_in

if TYPE_CHECKING:
    from collections.abc import Iterable

RAW_TYPE = "message/rfc822"
NOT_SYNCED = "message-unsynced"
"""The message whose raw form is not there yet: 202, ask again later."""

_CONTENT = ("from", "to", "cc", "bcc", "reply_to", "subject", "body")


def _find(call: Call) -> Reply:
    message = call.world.account["messages"].find(call.ids["id"])
    if message is None:
        return v2_missing("message")
    if RAW_TYPE not in call.headers.get("Accept", ""):
        return json_reply(message)
    if message["id"] == NOT_SYNCED or _asked_too_early(call, message["id"]):
        return json_reply({"message": "The message is not synced yet", "type": "api_error"}, 202)
    return Reply(200, (("Content-Type", RAW_TYPE),), _mime(message))


def _asked_too_early(call: Call, message_id: str) -> bool:
    """Tell whether this is among the first requests for the raw form, as many as the cue says."""
    asked = call.world.asked_raw.get(message_id, 0)
    if asked >= call.cues.not_ready:
        return False
    call.world.asked_raw[message_id] = asked + 1
    return True


def _mime(message: Json) -> bytes:
    mime = EmailMessage()
    mime["Subject"] = _one_line(message["subject"])
    mime["From"] = _addresses(message["from"])
    mime["To"] = _addresses(message["to"])
    mime["Message-ID"] = f"<{message['id']}@example.com>"
    mime.set_content(str(message["body"]).encode("utf-8", "replace").decode(), subtype="html")
    return mime.as_bytes()


def _one_line(value: object) -> str:
    return " ".join(str(value).encode("utf-8", "replace").decode().split())


def _addresses(people: object) -> str:
    return ", ".join(_one_line(person.get("email", "")).encode("ascii", "replace").decode() for person in objects_in(people))


def _search(collection: str, call: Call) -> Reply:
    wanted = call.query.get("q", "").lower()
    if not wanted:
        return v2_invalid("GET HTTP method must include query url parameter 'q'")
    page = v2_page([item for item in call.world.account[collection] if wanted in _words(item.values())], call.query)
    return v2_invalid(page) if isinstance(page, str) else json_reply(page)


def _words(values: Iterable[object]) -> str:
    return " ".join(value for value in values if isinstance(value, str)).lower()


def _search_messages(call: Call) -> Reply:
    return _search("messages", call)


def _search_threads(call: Call) -> Reply:
    return _search("threads", call)


def _send(call: Call) -> Reply:
    if call.headers.get("Content-Type", "").startswith(RAW_TYPE):
        return _send_raw(call)
    fields = call.body.json_object()
    if fields is None:
        return v2_invalid("The request body must be a JSON object")
    if "draft_id" in fields:
        draft = call.world.account["drafts"].find(fields["draft_id"])
        if draft is None:
            return v2_missing("draft")
        if fields.get("version", draft["version"]) != draft["version"]:
            return v2_error(409, "invalid_request_error", f"Draft has version {draft['version']}")
        call.world.account["drafts"].remove(draft["id"])
        fields = draft
    if not any(objects_in(fields.get(name)) for name in ("to", "cc", "bcc")):
        return v2_invalid("No recipients specified")
    return _sent(call, fields, {name: fields.get(name) for name in _CONTENT} | {"file_ids": fields.get("file_ids")})


def _send_raw(call: Call) -> Reply:
    mime = call.body.content or b""
    header = BytesHeaderParser(policy=modern_policy).parsebytes(mime)
    if not header["To"]:
        return v2_invalid("No recipients specified")
    to = [{"name": person.display_name, "email": person.addr_spec} for person in header["To"].addresses]
    return _sent(call, {"subject": str(header["Subject"] or ""), "to": to}, mime)


def _sent(call: Call, fields: Json, content: object) -> Reply:
    own: Json = {"id": call.world.fresh_id("message"), "account_id": ACCOUNT_ID, "object": "message"}
    message = {**message_fields(call, fields), **own}
    call.world.account["messages"].add(message)
    call.world.deltas.note("create", "message", message)
    call.world.deliveries.note(content, call.arrival)
    return json_reply(message)


ROUTES = (
    Route("GET", "/messages/search", _search_messages),
    Route("GET", "/threads/search", _search_threads),
    Route("GET", "/messages/{id}", _find),
    Route("POST", "/send", _send),
)
