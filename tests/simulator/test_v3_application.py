"""What belongs to the v3 application: grants, tokens, details, webhooks; and the limits of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.simulator import store
from proxy.simulator.store import Collection, World
from simulator.rig import GRANT

if TYPE_CHECKING:
    from simulator.rig import Simulator


async def test_a_grant_is_made_changed_and_listed(nylas: Simulator) -> None:
    made = (await nylas.ask("POST", "/v3/connect/custom", json={"provider": "imap", "settings": {"email": "new@example.com"}})).data
    assert (made["provider"], made["email"], made["grant_status"]) == ("imap", "new@example.com", "valid")
    changed = (await nylas.ask("PATCH", f"/v3/grants/{made['id']}", json={"scope": ["a"], "email": "other@example.com"})).data
    assert (changed["scope"], changed["email"]) == (["a"], "new@example.com")
    assert changed in (await nylas.ask("GET", "/v3/grants")).data
    assert (await nylas.ask("GET", "/v3/grants?provider=microsoft&limit=1")).data[0]["provider"] == "microsoft"
    assert (await nylas.ask("GET", "/v3/grants?limit=x")).status == 400


@pytest.mark.parametrize("body", [{}, {"provider": 5, "settings": {}}, {"provider": "imap", "settings": []}])
async def test_a_grant_needs_provider_and_settings(nylas: Simulator, body: object) -> None:
    assert (await nylas.ask("POST", "/v3/connect/custom", json=body)).json()["error"]["type"] == "invalid_request_error"
    assert (await nylas.ask("PATCH", GRANT, json=[body])).status == 400


async def test_tokens_are_refreshed_explained_and_revoked(nylas: Simulator) -> None:
    refreshed = await nylas.ask("POST", "/v3/connect/token", data={"client_id": "c", "refresh_token": "r", "grant_type": "refresh_token"})
    assert refreshed.json()["access_token"].startswith("nyk_")
    assert (await nylas.ask("GET", "/v3/connect/tokeninfo?access_token=t")).data["iss"] == "https://nylas.com"
    assert (await nylas.ask("POST", "/v3/connect/revoke?token=t")).status == 200
    unreadable = await nylas.ask("POST", "/v3/connect/token", data=b"\xff=1", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert unreadable.json()["error_description"] == "Missing required parameter: client_id"


async def test_a_provider_is_guessed_from_the_address(nylas: Simulator) -> None:
    async def provider(email: str) -> str:
        return str((await nylas.ask("POST", f"/v3/providers/detect?email={email}")).data["provider"])

    assert [await provider(email) for email in ("a@GMAIL.com", "a@outlook.com", "a@example.com")] == ["google", "microsoft", "imap"]
    assert (await nylas.ask("POST", "/v3/providers/detect")).status == 400


async def test_the_application_tells_about_itself_and_can_be_changed(nylas: Simulator) -> None:
    changed = (await nylas.ask("PATCH", "/v3/applications", json={"branding": {"name": "N"}, "application_id": "mine"})).data
    assert (changed["branding"], changed["application_id"]) == ({"name": "N"}, "application-1")
    assert (await nylas.ask("GET", "/v3/applications")).data == changed
    assert (await nylas.ask("PATCH", "/v3/applications")).status == 400
    uri = (await nylas.ask("POST", "/v3/applications/redirect-uris", json={"url": "u"})).data
    assert (await nylas.ask("GET", f"/v3/applications/redirect-uris/{uri['id']}")).data == {
        "id": uri["id"],
        "url": "u",
        "platform": "web",
        "settings": {},
    }
    assert (await nylas.ask("GET", "/v3/webhooks/ip-addresses")).data["ip_addresses"]
    assert (await nylas.ask("POST", "/v3/webhooks/rotate-secret/none")).status == 404


async def test_messages_are_cleaned_by_id(nylas: Simulator) -> None:
    path = f"{GRANT}/messages/clean"
    cleaned = (await nylas.ask("PUT", path, json={"message_id": ["message-1", "none", []]})).data
    assert [(message["id"], message["conversation"]) for message in cleaned] == [("message-1", "Quarterly report: a few words.")]
    assert (await nylas.ask("PUT", path, json={})).json()["error"]["type"] == "message_id_required_error"


async def test_a_reply_is_composed_to_a_message_that_exists(nylas: Simulator) -> None:
    assert (await nylas.ask("POST", f"{GRANT}/messages/message-1/smart-compose", json={"prompt": "p"})).data["suggestion"]
    assert (await nylas.ask("POST", f"{GRANT}/messages/none/smart-compose", json={"prompt": "p"})).status == 404


def test_collections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_OBJECTS", 2)
    collection = Collection()
    for name in ("a", "b", "c"):
        collection.add({"id": name})
    assert [item["id"] for item in collection] == ["b", "c"]


def test_mailboxes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_MAILBOXES", 3)
    world = World()
    for name in ("a", "b", "c"):
        assert world.mailbox(name)
    assert [grant["id"] for grant in world.grants()] == ["a", "b", "c"]


def test_uploaded_files_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_FILE_BYTES_IN_ALL", 10)
    world = World()
    for name in ("a", "b", "c"):
        world.keep_file(name, bytes(4))
    assert list(world.files) == ["b", "c"]


def test_no_two_things_share_an_id() -> None:
    world = World()
    assert len({world.fresh_id("x"), world.fresh_id("x"), world.fresh_request_id(), world.fresh_request_id()}) == 4


def test_the_same_calls_give_the_same_ids_and_times() -> None:
    one, other = World(), World()
    assert [one.fresh_id("x"), one.now(), one.fresh_request_id()] == [other.fresh_id("x"), other.now(), other.fresh_request_id()]
