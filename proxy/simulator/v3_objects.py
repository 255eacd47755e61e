"""What Nylas adds to the objects that clients create or change: the fields that the official SDKs' models require."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.simulator.call import Call
    from proxy.simulator.replies import Json

_WHEN_KINDS = (("start_time", "timespan"), ("start_date", "datespan"), ("time", "time"), ("date", "date"))


def with_kind_of_time(when: object) -> object:
    """An event's `when` with its `object`: clients leave it out, answers have it."""
    if not isinstance(when, dict):
        return when
    kind = next((kind for key, kind in _WHEN_KINDS if key in when), None)
    return {**when, "object": kind} if kind else when


def objects_in(value: object) -> list[Json]:
    """The objects of a list; anything else counts as none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _event(call: Call, fields: Json) -> Json:
    now = call.world.now()
    participants = [{"status": "noreply", **person} for person in objects_in(fields.get("participants"))]
    defaults: Json = {
        "calendar_id": call.query.get("calendar_id", "calendar-1"),
        "busy": True,
        "read_only": False,
        "status": "confirmed",
        "created_at": now,
        "when": {"time": now},
    }
    event = {**defaults, **fields, "participants": participants, "updated_at": now}
    return {**event, "when": with_kind_of_time(event["when"])}


def _calendar(_call: Call, fields: Json) -> Json:
    return {"name": "", "timezone": "Etc/UTC", "read_only": False, "is_owned_by_user": True, "is_primary": False, **fields}


def _contact(_call: Call, fields: Json) -> Json:
    return {"emails": [], "phone_numbers": [], "groups": [], "source": "address_book", **fields}


def _folder(_call: Call, fields: Json) -> Json:
    return {"name": "", "system_folder": False, "total_count": 0, "unread_count": 0, **fields}


def _webhook(call: Call, fields: Json) -> Json:
    now = call.world.now()
    defaults = {"trigger_types": [], "webhook_url": "", "notification_email_addresses": [], "status": "active", "created_at": now}
    return {"webhook_secret": "example-secret", **defaults, **fields, "status_updated_at": now, "updated_at": now}


def _redirect_uri(_call: Call, fields: Json) -> Json:
    return {"url": "", "platform": "web", "settings": {}, **fields}


COMPLETIONS: dict[str, Callable[[Call, Json], Json]] = {
    "events": _event,
    "calendars": _calendar,
    "contacts": _contact,
    "folders": _folder,
    "webhooks": _webhook,
    "redirect_uris": _redirect_uri,
}
