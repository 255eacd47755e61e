from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from simulator.rig import PATIENCE_S

if TYPE_CHECKING:
    from simulator.rig import Simulator

TO = [{"email": "x@example.com", "name": "X"}]
KINDS = {
    "messages": "message",
    "threads": "thread",
    "drafts": "draft",
    "events": "event",
    "calendars": "calendar",
    "contacts": "contact",
    "folders": "folder",
    "labels": "label",
    "files": "file",
}


@pytest.mark.parametrize(("collection", "kind"), KINDS.items())
async def test_lists_are_bare_arrays_of_objects_of_one_kind(nylas: Simulator, collection: str, kind: str) -> None:
    answer = await nylas.ask("GET", f"/{collection}")
    assert {(item["object"], item["account_id"]) for item in answer.json()} == {(kind, "account-1")}  # the SDK drops other kinds silently
    assert (await nylas.ask("GET", f"/{collection}/{answer.json()[0]['id']}")).json() == answer.json()[0]
    assert answer.headers["nylas-api-version"] == "2.5"
    assert "x-request-id" not in answer.headers


async def test_pages_go_by_offset_and_views_count_or_name(nylas: Simulator) -> None:
    assert [item["id"] for item in (await nylas.ask("GET", "/messages?limit=2&offset=1")).json()] == ["message-2", "message-3"]
    assert (await nylas.ask("GET", "/messages?offset=9")).json() == []
    assert (await nylas.ask("GET", "/messages?view=count")).json() == {"count": 4}
    assert (await nylas.ask("GET", "/messages?view=ids&limit=1")).json() == ["message-1"]
    assert (await nylas.ask("GET", "/messages?limit=x")).json()["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("collection", "body", "change"),
    [
        ("drafts", {"subject": "T", "to": TO}, {"subject": "U"}),
        ("events", {"title": "T", "when": {"time": 5}}, {"title": "U"}),
        ("calendars", {"name": "T"}, {"name": "U"}),
        ("contacts", {"given_name": "T"}, {"given_name": "U"}),
        ("folders", {"display_name": "T"}, {"display_name": "U"}),
        ("labels", {"display_name": "T"}, {"display_name": "U"}),
        ("a/client/webhooks", {"callback_url": "T"}, {"state": "inactive"}),
    ],
)
async def test_objects_are_created_changed_and_deleted(nylas: Simulator, collection: str, body: Any, change: Any) -> None:
    created = (await nylas.ask("POST", f"/{collection}", json=body)).json()
    changed = (await nylas.ask("PUT", f"/{collection}/{created['id']}", json=change)).json()
    assert change.items() <= changed.items()
    assert (await nylas.ask("GET", f"/{collection}/{created['id']}")).json() == changed
    assert (await nylas.ask("DELETE", f"/{collection}/{created['id']}", json={"version": 1})).status == 200
    assert (await nylas.ask("GET", f"/{collection}/{created['id']}")).status == 404


async def test_an_empty_put_is_refused(nylas: Simulator) -> None:
    for path in ("/messages/message-1", "/a/client"):
        answer = await nylas.ask("PUT", path)
        assert (answer.status, answer.json()) == (400, {"message": "Empty request body", "type": "invalid_request_error"})


async def test_labels_and_folders_are_named_by_id_and_shown_as_objects(nylas: Simulator) -> None:
    changed = (await nylas.ask("PUT", "/messages/message-1", json={"labels": ["label-1", "none", 5], "folder": "folder-1"})).json()
    assert ([label["id"] for label in changed["labels"]], changed["folder"]["name"]) == (["label-1"], "inbox")


@pytest.mark.parametrize("credentials", ["", "Basic", "Basic Og==", "Basic !", "Bearer", "Digest x"])
async def test_wrong_credentials_get_the_plain_refusal(nylas: Simulator, credentials: str) -> None:
    answer = await nylas.ask("GET", "/account", headers={"Authorization": credentials})
    assert (answer.status, answer.body) == (401, b"Could not verify access credential.")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="API Access Token Required"'


async def test_a_token_may_come_as_basic_user(nylas: Simulator) -> None:
    assert (await nylas.ask("GET", "/account", headers={"Authorization": "Basic dG9rZW46"})).json()["id"] == "account-1"


async def test_search_looks_into_messages_and_threads(nylas: Simulator) -> None:
    assert [item["id"] for item in (await nylas.ask("GET", "/messages/search?q=KÖLN")).json()] == ["message-3"]
    assert [item["id"] for item in (await nylas.ask("GET", "/threads/search?q=quarterly&limit=1")).json()] == ["thread-1"]
    assert (await nylas.ask("GET", "/messages/search")).status == 400


async def test_a_raw_message_is_mime_or_not_there_yet(nylas: Simulator) -> None:
    raw = await nylas.ask("GET", "/messages/message-1", headers={"Accept": "message/rfc822"})
    assert raw.headers["Content-Type"] == "message/rfc822"
    assert raw.body.startswith(b"Subject: Quarterly report\n")
    assert (await nylas.ask("GET", "/messages/message-unsynced", headers={"Accept": "message/rfc822"})).status == 202
    assert (await nylas.ask("GET", "/messages/message-unsynced")).status == 200


async def test_messages_are_sent_as_json_as_draft_and_as_mime(nylas: Simulator) -> None:
    assert (await nylas.ask("POST", "/send", json={"to": TO, "subject": "one"})).json()["object"] == "message"
    assert (await nylas.ask("POST", "/send", json={"draft_id": "draft-1", "version": 0})).json()["subject"] == "Half a thought"
    mime = b"To: x@example.com\r\nSubject: three\r\n\r\nb"
    assert (await nylas.ask("POST", "/send", data=mime, headers={"Content-Type": "message/rfc822"})).json()["subject"] == "three"
    assert (await nylas.deliveries())["delivered"] == 3
    assert (await nylas.ask("GET", "/drafts/draft-1")).status == 404


@pytest.mark.parametrize(
    ("body", "status"), [({}, 400), ({"to": []}, 400), ({"draft_id": "none"}, 404), ({"draft_id": "draft-1", "version": 7}, 409), ([], 400)]
)
async def test_a_send_that_makes_no_sense_delivers_nothing(nylas: Simulator, body: Any, status: int) -> None:
    assert (await nylas.ask("POST", "/send", json=body)).status == status
    assert (await nylas.deliveries())["delivered"] == 0
    assert (await nylas.ask("GET", "/drafts/draft-1")).status == 200


async def test_an_uploaded_file_comes_back_byte_for_byte(nylas: Simulator) -> None:
    content = bytes(range(256)) + b"\r\n--not the boundary\r\n\r\n"
    form = aiohttp.FormData()
    form.add_field("file", content, filename="a.bin", content_type="application/x-a")
    uploaded = (await nylas.ask("POST", "/files", data=form)).json()[0]
    assert (uploaded["filename"], uploaded["size"]) == ("a.bin", len(content))
    assert (await nylas.ask("GET", f"/files/{uploaded['id']}/download")).body == content
    draft = (await nylas.ask("POST", "/drafts", json={"file_ids": [uploaded["id"]]})).json()
    assert draft["files"] == [uploaded]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx"),
        ("multipart/form-data; boundary=b", b"--b\r\nA: b\r\n\r\nx\r\n--b\r\nA: b\r\n\r\ny"),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=b", b"--b--"),
    ],
)
async def test_an_upload_that_is_no_whole_form_is_refused(nylas: Simulator, content_type: str, body: bytes) -> None:
    assert (await nylas.ask("POST", "/files", data=body, headers={"Content-Type": content_type})).status == 400


async def test_files_can_be_of_any_size(nylas: Simulator) -> None:
    assert len((await nylas.ask("GET", "/files/size-100000/download")).body) == 100_000
    assert len((await nylas.ask("GET", "/files/file-1/download")).body) == 20_000
    assert (await nylas.ask("GET", "/files/none/download")).status == 404


async def test_a_contact_without_a_picture_has_an_empty_404(nylas: Simulator) -> None:
    assert (await nylas.ask("GET", "/contacts/contact-1/picture")).headers["Content-Type"] == "image/jpeg"
    without = await nylas.ask("GET", "/contacts/contact-2/picture")
    assert (without.status, without.body) == (404, b"")


async def test_calendars_tell_busy_and_free_times(nylas: Simulator) -> None:
    asked = {"start_time": 1_000, "end_time": 9_000, "emails": ["a@example.com"], "duration_minutes": 30}
    assert (await nylas.ask("POST", "/calendars/free-busy", json=asked)).json()[0]["time_slots"][0]["status"] == "busy"
    slot = (await nylas.ask("POST", "/calendars/availability", json=asked)).json()["time_slots"][0]
    assert slot == {"object": "time_slot", "status": "free", "start_time": 1_000, "end_time": 2_800, "emails": ["a@example.com"]}
    consecutive = await nylas.ask("POST", "/calendars/availability/consecutive", json={**asked, "emails": [["a@example.com"]]})
    assert consecutive.json()[0][0]["end_time"] == 2_800
    assert (await nylas.ask("POST", "/calendars/free-busy", json={})).status == 400


async def test_an_rsvp_changes_the_event(nylas: Simulator) -> None:
    event = (await nylas.ask("POST", "/send-rsvp", json={"event_id": "event-1", "status": "maybe"})).json()
    assert [person["status"] for person in event["participants"]] == ["maybe"]
    assert (await nylas.ask("POST", "/send-rsvp", json={"event_id": "event-1", "status": []})).status == 400
    assert "SUMMARY:Planning" in (await nylas.ask("POST", "/events/to-ics", json={"event_id": "event-1"})).json()["ics"]


async def test_a_code_is_exchanged_from_form_json_or_query(nylas: Simulator) -> None:
    fields = {"client_id": "c", "client_secret": "s", "code": "x"}
    assert (await nylas.ask("POST", "/oauth/token", headers={"Authorization": ""}, data=fields)).json()["access_token"]
    assert (await nylas.ask("POST", "/oauth/token", headers={"Authorization": ""}, json=fields)).json()["access_token"]
    assert (await nylas.ask("GET", "/oauth/token?client_id=c&client_secret=s&code=x")).json()["account_id"] == "account-1"


async def test_errors_of_the_token_endpoint_are_html_for_who_does_not_ask_for_json(nylas: Simulator) -> None:
    assert (await nylas.ask("POST", "/oauth/token", headers={"Accept": "*/*"})).headers["Content-Type"] == "text/html"
    asking_for_json = await nylas.ask("POST", "/oauth/token", headers={"Accept": "application/json"})
    assert asking_for_json.json()["message"] == "Missing required parameter: client_id"


async def test_the_application_manages_its_accounts(nylas: Simulator) -> None:
    base = "/a/client"
    assert (await nylas.ask("GET", f"{base}/accounts")).json()[0]["billing_state"] == "paid"
    assert (await nylas.ask("POST", f"{base}/accounts/account-1/downgrade", json={})).json()["billing_state"] == "cancelled"
    assert (await nylas.ask("POST", f"{base}/accounts/account-1/token-info", json={"access_token": "t"})).json()["state"] == "valid"
    assert (await nylas.ask("POST", f"{base}/accounts/none/revoke-all", json={})).status == 404
    assert (await nylas.ask("PUT", base, json={"application_name": "N"})).json()["application_name"] == "N"
    assert (await nylas.ask("GET", f"{base}/ip_addresses")).json()["ip_addresses"]
    assert (await nylas.ask("POST", "/oauth/revoke")).json() == {"success": "true"}


async def latest(nylas: Simulator) -> str:
    return str((await nylas.ask("POST", "/delta/latest_cursor")).json()["cursor"])


async def test_deltas_tell_what_changed_since_a_cursor(nylas: Simulator) -> None:
    start = await latest(nylas)
    assert (await nylas.ask("GET", f"/delta?cursor={start}")).json() == {"cursor_start": start, "cursor_end": start, "deltas": []}
    await nylas.ask("PUT", "/messages/message-1", json={"starred": True})
    await nylas.ask("DELETE", "/events/event-1")
    page = (await nylas.ask("GET", f"/delta?cursor={start}")).json()
    assert [(delta["event"], delta["object"], delta["id"]) for delta in page["deltas"]] == [
        ("modify", "message", "message-1"),
        ("delete", "event", "event-1"),
    ]
    assert page["deltas"][0]["attributes"]["starred"] is True
    assert page["cursor_end"] == await latest(nylas)
    only = (await nylas.ask("GET", f"/delta?cursor={start}&include_types=event,file")).json()["deltas"]
    but = (await nylas.ask("GET", f"/delta?cursor={start}&excluded_types=event")).json()["deltas"]
    assert ([delta["object"] for delta in only], [delta["object"] for delta in but]) == (["event"], ["message"])


@pytest.mark.parametrize("path", ["/delta", "/delta/streaming", "/delta/longpoll"])
async def test_a_cursor_that_is_none_is_refused(nylas: Simulator, path: str) -> None:
    for cursor in ("", "x", "cursor-1", "cursor-1234567x"):
        assert (await nylas.ask("GET", f"{path}?cursor={cursor}")).status == 400


async def test_a_stream_sends_deltas_as_they_come_and_newlines_in_between(nylas: Simulator) -> None:
    start = await latest(nylas)
    stream = nylas.session.get(
        f"{nylas.url}/delta/streaming?cursor={start}", headers={"Authorization": "Bearer t", "X-Simulator": "heartbeat_s=0.05; heartbeats=50"}
    )
    async with asyncio.timeout(PATIENCE_S), stream as response:
        assert await response.content.readline() == b"\n"
        await nylas.ask("PUT", "/messages/message-1", json={"starred": True})
        while not (line := await response.content.readline()).strip():
            pass
        assert json.loads(line)["id"] == "message-1"
        assert await response.content.readline() == b"\n"


async def test_a_stream_ends_after_the_wished_heartbeats(nylas: Simulator) -> None:
    answer = await nylas.ask("GET", f"/delta/streaming?cursor={await latest(nylas)}", cue="heartbeat_s=0.001; heartbeats=3")
    assert answer.body == b"\n\n\n"


async def test_a_long_poll_waits_for_a_change(nylas: Simulator) -> None:
    start = await latest(nylas)
    poll = asyncio.create_task(nylas.ask("GET", f"/delta/longpoll?cursor={start}&timeout=60", cue="heartbeat_s=3600"))
    async with asyncio.timeout(PATIENCE_S):
        while len(await nylas.arrivals()) < 2:
            pass
        await nylas.ask("PUT", "/threads/thread-1", json={"unread": False})
        assert [delta["object"] for delta in (await poll).json()["deltas"]] == ["thread"]


async def test_a_long_poll_without_a_change_ends_empty(nylas: Simulator) -> None:
    start = await latest(nylas)
    answer = await nylas.ask("GET", f"/delta/longpoll?cursor={start}&timeout=0")
    assert answer.json() == {"cursor_start": start, "cursor_end": start, "deltas": []}
