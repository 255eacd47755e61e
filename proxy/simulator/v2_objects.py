"""What v2 adds to the objects that clients create or change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.simulator.v3_objects import objects_in, with_kind_of_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.simulator.call import Call
    from proxy.simulator.replies import Json
    from proxy.simulator.store import World

_SNIPPET_CHARACTERS = 100
_SENDER = ({"name": "Ada Example", "email": "ada@example.com"},)


def expanded(world: World, fields: Json) -> Json:
    """Changed fields as answers show them: folders and labels, named by id in requests, as objects; times with their kind."""
    shown = dict(fields)
    if isinstance(shown.get("folder"), str):
        shown["folder"] = world.account["folders"].find(shown["folder"])
    if isinstance(shown.get("labels"), list):
        found = [world.account["labels"].find(label) for label in shown["labels"]]
        shown["labels"] = [label for label in found if label]
    if "when" in shown:
        shown["when"] = with_kind_of_time(shown["when"])
    return shown


def message_fields(call: Call, fields: Json) -> Json:
    """A message or draft made of the client's fields."""
    known = call.world.account["files"]
    ids = fields.get("file_ids")
    files = [known.find(file_id) for file_id in ids] if isinstance(ids, list) else []
    defaults: Json = {
        **{name: [] for name in ("to", "cc", "bcc", "reply_to", "events", "labels")},
        "from": list(_SENDER),
        "subject": "",
        "body": "",
        "unread": False,
        "starred": False,
        "date": call.world.now(),
        "thread_id": call.world.fresh_id("thread"),
    }
    given = {key: value for key, value in fields.items() if value is not None}
    message: Json = {**defaults, **given, "files": [file for file in files if file]}
    return {**message, "snippet": str(message["body"])[:_SNIPPET_CHARACTERS]}


def _draft(call: Call, fields: Json) -> Json:
    return {**message_fields(call, fields), "version": 0}


def _event(call: Call, fields: Json) -> Json:
    participants = [{"status": "noreply", **person} for person in objects_in(fields.get("participants"))]
    defaults: Json = {"busy": True, "read_only": False, "status": "confirmed", "when": {"time": call.world.now()}}
    event = {**defaults, **fields, "participants": participants}
    return {**event, "when": with_kind_of_time(event["when"])}


def _calendar(_call: Call, fields: Json) -> Json:
    return {"name": "", "description": None, "timezone": "Etc/UTC", "read_only": False, "is_primary": False, **fields}


def _contact(_call: Call, fields: Json) -> Json:
    lists: Json = {name: [] for name in ("emails", "phone_numbers", "im_addresses", "physical_addresses", "web_pages", "groups")}
    return {**lists, "source": "address_book", "picture_url": None, **fields}


def _folder(_call: Call, fields: Json) -> Json:
    return {"name": fields.get("display_name", ""), **fields}


def _webhook(_call: Call, fields: Json) -> Json:
    return {"application_id": "application-1", "state": "active", "triggers": [], "version": "2.0", **fields}


COMPLETIONS: dict[str, Callable[[Call, Json], Json]] = {
    "drafts": _draft,
    "events": _event,
    "calendars": _calendar,
    "contacts": _contact,
    "folders": _folder,
    "labels": _folder,
    "v2_webhooks": _webhook,
}
