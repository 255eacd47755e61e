"""Drives the official SDK nylas 5 (API v2): `python v5.py BASE_URL < CASES`.

A case is `{"case": NAME, "call": one of CALLS, "headers": {...}, "base_url": URL}`; the headers are set on the SDK's sessions
for that call. The client is made as for Nylas itself and pointed at the URL afterwards where that is plain http: its constructor insists
on https (nylas/client/client.py). The URLs that it computed there are computed again.
"""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Callable
from typing import Any

import outcome
import urllib3.filepost
from nylas import APIClient

TOKEN = "v2-contract-token"
LARGE_FILE_BYTES = 3 * 1024 * 1024 + 4_321
NOON_S = 1_700_049_600
DAY_S = 86_400
PERSON = {"name": "Søren Ångström", "email": "soren@example.com"}

Call = Callable[[APIClient], Any]


def client_for(base_url: str) -> APIClient:
    """Make a client of the SDK that talks to `base_url`."""
    keys = {"client_id": "app", "client_secret": "app-secret", "access_token": TOKEN}
    if base_url.startswith("https://"):
        return APIClient(**keys, api_server=base_url)
    client = APIClient(**keys)
    client.api_server = base_url
    client.authorize_url = f"{base_url}/oauth/authorize"
    client.access_token_url = f"{base_url}/oauth/token"
    client.revoke_url = f"{base_url}/oauth/revoke"
    client.application_url = f"{base_url}/a/{{client_id}}"
    client.token_info_url = f"{client.application_url}/accounts/{{account_id}}/token-info"
    client.ip_addresses_url = f"{client.application_url}/ip_addresses"
    return client


def saved(model: Any, **fields: Any) -> Any:
    """Set fields of a model and save it."""
    for name, value in fields.items():
        setattr(model, name, value)
    model.save()
    return model


def draft(c: APIClient, **more: Any) -> Any:
    """Make a draft that is not saved yet."""
    made = c.drafts.create()
    for name, value in {"to": [PERSON], "subject": "Grüße, contract", "body": "<p>1 < 2 & ü</p>", **more}.items():
        setattr(made, name, value)
    return made


def uploaded(c: APIClient, size_bytes: int) -> Any:
    """Upload a file of so many bytes, the same ones every time."""
    made = c.files.create()
    made.filename = "size.bin"
    made.content_type = "application/octet-stream"
    made.stream = io.BytesIO((bytes(range(256)) * (size_bytes // 256 + 1))[:size_bytes])
    made.save()
    del made["stream"]
    return made


def event(c: APIClient, **more: Any) -> Any:
    """Make and save an event on the first calendar."""
    fields = {"title": "Review", "calendar_id": c.calendars.first().id, "when": {"start_time": NOON_S, "end_time": NOON_S + 1_800}}
    return saved(c.events.create(), **fields, **more)


def sent_with_file(c: APIClient) -> Any:
    """Send a message that names an uploaded file."""
    made = draft(c)
    made.attach(uploaded(c, 5_000))
    return made.send()


def starred(c: APIClient) -> Any:
    """Star a message, and give it as the server has it then."""
    found = c.messages.first()
    found.star()
    return c.messages.get(found.id)


def after_a_change(c: APIClient, read: str, **options: Any) -> Any:
    """Read by `read` the deltas of a draft that was just made."""
    cursor = c.deltas.latest_cursor()
    saved(draft(c))
    return getattr(c.deltas, read)(cursor, **options)


def availability(c: APIClient) -> Any:
    """Ask for free times of half an hour."""
    return c.availability([PERSON["email"]], 30, 30, NOON_S, NOON_S + DAY_S)


CALLS: dict[str, Call] = {
    "account": lambda c: c.account,
    "messages.first": lambda c: c.messages.first(),
    "messages.all": lambda c: c.messages.all(limit=3),
    "messages.where": lambda c: c.messages.where(subject="a+b c/ü;&=", in_="inbox", limit=2).all(),
    "messages.search": lambda c: c.messages.search("from:a+b@c.d ü%", limit=2),
    "messages.get": lambda c: c.messages.get(c.messages.first().id),
    "messages.get.missing": lambda c: c.messages.get("a%2Fb;c"),
    "messages.star": starred,
    "messages.raw": lambda c: c.messages.first().raw,
    "messages.raw.known": lambda c: c.messages.create(id="m1").raw,
    "messages.delete": lambda c: c.messages.delete(c.messages.all(limit=3)[-1].id),
    "threads.all": lambda c: c.threads.all(limit=2),
    "threads.get": lambda c: c.threads.get(c.threads.first().id),
    "threads.mark_as_read": lambda c: c.threads.first().mark_as_read(),
    "drafts.all": lambda c: c.drafts.all(),
    "drafts.save": lambda c: saved(draft(c)),
    "drafts.update": lambda c: saved(saved(draft(c)), subject="Später"),
    "drafts.delete": lambda c: saved(draft(c)).delete(),
    "drafts.send": lambda c: draft(c).send(),
    "drafts.send.saved": lambda c: saved(draft(c)).send(),
    "drafts.send.file": sent_with_file,
    "drafts.send_raw": lambda c: c.drafts.create().send_raw("To: a@example.com\r\nSubject: MIME\r\n\r\nu\r\n"),
    "files.upload": lambda c: uploaded(c, 5_000),
    "files.upload.large": lambda c: uploaded(c, LARGE_FILE_BYTES),
    "files.download": lambda c: uploaded(c, LARGE_FILE_BYTES).download(),
    "files.all": lambda c: c.files.all(),
    "events.all": lambda c: c.events.all(),
    "events.where": lambda c: c.events.where(calendar_id=c.calendars.first().id, metadata_pair={"a b": "c&d"}).all(),
    "events.save": event,
    "events.save.notify": lambda c: event(c).save(notify_participants="true"),
    "events.update": lambda c: saved(event(c), title="Später"),
    "events.delete": lambda c: c.events.delete(event(c).id, notify_participants="true"),
    "calendars.all": lambda c: c.calendars.all(),
    "calendars.save": lambda c: saved(c.calendars.create(), name="Räume"),
    "calendars.free_busy": lambda c: c.free_busy([PERSON["email"]], NOON_S, NOON_S + DAY_S),
    "calendars.availability": availability,
    "contacts.all": lambda c: c.contacts.all(),
    "contacts.save": lambda c: saved(c.contacts.create(), given_name="Zoë"),
    "contacts.update": lambda c: saved(c.contacts.first(), notes="x"),
    "contacts.delete": lambda c: c.contacts.delete(saved(c.contacts.create(), given_name="Gone").id),
    "contacts.picture": lambda c: c.contacts.create(id="c1", picture_url="x").get_picture().read(),
    "folders.all": lambda c: c.folders.all(),
    "folders.save": lambda c: saved(c.folders.create(), display_name="Ablage/2024"),
    "labels.all": lambda c: c.labels.all(),
    "deltas.latest_cursor": lambda c: c.deltas.latest_cursor(),
    "deltas.since": lambda c: after_a_change(c, "since", include_types=["draft", "event"]),
    "deltas.stream": lambda c: after_a_change(c, "stream"),
    "deltas.longpoll": lambda c: after_a_change(c, "longpoll", timeout=1),
    "oauth.url": lambda c: c.authentication_url("https://app.example.com/cb?a=1", login_hint="a+b@c.d", state="ü;&="),
    "oauth.token": lambda c: c.send_authorization("one-time/+code"),
    "application": lambda c: c.application_details(),
    "application.accounts": lambda c: c.accounts.all(),
    "application.token_info": lambda c: c.token_info(account_id="a1"),
}


def make_call(client: APIClient, case: dict[str, Any]) -> Callable[[], Any]:
    """Make the call of a case; one client for all, as an application has it, so that connections are used again."""

    def call() -> Any:
        sessions = (client.session, client.admin_session)
        before = [dict(session.headers) for session in sessions]
        for session in sessions:
            session.headers.update(case["headers"])
        try:
            return CALLS[case["call"]](client)
        finally:
            client.access_token = TOKEN  # the token exchange replaces it
            for session, headers in zip(sessions, before, strict=True):
                session.headers = headers

    return call


def main(base_url: str) -> None:
    """Drive the SDK against `base_url`, with multipart boundaries that repeat, so that two runs can be compared byte by byte."""
    urllib3.filepost.choose_boundary = lambda: "boundary-of-the-contract"
    clients = functools.cache(client_for)
    outcome.run(lambda case: make_call(clients(case["base_url"]), case), marks_url=base_url, token=TOKEN)


if __name__ == "__main__":
    main(sys.argv[1])
