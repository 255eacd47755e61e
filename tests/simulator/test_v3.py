from __future__ import annotations

import importlib
import io
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from simulator.rig import GRANT, KEY

if TYPE_CHECKING:
    from simulator.rig import Simulator

TO = [{"email": "x@example.com", "name": "X"}]
WHEN = {"start_time": 1_000, "end_time": 2_000}


def as_the_sdk_reads(model: str, item: Any) -> Any:
    """The object as the official SDK's model, `MODULE:CLASS`; a required field that lacks is a KeyError."""
    module, _, name = model.partition(":")
    return getattr(importlib.import_module(f"nylas.models.{module}"), name).from_dict(item)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        (f"{GRANT}/messages", "messages:Message"),
        (f"{GRANT}/threads", "threads:Thread"),
        (f"{GRANT}/drafts", "drafts:Draft"),
        (f"{GRANT}/events", "events:Event"),
        (f"{GRANT}/calendars", "calendars:Calendar"),
        (f"{GRANT}/contacts", "contacts:Contact"),
        (f"{GRANT}/folders", "folders:Folder"),
        ("/v3/webhooks", "webhooks:Webhook"),
        ("/v3/grants", "grants:Grant"),
    ],
)
async def test_every_list_holds_what_the_sdks_model_requires(nylas: Simulator, path: str, model: str) -> None:
    answer = await nylas.ask("GET", path)
    assert answer.status == 200
    assert answer.data
    for item in answer.data:
        assert as_the_sdk_reads(model, item).id == item["id"]
        found = await nylas.ask("GET", f"{path}/{item['id'].replace('/', '%2F')}")
        assert found.data == item


async def test_every_answer_names_its_request_in_header_and_body(nylas: Simulator) -> None:
    first, second = [await nylas.ask("GET", f"{GRANT}/messages") for _ in range(2)]
    assert first.json()["request_id"] == first.headers["x-request-id"]
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert first.headers["x-fastly-id"]


async def test_the_content_type_has_no_charset(nylas: Simulator) -> None:
    for path in (f"{GRANT}/messages", f"{GRANT}/messages/none", "/account", "/messages/none", "/__simulator/arrivals"):
        assert (await nylas.ask("GET", path)).headers["Content-Type"] == "application/json"


async def test_pages_follow_the_cursor_to_the_end(nylas: Simulator) -> None:
    pages = [(await nylas.ask("GET", f"{GRANT}/messages?limit=2")).json()]
    while "next_cursor" in pages[-1]:
        pages.append((await nylas.ask("GET", f"{GRANT}/messages?limit=2&page_token={pages[-1]['next_cursor']}")).json())
    assert [[message["id"] for message in page["data"]] for page in pages] == [
        ["message-1", "message-2"],
        ["AAMkAD/b+c==", "message-4"],
        ["message-5"],
    ]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "page_token=x", "page_token=page-x"])
async def test_a_page_that_makes_no_sense_is_refused(nylas: Simulator, query: str) -> None:
    answer = await nylas.ask("GET", f"{GRANT}/messages?{query}")
    assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error")


async def test_lists_are_filtered_by_plain_fields_and_folder(nylas: Simulator) -> None:
    async def ids(query: str) -> list[str]:
        return [message["id"] for message in (await nylas.ask("GET", f"{GRANT}/messages?{query}")).data]

    assert await ids("thread_id=thread-1") == ["message-1", "message-2"]
    assert await ids("unread=true") == ["message-1", "message-4"]
    assert await ids("in=SENT") == ["message-2", "message-5"]
    assert len(await ids("search_query_native=x")) == 5


async def test_the_query_chooses_fields(nylas: Simulator) -> None:
    assert (await nylas.ask("GET", f"{GRANT}/messages?select=id,subject&limit=1")).data == [{"id": "message-1", "subject": "Quarterly report"}]
    assert (await nylas.ask("GET", f"{GRANT}/messages/message-1?fields=include_headers")).data["headers"][0]["name"] == "Message-ID"


@pytest.mark.parametrize(
    ("kind", "body", "change"),
    [
        ("events?calendar_id=calendar-2", {"title": "T", "when": WHEN}, {"title": "U"}),
        ("calendars", {"name": "T"}, {"name": "U"}),
        ("contacts", {"given_name": "T"}, {"given_name": "U"}),
        ("folders", {"name": "T"}, {"name": "U"}),
        ("drafts", {"subject": "T", "to": TO}, {"subject": "U"}),
    ],
)
async def test_objects_are_created_changed_and_deleted(nylas: Simulator, kind: str, body: Any, change: Any) -> None:
    path = f"{GRANT}/{kind.partition('?')[0]}"
    created = (await nylas.ask("POST", f"{GRANT}/{kind}", json=body)).data
    assert body.items() <= {**created, "when": WHEN}.items()
    changed = (await nylas.ask("PUT", f"{path}/{created['id']}", json=change)).data
    assert changed["id"] == created["id"]
    assert (await nylas.ask("GET", f"{path}/{created['id']}")).data == changed
    assert change.items() <= changed.items()
    assert list((await nylas.ask("DELETE", f"{path}/{created['id']}")).json()) == ["request_id"]
    assert (await nylas.ask("GET", f"{path}/{created['id']}")).status == 404


async def test_an_event_gets_the_kind_of_its_time_and_its_calendar(nylas: Simulator) -> None:
    body = {"when": WHEN, "participants": [{"email": "a@example.com"}]}
    event = (await nylas.ask("POST", f"{GRANT}/events?calendar_id=calendar-2", json=body)).data
    assert event["when"] == {**WHEN, "object": "timespan"}
    assert (event["calendar_id"], event["participants"][0]["status"]) == ("calendar-2", "noreply")
    assert (await nylas.ask("PUT", f"{GRANT}/events/{event['id']}", json={"when": {"date": "2026-01-01"}})).data["when"]["object"] == "date"


async def test_a_client_cannot_choose_ids(nylas: Simulator) -> None:
    created = (await nylas.ask("POST", f"{GRANT}/folders", json={"name": "T", "id": "mine", "grant_id": "other"})).data
    assert created["id"] != "mine"
    assert created["grant_id"] == "google-1"
    assert (await nylas.ask("PUT", f"{GRANT}/folders/{created['id']}", json={"id": "mine"})).data["id"] == created["id"]


async def test_mailboxes_do_not_share_objects(nylas: Simulator) -> None:
    await nylas.ask("DELETE", f"{GRANT}/messages/message-1")
    assert (await nylas.ask("GET", f"{GRANT}/messages/message-1")).status == 404
    assert (await nylas.ask("GET", "/v3/grants/google-2/messages/message-1")).status == 200


async def test_a_grant_is_found_by_id_by_address_and_as_me(nylas: Simulator) -> None:
    first = (await nylas.ask("GET", "/v3/grants")).data[0]
    for name in (first["id"], first["email"], "me"):
        assert (await nylas.ask("GET", f"/v3/grants/{name}")).data == first
    assert (await nylas.ask("GET", "/v3/grants/new@example.com")).data["email"] == "new@example.com"


async def test_grants_can_be_unknown_and_can_go(nylas: Simulator) -> None:
    assert (await nylas.ask("GET", "/v3/grants/missing-1/messages")).json()["error"]["type"] == "grant.not_found"
    assert (await nylas.ask("DELETE", GRANT)).status == 200
    assert (await nylas.ask("GET", f"{GRANT}/messages")).status == 404
    assert (await nylas.ask("GET", f"{GRANT}/attachments/attachment-report/download")).status == 404


async def test_cost_headers_come_for_gmail_and_in_part_for_microsoft(nylas: Simulator) -> None:
    gmail = (await nylas.ask("GET", f"{GRANT}/messages?limit=3")).headers
    assert (gmail["Nylas-Provider-Request-Count"], gmail["Nylas-Gmail-Quota-Usage"]) == ("4", "15")
    events = (await nylas.ask("GET", f"{GRANT}/events")).headers
    assert ("Nylas-Provider-Request-Count" in events, "Nylas-Gmail-Quota-Usage" in events) == (True, False)
    microsoft = (await nylas.ask("GET", "/v3/grants/microsoft-1/messages")).headers
    assert ("Nylas-Provider-Request-Count" in microsoft, "Nylas-Gmail-Quota-Usage" in microsoft) == (True, False)
    assert "Nylas-Provider-Request-Count" not in (await nylas.ask("GET", "/v3/grants/ews-1/messages")).headers


@pytest.mark.parametrize("credentials", ["", "Bearer", "Bearer other", "Basic bnlrXw==", "bearer nyk_x", "Bearer  "])
async def test_wrong_credentials_are_refused(nylas: Simulator, credentials: str) -> None:
    answer = await nylas.ask("GET", f"{GRANT}/messages", headers={"Authorization": credentials})
    assert (answer.status, answer.json()["error"]["type"]) == (401, "unauthorized")


async def test_any_access_token_opens_its_own_grant(nylas: Simulator) -> None:
    assert (await nylas.ask("GET", "/v3/grants/me/messages", headers={"Authorization": "Bearer other"})).status == 200
    assert (await nylas.ask("GET", "/v3/grants/me/messages", headers={"Authorization": "Bearer "})).status == 401


async def test_a_sent_message_is_delivered_once_and_kept(nylas: Simulator) -> None:
    answer = await nylas.ask("POST", f"{GRANT}/messages/send", json={"to": TO, "subject": "Hi", "body": "b"})
    assert as_the_sdk_reads("messages:Message", answer.data).subject == "Hi"
    assert (await nylas.ask("GET", f"{GRANT}/messages/{answer.data['id']}")).data == answer.data
    assert (await nylas.deliveries())["delivered"] == 1


async def test_a_repeated_send_shows_as_a_duplicate(nylas: Simulator) -> None:
    for subject in ("one", "two", "two"):
        await nylas.ask("POST", f"{GRANT}/messages/send", json={"to": TO, "subject": subject})
    report = await nylas.deliveries()
    assert (report["delivered"], report["duplicates"]) == (3, 1)
    counted = [(message["subject"], message["count"], message["arrivals"]) for message in report["messages"]]
    assert counted == [("one", 1, [1]), ("two", 2, [2, 3])]


async def test_a_send_that_is_reset_was_delivered_all_the_same(nylas: Simulator) -> None:
    with pytest.raises(aiohttp.ClientError):
        await nylas.ask("POST", f"{GRANT}/messages/send", cue="reset=before_head", json={"to": TO})
    assert (await nylas.deliveries())["delivered"] == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"subject": "nobody"}', b'{"to": "x"}', b"[" * 5000])
async def test_a_send_that_makes_no_sense_delivers_nothing(nylas: Simulator, body: bytes) -> None:
    answer = await nylas.ask("POST", f"{GRANT}/messages/send", data=body, headers={"Content-Type": "application/json"})
    assert answer.status == 400
    assert (await nylas.deliveries())["delivered"] == 0


async def test_a_charset_on_a_send_or_draft_is_refused(nylas: Simulator) -> None:
    for path in (f"{GRANT}/messages/send", f"{GRANT}/drafts"):
        answer = await nylas.ask("POST", path, data=json.dumps({"to": TO}), headers={"Content-Type": "application/json; charset=utf-8"})
        assert answer.status == 400
        assert "only JSON and multipart supported" in answer.json()["error"]["message"]


async def test_a_form_brings_message_and_attachments(nylas: Simulator) -> None:
    content = bytes(range(256)) * 20_000
    form = aiohttp.FormData()
    form.add_field("message", json.dumps({"to": TO, "subject": "Grüße"}), content_type="application/json")
    form.add_field("file0", io.BytesIO(content), filename="a.bin", content_type="application/x-a")
    answer = await nylas.ask("POST", f"{GRANT}/messages/send", data=form)
    attachment = answer.data["attachments"][0]
    assert (attachment["filename"], attachment["content_type"], attachment["size"]) == ("a.bin", "application/x-a", len(content))
    assert answer.data["subject"] == "Grüße"
    downloaded = await nylas.ask("GET", f"{GRANT}/attachments/{attachment['id']}/download")
    assert len(downloaded.body) == len(content)


async def test_a_finished_message_is_sent_as_mime(nylas: Simulator) -> None:
    form = aiohttp.FormData()
    form.add_field("mime", b"To: X <x@example.com>\r\nSubject: raw\r\n\r\nbody", filename="message.eml", content_type="message/rfc822")
    answer = await nylas.ask("POST", f"{GRANT}/messages/send?type=mime", data=form)
    assert (answer.data["subject"], answer.data["to"]) == ("raw", [{"name": "X", "email": "x@example.com"}])
    assert (await nylas.deliveries())["delivered"] == 1


async def test_a_message_over_the_limit_for_forms_is_refused(nylas: Simulator) -> None:
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await nylas.ask("POST", f"{GRANT}/messages/send", data=io.BytesIO(bytes(25_000_001)), headers=form)
    assert answer.status == 413


async def test_a_scheduled_message_waits_and_can_be_stopped(nylas: Simulator) -> None:
    schedule_id = (await nylas.ask("POST", f"{GRANT}/messages/send", json={"to": TO, "send_at": 2_000_000_000})).data["schedule_id"]
    assert (await nylas.deliveries())["delivered"] == 0
    assert [item["schedule_id"] for item in (await nylas.ask("GET", f"{GRANT}/messages/schedules")).data] == [schedule_id]
    assert (await nylas.ask("DELETE", f"{GRANT}/messages/schedules/{schedule_id}")).status == 202
    assert (await nylas.ask("GET", f"{GRANT}/messages/schedules/{schedule_id}")).status == 404


async def test_a_draft_that_is_sent_becomes_a_message(nylas: Simulator) -> None:
    sent = (await nylas.ask("POST", f"{GRANT}/drafts/draft-1")).data
    assert sent["object"] == "message"
    assert (await nylas.ask("GET", f"{GRANT}/drafts/draft-1")).status == 404
    assert (await nylas.deliveries())["messages"][0]["subject"] == "Half a thought"


async def test_smart_compose_answers_at_once_or_word_by_word(nylas: Simulator) -> None:
    path = f"{GRANT}/messages/smart-compose"
    whole = (await nylas.ask("POST", path, json={"prompt": "p"})).data["suggestion"]
    streamed = await nylas.ask("POST", path, json={"prompt": "p"}, headers={"Accept": "text/event-stream"})
    assert (streamed.headers["Content-Type"], streamed.headers["Transfer-Encoding"]) == ("text/event-stream", "chunked")
    events = [json.loads(event.removeprefix("data: ")) for event in streamed.body.decode().split("\n\n") if event]
    assert "".join(event["suggestion"] for event in events).strip() == whole
    assert (await nylas.ask("POST", path, json={})).json()["error"]["type"] == "prompt_required_error"


async def test_downloads_have_the_wished_size_and_no_block_is_like_another(nylas: Simulator) -> None:
    by_id = await nylas.ask("GET", f"{GRANT}/attachments/size-200000/download")
    by_query = await nylas.ask("GET", f"{GRANT}/attachments/a/download?size_bytes=200000")
    by_cue = await nylas.ask("GET", f"{GRANT}/attachments/a/download", cue="size_bytes=200000")
    assert (len(by_id.body), by_id.headers["Content-Length"]) == (200_000, "200000")
    assert by_id.body == by_query.body == by_cue.body
    offsets = [int.from_bytes(by_id.body[start : start + 8], "big") for start in range(0, 200_000, 65_536)]
    assert offsets == [0, 65_536, 131_072, 196_608]
    assert (await nylas.ask("GET", f"{GRANT}/attachments/size-x/download")).status == 404


async def test_attachments_describe_themselves(nylas: Simulator) -> None:
    found = await nylas.ask("GET", f"{GRANT}/attachments/attachment-report?message_id=message-1")
    assert as_the_sdk_reads("attachments:Attachment", found.data).size == 20_000
    session = (await nylas.ask("POST", f"{GRANT}/attachment-uploads", json={"filename": "a", "content_type": "b"})).data
    assert session["max_size"] == 157_286_400
    complete = await nylas.ask("POST", f"{GRANT}/attachment-uploads/{session['attachment_id']}/complete", json={})
    assert complete.data["status"] == "ready"


async def test_free_busy_tells_errors_item_by_item(nylas: Simulator) -> None:
    answer = await nylas.ask("POST", f"{GRANT}/calendars/free-busy", json={**WHEN, "emails": ["a@example.com", "unknown@example.com"]})
    assert (answer.status, [item["object"] for item in answer.data]) == (200, ["free_busy", "error"])
    assert answer.data[0]["time_slots"][0]["start_time"] == 1_000


async def test_availability_names_who_is_free(nylas: Simulator) -> None:
    asked = {**WHEN, "duration_minutes": 10, "participants": [{"email": "a@example.com"}]}
    answer = await nylas.ask("POST", "/v3/calendars/availability", json=asked)
    assert answer.data["time_slots"] == [{"emails": ["a@example.com"], "start_time": 1_000, "end_time": 1_600}]
    assert (await nylas.ask("POST", "/v3/calendars/availability", json={"start_time": 2, "end_time": 1})).status == 400


async def test_an_rsvp_needs_an_event_and_a_status(nylas: Simulator) -> None:
    path = f"{GRANT}/events/event-1/send-rsvp"
    assert (await nylas.ask("POST", path, json={"status": "yes"})).status == 200
    assert (await nylas.ask("POST", path, json={"status": "perhaps"})).status == 400
    assert (await nylas.ask("POST", f"{GRANT}/events/none/send-rsvp", json={"status": "yes"})).status == 404


async def test_a_code_is_exchanged_for_tokens_without_credentials(nylas: Simulator) -> None:
    body = {"client_id": "c", "client_secret": "s", "code": "x", "redirect_uri": "r", "grant_type": "authorization_code"}
    answer = await nylas.ask("POST", "/v3/connect/token", json=body, headers={"Authorization": ""})
    token = as_the_sdk_reads("auth:CodeExchangeResponse", answer.json())
    assert token.grant_id
    assert (await nylas.ask("GET", "/v3/grants/me", headers={"Authorization": f"Bearer {token.access_token}"})).status == 200


@pytest.mark.parametrize(
    ("method", "path", "parameter"),
    [
        ("POST", "/v3/connect/token", "client_id"),
        ("POST", "/v3/connect/revoke", "token"),
        ("GET", "/v3/connect/tokeninfo", "access_token or id_token"),
    ],
)
async def test_errors_of_oauth_have_the_oauth_shape(nylas: Simulator, method: str, path: str, parameter: str) -> None:
    answer = await nylas.ask(method, path)
    assert answer.status == 400
    assert answer.json() == {
        "error": "invalid_request",
        "error_code": 400,
        "error_description": f"Missing required parameter: {parameter}",
        "error_uri": answer.json()["error_uri"],
        "request_id": answer.headers["x-request-id"],
    }


async def test_a_login_in_the_browser_leads_back_to_the_application(nylas: Simulator) -> None:
    answer = await nylas.ask("GET", "/v3/connect/auth?redirect_uri=https://example.com/cb&state=a%26b", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (302, "https://example.com/cb?code=example-code&state=a%26b")


async def test_webhooks_tell_their_secret_when_made_and_when_rotated(nylas: Simulator) -> None:
    made = (await nylas.ask("POST", "/v3/webhooks", json={"trigger_types": ["message.created"], "webhook_url": "u"})).data
    rotated = (await nylas.ask("POST", f"/v3/webhooks/rotate-secret/{made['id']}")).data
    assert made["webhook_secret"] != rotated["webhook_secret"]
    assert (await nylas.ask("DELETE", f"/v3/webhooks/{made['id']}")).data == {"status": "success"}


async def test_unknown_paths_are_404_in_the_shape_of_their_api(nylas: Simulator) -> None:
    assert (await nylas.ask("GET", "/v3/nothing")).json()["error"]["type"] == "not_found_error"
    assert (await nylas.ask("PATCH", "/nothing")).json()["type"] == "invalid_request_error"
    assert (await nylas.ask("POST", f"{GRANT}/threads", json={})).status == 404


async def test_head_is_answered_like_get_without_a_body(nylas: Simulator) -> None:
    got, head = [await nylas.ask(method, "/v3/grants/google-1/contacts") for method in ("GET", "HEAD")]
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(got.body)))


async def test_what_clients_write_cannot_break_an_answer(nylas: Simulator) -> None:
    lone = await nylas.ask("POST", f"{GRANT}/folders", data=b'{"name": "\\ud800", "n": 1e999}', headers={"Content-Type": "application/json", **KEY})
    assert (lone.status, lone.data["name"]) == (200, "?")
    forged = {"to": TO, "attachments": [{"filename": 'a"\r\nX-Forged: 1', "content_type": "a\r\nb", "size": 3}, 5]}
    sent = (await nylas.ask("POST", f"{GRANT}/messages/send", json=forged)).data
    downloaded = await nylas.ask("GET", f"{GRANT}/attachments/{sent['attachments'][0]['id']}/download")
    assert (downloaded.status, downloaded.headers["Content-Type"], len(sent["attachments"])) == (200, "application/octet-stream", 1)
    assert "X-Forged" not in downloaded.headers
