"""Free-busy, availability, RSVP and iCalendar files in v2."""

from __future__ import annotations

from proxy.simulator.call import Call, Route, v2_invalid, v2_missing
from proxy.simulator.replies import Json, Reply, json_reply
from proxy.simulator.v3_calendar import HALF_HOUR_S, span
from proxy.simulator.v3_objects import objects_in


def _free_busy(call: Call) -> Reply:
    fields = call.body.json_object() or {}
    asked, emails = span(fields), fields.get("emails")
    if asked is None or not isinstance(emails, list):
        return v2_invalid("start_time, end_time and emails are required")
    slot: Json = {"object": "time_slot", "status": "busy", "start_time": asked[0], "end_time": asked[0] + HALF_HOUR_S}
    return json_reply([{"object": "free_busy", "email": str(email), "time_slots": [slot]} for email in emails])


def _slot(call: Call) -> Json | str:
    fields = call.body.json_object() or {}
    asked, minutes = span(fields), fields.get("duration_minutes")
    if asked is None or not isinstance(minutes, int):
        return "start_time, end_time and duration_minutes are required"
    emails = fields.get("emails")
    slot: Json = {"object": "time_slot", "status": "free", "start_time": asked[0], "end_time": asked[0] + minutes * 60}
    return {**slot, "emails": emails if isinstance(emails, list) else []}


def _availability(call: Call) -> Reply:
    slot = _slot(call)
    return v2_invalid(slot) if isinstance(slot, str) else json_reply({"object": "availability", "time_slots": [slot]})


def _consecutive(call: Call) -> Reply:
    slot = _slot(call)
    return v2_invalid(slot) if isinstance(slot, str) else json_reply([[slot]])


def _rsvp(call: Call) -> Reply:
    fields = call.body.json_object() or {}
    event = call.world.account["events"].find(fields.get("event_id"))
    if event is None:
        return v2_missing("event")
    status = fields.get("status")
    if status not in ("yes", "no", "maybe"):
        return v2_invalid("Invalid status, must be yes, no or maybe")
    event["participants"] = [{**person, "status": status, "comment": fields.get("comment")} for person in objects_in(event["participants"])]
    call.world.deltas.note("modify", "event", event)
    return json_reply(event)


def _to_ics(call: Call) -> Reply:
    fields = call.body.json_object() or {}
    event = call.world.account["events"].find(fields.get("event_id")) or fields
    lines = ("BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", f"SUMMARY:{event.get('title', '')}", "END:VEVENT", "END:VCALENDAR", "")
    return json_reply({"ics": "\r\n".join(lines)})


ROUTES = (
    Route("POST", "/calendars/free-busy", _free_busy),
    Route("POST", "/calendars/availability", _availability),
    Route("POST", "/calendars/availability/consecutive", _consecutive),
    Route("POST", "/send-rsvp", _rsvp),
    Route("POST", "/events/to-ics", _to_ics),
)
