"""Free-busy, availability and RSVP in v3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.simulator.call import Call, Route, for_grant, v3_data, v3_done, v3_invalid, v3_missing
from proxy.simulator.v3_objects import objects_in

if TYPE_CHECKING:
    from proxy.simulator.replies import Json, Reply
    from proxy.simulator.store import Mailbox

HALF_HOUR_S = 1800
UNKNOWN_CALENDAR = "unknown"
"""Addresses that begin so get an error item inside the 200, as Nylas does for calendars it cannot read."""


def span(fields: Json) -> tuple[int, int] | None:
    """The start and end of the time that a request asks about, in Unix seconds, or None without a proper one."""
    start, end = fields.get("start_time"), fields.get("end_time")
    return (start, end) if isinstance(start, int) and isinstance(end, int) and start < end else None


def _free_busy(call: Call, _mailbox: Mailbox) -> Reply:
    fields = call.body.json_object() or {}
    asked, emails = span(fields), fields.get("emails")
    if asked is None or not isinstance(emails, list):
        return v3_invalid(call, "start_time, end_time and emails are required")
    return v3_data(call, [_busy(str(email), asked[0]) for email in emails])


def _busy(email: str, start: int) -> Json:
    if email.startswith(UNKNOWN_CALENDAR):
        return {"email": email, "error": "Unable to resolve e-mail address", "object": "error"}
    slot: Json = {"start_time": start, "end_time": start + HALF_HOUR_S, "status": "busy", "object": "time_slot"}
    return {"email": email, "time_slots": [slot], "object": "free_busy"}


def _availability(call: Call) -> Reply:
    fields = call.body.json_object() or {}
    asked, minutes = span(fields), fields.get("duration_minutes")
    if asked is None or not isinstance(minutes, int):
        return v3_invalid(call, "start_time, end_time and duration_minutes are required")
    emails = [str(person.get("email", "")) for person in objects_in(fields.get("participants"))]
    slot: Json = {"emails": emails, "start_time": asked[0], "end_time": asked[0] + minutes * 60}
    return v3_data(call, {"order": [], "time_slots": [slot]})


def _rsvp(call: Call, mailbox: Mailbox) -> Reply:
    if mailbox.collections["events"].find(call.ids["id"]) is None:
        return v3_missing(call, "Event")
    if (call.body.json_object() or {}).get("status") not in {"yes", "no", "maybe"}:
        return v3_invalid(call, "status must be yes, no or maybe")
    return v3_done(call)


ROUTES = (
    Route("POST", "/v3/grants/{grant}/calendars/free-busy", for_grant(_free_busy)),
    Route("POST", "/v3/calendars/availability", _availability),
    Route("POST", "/v3/grants/{grant}/events/{id}/send-rsvp", for_grant(_rsvp)),
)
