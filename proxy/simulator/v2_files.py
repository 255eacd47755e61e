"""Files in v2: upload, download, and the pictures of contacts."""

from __future__ import annotations

from proxy.simulator.call import Call, Route, v2_invalid, v2_missing
from proxy.simulator.downloads import download, wished_size
from proxy.simulator.forms import boundary_of, split_form
from proxy.simulator.replies import Json, Reply, json_reply, v2_error
from proxy.simulator.v2_resources import ACCOUNT_ID

MAX_UPLOAD_BYTES = 25_000_000
_PICTURE = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9"


def _upload(call: Call) -> Reply:
    if call.body.content is None or len(call.body.content) > MAX_UPLOAD_BYTES:
        return v2_error(413, "invalid_request_error", "The file exceeds the capacity limit for Send and Files")
    boundary = boundary_of(call.headers.get("Content-Type", ""))
    parts = split_form(call.body.content, boundary) if boundary else None
    if not parts:
        return v2_invalid("The request must be a form with at least one file")
    files: list[Json] = []
    for part in parts:
        file_id = call.world.fresh_id("file")
        call.world.keep_file(file_id, part.content)
        own: Json = {"id": file_id, "account_id": ACCOUNT_ID, "object": "file", "content_id": None, "message_ids": []}
        files.append({**own, "filename": part.filename, "content_type": part.content_type, "size": len(part.content)})
        call.world.account["files"].add(files[-1])
    return json_reply(files)


def _download(call: Call) -> Reply:
    file_id = call.ids["id"]
    size_bytes = wished_size(file_id, call.query, call.cues)
    known = call.world.account["files"].find(file_id)
    if size_bytes is None and file_id in call.world.files:
        return Reply(200, (("Content-Type", "application/octet-stream"),), call.world.files[file_id])
    if size_bytes is None and known is None:
        return v2_missing("file")
    return download("report.pdf", "application/octet-stream", known["size"] if size_bytes is None and known else size_bytes or 0)


def _picture(call: Call) -> Reply:
    contact = call.world.account["contacts"].find(call.ids["id"])
    has_picture = contact is not None and contact.get("picture_url")
    return Reply(200, (("Content-Type", "image/jpeg"),), _PICTURE) if has_picture else Reply(404)


ROUTES = (
    Route("POST", "/files", _upload),
    Route("GET", "/files/{id}/download", _download),
    Route("GET", "/contacts/{id}/picture", _picture),
)
