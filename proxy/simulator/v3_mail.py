"""Sending, drafts, scheduled messages and cleaning in v3.

A send arrives as JSON, as a form whose field `message` holds the JSON and whose other fields are attachments, or, with
`?type=mime`, as a form whose field `mime` holds the finished message.
"""

from __future__ import annotations

from email.parser import BytesHeaderParser
from email.policy import default as modern_policy
from http import HTTPStatus
from typing import TYPE_CHECKING

from proxy.simulator.call import Call, Route, for_grant, v3_data, v3_invalid, v3_missing
from proxy.simulator.forms import boundary_of, split_form
from proxy.simulator.replies import JSON_TYPE, Json, Reply, v3_error
from proxy.simulator.request_body import Body
from proxy.simulator.v3_objects import objects_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.simulator.forms import Part
    from proxy.simulator.store import Mailbox

MAX_FORM_BYTES = 25_000_000
_CONTENT = ("from", "to", "cc", "bcc", "reply_to", "subject", "body")
_SNIPPET_CHARACTERS = 100


def _sent_fields(call: Call) -> Json | Reply:
    """The fields of the message in the request, attachments as metadata, or the refusal."""
    if call.body.content is None or len(call.body.content) > MAX_FORM_BYTES:
        return v3_error(call.request_id, 413, "invalid_request_error", "The message exceeds the capacity limit for Send and Files")
    content_type = call.headers.get("Content-Type", "")
    boundary = boundary_of(content_type)
    if boundary is None:
        if content_type != JSON_TYPE:
            return v3_invalid(call, f"Unsupported content type '{content_type}': only JSON and multipart supported")
        fields = call.body.json_object()
        return fields if fields is not None else v3_invalid(call, "The request body must be a JSON object")
    parts = split_form(call.body.content, boundary)
    return v3_invalid(call, "The form is not complete") if parts is None else _form_fields(call, parts)


def _form_fields(call: Call, parts: list[Part]) -> Json | Reply:
    by_name = {part.name: part for part in parts}
    if call.query.get("type") == "mime":
        return _mime_fields(by_name["mime"].content) if "mime" in by_name else v3_invalid(call, "The form has no field 'mime'")
    message = by_name.pop("message", None)
    fields = Body(message.content).json_object() if message else None
    if fields is None:
        return v3_invalid(call, "The form has no field 'message' with a JSON object")
    attached = [
        {"filename": part.filename, "content_type": part.content_type, "size": len(part.content), "content_id": part.name}
        for part in by_name.values()
    ]
    return {**fields, "attachments": attached}


def _mime_fields(mime: bytes) -> Json:
    header = BytesHeaderParser(policy=modern_policy).parsebytes(mime)
    to = header["To"].addresses if header["To"] else ()
    return {
        "subject": str(header["Subject"] or ""),
        "to": [{"name": person.display_name, "email": person.addr_spec} for person in to],
        "raw_mime": mime.decode("utf-8", "replace"),
    }


def _size_bytes(attachment: Json) -> int:
    size, content = attachment.get("size"), attachment.get("content")
    if isinstance(size, int):
        return size
    return len(content) * 3 // 4 if isinstance(content, str) else 0


def _message(call: Call, mailbox: Mailbox, fields: Json, kind: str) -> Json:
    """A message or draft made of the client's fields; its attachments can be downloaded afterwards."""
    grant: str = mailbox.grant["id"]
    attachments: list[Json] = [
        {
            "id": call.world.fresh_id("attachment"),
            "grant_id": grant,
            "filename": given.get("filename", ""),
            "content_type": given.get("content_type", "application/octet-stream"),
            "size": _size_bytes(given),
            "content_id": given.get("content_id", ""),
            "is_inline": False,
        }
        for given in objects_in(fields.get("attachments"))
    ]
    for attachment in attachments:
        mailbox.collections["attachments"].add(attachment)
    now = call.world.now()
    sender = [{"name": "Ada Example", "email": mailbox.grant["email"]}]
    message: Json = {
        **{name: [] for name in ("cc", "bcc", "reply_to", "to")},
        "from": sender,
        "subject": "",
        "body": "",
        "unread": False,
        "starred": False,
        "date": now,
        "created_at": now,
        "thread_id": call.world.fresh_id("thread"),
        "folders": ["DRAFT" if kind == "draft" else "SENT"],
        **{key: value for key, value in fields.items() if key != "raw_mime"},
    }
    own: Json = {"id": call.world.fresh_id(kind), "grant_id": grant, "object": kind, "attachments": attachments}
    return {**message, **own, "snippet": str(message["body"])[:_SNIPPET_CHARACTERS]}


def _deliver(call: Call, fields: Json, message: Json) -> None:
    """Count the delivery under what the recipients see: ids and times of the simulator play no part."""
    files = [[item["filename"], item["size"]] for item in message["attachments"]]
    content: Json = {name: message.get(name) for name in _CONTENT} | {"attachments": files, "mime": fields.get("raw_mime")}
    call.world.deliveries.note(content, call.arrival)


def _send(call: Call, mailbox: Mailbox) -> Reply:
    fields = _sent_fields(call)
    if isinstance(fields, Reply):
        return fields
    if not objects_in(fields.get("to")):
        return v3_invalid(call, "At least one recipient is required in 'to'")
    message = _message(call, mailbox, fields, "message")
    headers = mailbox.meter.cost("messages", "send")
    if isinstance(fields.get("send_at"), int):
        schedule: Json = {"id": call.world.fresh_id("schedule"), "status": {"code": "pending", "description": "schedule send awaiting send at time"}}
        mailbox.collections["schedules"].add(schedule)
        return v3_data(call, {**message, "schedule_id": schedule["id"]}, *headers)
    mailbox.collections["messages"].add(message)
    _deliver(call, fields, message)
    return v3_data(call, message, *headers, status=_accepted(call))


def _accepted(call: Call) -> int:
    """202 for a mail that Nylas queues and sends later."""
    return HTTPStatus.ACCEPTED if call.cues.queued else HTTPStatus.OK


def _create_draft(call: Call, mailbox: Mailbox) -> Reply:
    fields = _sent_fields(call)
    if isinstance(fields, Reply):
        return fields
    draft = _message(call, mailbox, fields, "draft")
    mailbox.collections["drafts"].add(draft)
    return v3_data(call, draft, *mailbox.meter.cost("drafts", "create"))


def _with_draft(act: Callable[[Call, Mailbox, Json], Reply]) -> Callable[[Call, Mailbox], Reply]:
    def found(call: Call, mailbox: Mailbox) -> Reply:
        draft = mailbox.collections["drafts"].find(call.ids["id"])
        return act(call, mailbox, draft) if draft else v3_missing(call, "Draft")

    return found


@_with_draft
def _update_draft(call: Call, mailbox: Mailbox, draft: Json) -> Reply:
    fields = _sent_fields(call)
    if isinstance(fields, Reply):
        return fields
    draft |= {**_message(call, mailbox, {**draft, **fields}, "draft"), "id": draft["id"]}
    return v3_data(call, draft, *mailbox.meter.cost("drafts", "update"))


@_with_draft
def _send_draft(call: Call, mailbox: Mailbox, draft: Json) -> Reply:
    if not objects_in(draft.get("to")):
        return v3_invalid(call, "At least one recipient is required in 'to'")
    mailbox.collections["drafts"].remove(draft["id"])
    message: Json = {**draft, "id": call.world.fresh_id("message"), "object": "message", "folders": ["SENT"]}
    mailbox.collections["messages"].add(message)
    _deliver(call, {}, message)
    return v3_data(call, message, *mailbox.meter.cost("drafts", "send"), status=_accepted(call))


def _clean(call: Call, mailbox: Mailbox) -> Reply:
    wanted = (call.body.json_object() or {}).get("message_id")
    if not isinstance(wanted, list):
        return v3_error(call.request_id, 400, "message_id_required_error", "message_id is required")
    found = [mailbox.collections["messages"].find(message_id) for message_id in wanted]
    cleaned = [{**message, "conversation": message["snippet"]} for message in found if message]
    return v3_data(call, cleaned, *mailbox.meter.cost("messages", "find", len(cleaned)))


def _as_schedule(schedule: Json) -> Json:
    return {"schedule_id": schedule["id"], "status": schedule["status"]}


def _list_schedules(call: Call, mailbox: Mailbox) -> Reply:
    return v3_data(call, [_as_schedule(schedule) for schedule in mailbox.collections["schedules"]])


def _find_schedule(call: Call, mailbox: Mailbox) -> Reply:
    schedule = mailbox.collections["schedules"].find(call.ids["id"])
    return v3_data(call, _as_schedule(schedule)) if schedule else v3_missing(call, "Schedule")


def _stop_schedule(call: Call, mailbox: Mailbox) -> Reply:
    """202 is final here: the message will not be sent."""
    schedule = mailbox.collections["schedules"].remove(call.ids["id"])
    return v3_data(call, {"message": "requested cancelation for workflow"}, status=202) if schedule else v3_missing(call, "Schedule")


ROUTES = (
    Route("POST", "/v3/grants/{grant}/messages/send", for_grant(_send)),
    Route("PUT", "/v3/grants/{grant}/messages/clean", for_grant(_clean)),
    Route("GET", "/v3/grants/{grant}/messages/schedules", for_grant(_list_schedules)),
    Route("GET", "/v3/grants/{grant}/messages/schedules/{id}", for_grant(_find_schedule)),
    Route("DELETE", "/v3/grants/{grant}/messages/schedules/{id}", for_grant(_stop_schedule)),
    Route("POST", "/v3/grants/{grant}/drafts", for_grant(_create_draft)),
    Route("PUT", "/v3/grants/{grant}/drafts/{id}", for_grant(_update_draft)),
    Route("POST", "/v3/grants/{grant}/drafts/{id}", for_grant(_send_draft)),
)
