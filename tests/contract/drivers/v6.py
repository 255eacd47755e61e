"""Drives the official SDK nylas 6 (API v3): `python v6.py BASE_URL < CASES`.

A case is `{"case": NAME, "call": one of CALLS, "headers": {...}, "base_url": URL}`. Headers, and a base URL of the case's
own, go by the SDK's `overrides`; its downloads take none (nylas/handler/http_client.py hands them to the wrong parameter).
"""

from __future__ import annotations

import io
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import outcome
import requests_toolbelt.multipart.encoder
from nylas import Client

KEY = "nyk_v0_contract"
LARGE_ATTACHMENT_BYTES = 3 * 1024 * 1024 + 4_321
TIME_OUT_S = 30
PERSON = {"name": "Søren Ångström", "email": "soren@example.com"}
NOON_S = 1_700_049_600
DAY_S = 86_400


@dataclass(frozen=True)
class Application:
    """What every call needs: the client, the grant to act for, the `overrides` that carry extra headers."""

    client: Client
    grant: str
    overrides: dict[str, Any]

    def do(self, method: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """Call a method of the application's level."""
        return method(*arguments, overrides=self.overrides, **keywords)

    def of_grant(self, method: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """Call a method that takes the grant first."""
        return method(self.grant, *arguments, overrides=self.overrides, **keywords)

    def first(self, method: Callable[..., Any], **query: str) -> str:
        """Give the id of the first object that a list method of the grant returns."""
        return self.of_grant(method, query_params=query).data[0].id

    def made(self, method: Callable[..., Any], body: dict[str, Any]) -> str:
        """Give the id of the object that a create method of the grant makes."""
        return self.of_grant(method, body).data.id


def message(**more: Any) -> dict[str, Any]:
    """Give the body of a message to send."""
    return {"to": [PERSON], "subject": "Grüße, contract", "body": "<p>1 < 2 & ü</p>", **more}


def attachment(size_bytes: int) -> dict[str, Any]:
    """Give an attachment of so many bytes, the same ones every time."""
    pattern = bytes(range(256)) * (size_bytes // 256 + 1)
    return {"filename": "größe.bin", "content_type": "application/octet-stream", "content": io.BytesIO(pattern[:size_bytes]), "size": size_bytes}


def second_page(a: Application) -> Any:
    """List one message, then the next one by the cursor."""
    cursor = a.of_grant(a.client.messages.list, query_params={"limit": 1}).next_cursor
    return a.of_grant(a.client.messages.list, query_params={"limit": 1, "page_token": cursor})


def attached(a: Application) -> tuple[str, dict[str, str]]:
    """Give the id of an attachment and the query that names its message."""
    holder = next(found for found in a.of_grant(a.client.messages.list).data if found.attachments)
    return holder.attachments[0].id, {"message_id": holder.id}


def on_calendar(a: Application) -> dict[str, str]:
    """Give the query that names the grant's first calendar."""
    return {"calendar_id": a.first(a.client.calendars.list)}


def event_call(method: str, *body: dict[str, Any]) -> Callable[[Application], Any]:
    """Make a call that makes an event and then does `method` with it."""

    def call(a: Application) -> Any:
        query = on_calendar(a)
        event = {"title": "Review", "when": {"start_time": NOON_S, "end_time": NOON_S + 1_800}}
        made = a.of_grant(a.client.events.create, event, query_params=query).data.id
        return a.of_grant(getattr(a.client.events, method), made, *body, query_params=query)

    return call


def availability(a: Application) -> Any:
    """Ask for free times of half an hour."""
    body = {"participants": [{"email": PERSON["email"]}], "start_time": NOON_S, "end_time": NOON_S + DAY_S, "duration_minutes": 30}
    return a.do(a.client.calendars.get_availability, body)


def hosted_auth_url(a: Application) -> str:
    """Build the URL that a person opens to log in."""
    return a.client.auth.url_for_oauth2(
        {"client_id": "app", "redirect_uri": "https://app.example.com/cb?a=1", "scope": ["mail.read", "a/b"], "state": "ü;&="}
    )


def exchange(a: Application) -> Any:
    """Exchange an authorisation code for tokens."""
    return a.do(a.client.auth.exchange_code_for_token, {"redirect_uri": "https://app.example.com/cb?a=1", "code": "one-time", "client_id": "app"})


def refresh(a: Application) -> Any:
    """Refresh an access token."""
    return a.do(a.client.auth.refresh_access_token, {"redirect_uri": "https://app.example.com/cb", "refresh_token": "r", "client_id": "app"})


Calls = dict[str, Callable[[Application], Any]]

AWKWARD_QUERY = {"limit": 2, "in": ["INBOX", "a/b c"], "search_query_native": "from:a+b@c.d;x=ü%"}
MIME = "To: a@example.com\r\nSubject: MIME\r\n\r\nü\r\n"

MESSAGES: Calls = {
    "messages.list": lambda a: a.of_grant(a.client.messages.list),
    "messages.list.filtered": lambda a: a.of_grant(a.client.messages.list, query_params=AWKWARD_QUERY),
    "messages.list.second_page": second_page,
    "messages.find": lambda a: a.of_grant(a.client.messages.find, a.first(a.client.messages.list)),
    "messages.find.headers": lambda a: a.of_grant(
        a.client.messages.find, a.first(a.client.messages.list), query_params={"fields": "include_headers"}
    ),
    "messages.find.missing": lambda a: a.of_grant(a.client.messages.find, "a/b+c%2F==;é"),
    "messages.update": lambda a: a.of_grant(a.client.messages.update, a.first(a.client.messages.list), {"starred": True, "unread": False}),
    "messages.destroy": lambda a: a.of_grant(a.client.messages.destroy, a.made(a.client.messages.send, message())),
    "messages.send": lambda a: a.of_grant(a.client.messages.send, message(from_=[PERSON])),
    "messages.send.small_attachment": lambda a: a.of_grant(a.client.messages.send, message(attachments=[attachment(5_000)])),
    "messages.send.large_attachment": lambda a: a.of_grant(a.client.messages.send, message(attachments=[attachment(LARGE_ATTACHMENT_BYTES)])),
    "messages.send_raw_mime": lambda a: a.of_grant(a.client.messages.send_raw_mime, {"mime": MIME}),
    "messages.clean": lambda a: a.of_grant(a.client.messages.clean_messages, {"message_id": [a.first(a.client.messages.list)]}),
    "messages.schedules": lambda a: a.of_grant(a.client.messages.list_scheduled_messages),
    "smart_compose": lambda a: a.of_grant(a.client.messages.smart_compose.compose_message, {"prompt": "Say hello"}),
    "smart_compose.reply": lambda a: a.of_grant(
        a.client.messages.smart_compose.compose_message_reply, a.first(a.client.messages.list), {"prompt": "Agree"}
    ),
    "drafts.list": lambda a: a.of_grant(a.client.drafts.list),
    "drafts.create": lambda a: a.of_grant(a.client.drafts.create, message(attachments=[attachment(5_000)])),
    "drafts.find": lambda a: a.of_grant(a.client.drafts.find, a.made(a.client.drafts.create, message())),
    "drafts.update": lambda a: a.of_grant(a.client.drafts.update, a.made(a.client.drafts.create, message()), {"subject": "New"}),
    "drafts.send": lambda a: a.of_grant(a.client.drafts.send, a.made(a.client.drafts.create, message())),
    "drafts.destroy": lambda a: a.of_grant(a.client.drafts.destroy, a.made(a.client.drafts.create, message())),
    "threads.list": lambda a: a.of_grant(a.client.threads.list, query_params={"limit": 2}),
    "threads.find": lambda a: a.of_grant(a.client.threads.find, a.first(a.client.threads.list)),
    "threads.update": lambda a: a.of_grant(a.client.threads.update, a.first(a.client.threads.list), {"unread": False}),
    "attachments.find": lambda a: a.of_grant(a.client.attachments.find, *attached(a)),
    "attachments.download": lambda a: a.client.attachments.download(a.grant, *attached(a)),
    "attachments.download_bytes": lambda a: a.client.attachments.download_bytes(a.grant, *attached(a)),
    "attachments.download.large": lambda a: a.client.attachments.download(a.grant, "size-5000000", {"message_id": "m1"}),
    "attachments.download.throttled": lambda a: a.client.attachments.download_bytes(a.grant, "throttled", {"message_id": "m1"}),
    "attachments.download.page": lambda a: a.client.attachments.download(a.grant, "page", {"message_id": "m1"}),
    "attachments.download.broken": lambda a: a.client.attachments.download(a.grant, "size-1000001", {"message_id": "m1"}),
    "attachments.download_bytes.broken": lambda a: a.client.attachments.download_bytes(a.grant, "size-1000001", {"message_id": "m1"}),
    "attachments.upload_session": lambda a: a.of_grant(a.client.attachments.create_upload_session, {"filename": "a", "content_type": "text/plain"}),
    "attachments.complete_session": lambda a: a.of_grant(a.client.attachments.complete_upload_session, "a1"),
}
CALENDAR_AND_PEOPLE: Calls = {
    "events.list": lambda a: a.of_grant(a.client.events.list, query_params=on_calendar(a)),
    "events.find": event_call("find"),
    "events.update": event_call("update", {"title": "Später"}),
    "events.destroy": event_call("destroy"),
    "events.send_rsvp": event_call("send_rsvp", {"status": "yes"}),
    "calendars.list": lambda a: a.of_grant(a.client.calendars.list),
    "calendars.find": lambda a: a.of_grant(a.client.calendars.find, a.first(a.client.calendars.list)),
    "calendars.create": lambda a: a.of_grant(a.client.calendars.create, {"name": "Räume"}),
    "calendars.update": lambda a: a.of_grant(a.client.calendars.update, a.first(a.client.calendars.list), {"description": "x"}),
    "calendars.destroy": lambda a: a.of_grant(a.client.calendars.destroy, a.made(a.client.calendars.create, {"name": "Gone"})),
    "calendars.availability": availability,
    "calendars.free_busy": lambda a: a.of_grant(
        a.client.calendars.get_free_busy, {"start_time": NOON_S, "end_time": NOON_S + DAY_S, "emails": [PERSON["email"]]}
    ),
    "contacts.list": lambda a: a.of_grant(a.client.contacts.list),
    "contacts.find": lambda a: a.of_grant(a.client.contacts.find, a.first(a.client.contacts.list)),
    "contacts.create": lambda a: a.of_grant(a.client.contacts.create, {"given_name": "Zoë", "emails": [{"type": "work", "email": "z@example.com"}]}),
    "contacts.update": lambda a: a.of_grant(a.client.contacts.update, a.first(a.client.contacts.list), {"notes": "x"}),
    "contacts.destroy": lambda a: a.of_grant(a.client.contacts.destroy, a.made(a.client.contacts.create, {"given_name": "Gone"})),
    "folders.list": lambda a: a.of_grant(a.client.folders.list),
    "folders.find": lambda a: a.of_grant(a.client.folders.find, a.first(a.client.folders.list)),
    "folders.create": lambda a: a.of_grant(a.client.folders.create, {"name": "Ablage/2024"}),
    "folders.update": lambda a: a.of_grant(a.client.folders.update, a.made(a.client.folders.create, {"name": "Old"}), {"name": "New"}),
    "folders.destroy": lambda a: a.of_grant(a.client.folders.destroy, a.made(a.client.folders.create, {"name": "Gone"})),
}
APPLICATION: Calls = {
    "grants.list": lambda a: a.do(a.client.grants.list),
    "grants.find": lambda a: a.of_grant(a.client.grants.find),
    "grants.update": lambda a: a.of_grant(a.client.grants.update, {"scope": ["mail"]}),
    "auth.url": hosted_auth_url,
    "auth.exchange": exchange,
    "auth.refresh": refresh,
    "auth.custom": lambda a: a.do(a.client.auth.custom_authentication, {"provider": "imap", "settings": {"imap_username": "u"}}),
    "auth.token_info": lambda a: a.do(a.client.auth.validate_access_token, "access/+token"),
    "auth.revoke": lambda a: a.do(a.client.auth.revoke, "refresh/+token"),
    "auth.detect_provider": lambda a: a.do(a.client.auth.detect_provider, {"email": PERSON["email"]}),
    "applications.info": lambda a: a.do(a.client.applications.info),
    "applications.update": lambda a: a.do(a.client.applications.update, {"branding": {"name": "x"}}),
    "redirect_uris.list": lambda a: a.do(a.client.applications.redirect_uris.list),
    "webhooks.list": lambda a: a.do(a.client.webhooks.list),
    "webhooks.create": lambda a: a.do(
        a.client.webhooks.create, {"trigger_types": ["message.created"], "webhook_url": "https://app.example.com/hook"}
    ),
    "webhooks.update": lambda a: a.do(a.client.webhooks.update, "w1", {"description": "x"}),
    "notetakers.cancel": lambda a: a.do(a.client.notetakers.cancel, "n1", a.grant),
}
CALLS = {**MESSAGES, **CALENDAR_AND_PEOPLE, **APPLICATION}


def make_call(client: Client, grant: str, case: dict[str, Any]) -> Callable[[], Any]:
    """Make the call of a case."""
    application = Application(client, grant, {"headers": case["headers"], "api_uri": case["base_url"]})
    return lambda: CALLS[case["call"]](application)


def main(base_url: str) -> None:
    """Drive the SDK against `base_url`, with multipart boundaries that repeat, so that two runs can be compared byte by byte."""
    requests_toolbelt.multipart.encoder.uuid4 = lambda: uuid.UUID(int=0x5EED)
    client = Client(KEY, base_url, timeout=TIME_OUT_S)
    grant = client.grants.list().data[0].id
    outcome.run(lambda case: make_call(client, grant, case), marks_url=f"{base_url}/v3", token=KEY)


if __name__ == "__main__":
    main(sys.argv[1])
