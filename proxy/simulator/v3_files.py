"""Attachments in v3: download of any size, and upload sessions for large ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.simulator.call import Call, Route, for_grant, v3_data, v3_invalid, v3_missing
from proxy.simulator.downloads import download, wished_size

if TYPE_CHECKING:
    from proxy.simulator.replies import Json, Reply
    from proxy.simulator.store import Mailbox

MAX_UPLOAD_BYTES = 157_286_400
"""What Nylas documents for upload sessions: 150 MiB, Microsoft only."""


def _download(call: Call, mailbox: Mailbox) -> Reply:
    known = mailbox.collections["attachments"].find(call.ids["id"])
    size_bytes = wished_size(call.ids["id"], call.query, call.cues)
    if known is None and size_bytes is None:
        return v3_missing(call, "Attachment")
    attachment: Json = known or {"filename": "file.bin", "content_type": "application/octet-stream", "size": 0}
    size_bytes = attachment["size"] if size_bytes is None else size_bytes
    reply = download(str(attachment["filename"]), _plain_type(attachment["content_type"]), size_bytes)
    return reply.with_headers(*mailbox.meter.cost("attachments", "download"))


def _plain_type(content_type: object) -> str:
    """The type a client gave its attachment, unless it cannot stand in a header."""
    usable = isinstance(content_type, str) and content_type.isascii() and content_type.isprintable() and content_type
    return str(content_type) if usable else "application/octet-stream"


def _begin_upload(call: Call, mailbox: Mailbox) -> Reply:
    fields = call.body.json_object()
    if fields is None or not isinstance(fields.get("filename"), str):
        return v3_invalid(call, "filename is required")
    session: Json = {
        "attachment_id": call.world.fresh_id("attachment"),
        "grant_id": mailbox.grant["id"],
        "method": "PUT",
        "url": "https://storage.example.com/upload",
        "headers": {},
        "expires_at": "2026-12-31T00:00:00Z",
        "max_size": MAX_UPLOAD_BYTES,
        "size": fields.get("size", 0),
        "content_type": fields.get("content_type", "application/octet-stream"),
        "filename": fields["filename"],
    }
    mailbox.collections["attachment_uploads"].add({**session, "id": session["attachment_id"]})
    return v3_data(call, session)


def _complete_upload(call: Call, mailbox: Mailbox) -> Reply:
    session = mailbox.collections["attachment_uploads"].find(call.ids["id"])
    if session is None:
        return v3_missing(call, "Upload session")
    return v3_data(call, {"attachment_id": session["id"], "grant_id": mailbox.grant["id"], "status": "ready"})


ROUTES = (
    Route("GET", "/v3/grants/{grant}/attachments/{id}/download", for_grant(_download)),
    Route("POST", "/v3/grants/{grant}/attachment-uploads", for_grant(_begin_upload)),
    Route("POST", "/v3/grants/{grant}/attachment-uploads/{id}/complete", for_grant(_complete_upload)),
)
