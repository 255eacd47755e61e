"""What limits see of a request."""

from __future__ import annotations

import base64

import pytest

from proxy.simulator.store import World
from proxy.simulator.visits import Visit, visit_of

GOOGLE, MICROSOFT, EWS = "/v3/grants/google-1", "/v3/grants/microsoft-1", "/v3/grants/ews-1"


@pytest.fixture
def world() -> World:
    return World()


def seen(world: World, method: str, path: str, query: dict[str, str] | None = None, **headers: str) -> Visit:
    return visit_of(method, path, query or {}, {name.replace("_", "-"): value for name, value in headers.items()}, world)


@pytest.mark.parametrize(
    ("method", "path", "family"),
    [
        ("GET", f"{EWS}/messages", "messages"),
        ("GET", f"{EWS}/threads/1", "messages"),
        ("POST", f"{EWS}/drafts", "messages"),
        ("PUT", f"{EWS}/drafts/1", "messages"),
        ("GET", f"{EWS}/folders", "messages"),
        ("GET", f"{EWS}/attachments/1/download", "messages"),
        ("POST", f"{EWS}/messages/send", "send"),
        ("POST", f"{EWS}/drafts/1", "send"),
        ("POST", f"{EWS}/messages/1/smart-compose", "smart_compose"),
        ("GET", f"{EWS}/events", "calendar"),
        ("POST", f"{EWS}/calendars/free-busy", "calendar"),
        ("GET", f"{EWS}/contacts/groups", "contacts"),
        ("GET", f"{EWS}/signatures", ""),
        ("GET", "/v3/grants", "grants"),
        ("DELETE", EWS, "grants"),
        ("GET", "/v3/applications/redirect-uris", "applications"),
        ("POST", "/v3/connect/token", "authentication"),
        ("GET", "/v3/connectors/google/creds", "connectors"),
        ("PUT", "/v3/webhooks/1/rotate-secret", "webhooks"),
        ("POST", "/v3/providers/detect", "providers_detect"),
        ("POST", "/v3/workspaces/auto-group", "auto_group"),
        ("POST", "/v3/calendars/availability", ""),
        ("GET", "/messages/1", "messages"),
        ("GET", "/delta/longpoll", "delta/longpoll"),
        ("GET", "/delta", "delta"),
        ("GET", "/a/client/ip_addresses", "a/ip_addresses"),
        ("GET", "/a/client", "a"),
    ],
)
def test_a_path_says_what_a_request_is_counted_with(world: World, method: str, path: str, family: str) -> None:
    assert seen(world, method, path).family == family


def test_a_grant_is_one_however_it_is_named(world: World) -> None:
    first = world.grants()[0]
    names = ("me", first["id"], first["email"], first["email"].replace("@", "%40"))
    assert {seen(world, "GET", f"/v3/grants/{name}/messages").subject for name in names} == {first["id"]}


def test_a_token_is_one_however_it_is_sent(world: World) -> None:
    basic = base64.b64encode(b"secret:").decode()
    assert seen(world, "GET", "/messages", Authorization=f"Basic {basic}") == seen(world, "GET", "/messages", Authorization="Bearer secret")
    assert seen(world, "GET", "/messages", Authorization="Bearer secret").subject == "secret"
    assert seen(world, "GET", "/a/client", Authorization="Bearer secret").subject == ""


@pytest.mark.parametrize(
    ("method", "path", "query", "requests", "units"),
    [
        ("GET", "messages", {"limit": "2"}, 3, 10),
        ("GET", "messages", {}, 6, 25),  # there are five
        ("GET", "messages/message-1", {}, 1, 5),
        ("POST", "messages/send", {}, 1, 100),
        ("POST", "drafts/draft-1", {}, 1, 100),
        ("POST", "drafts", {}, 1, 10),
        ("GET", "threads", {"limit": "1"}, 2, 10),
        ("GET", "attachments/1/download", {}, 1, 5),
        ("GET", "events", {}, 1, 0),
        ("GET", "messages/schedules", {}, 0, 0),
        ("POST", "messages/smart-compose", {}, 0, 0),
        ("GET", "signatures", {}, 0, 0),
    ],
)
def test_a_cost_at_google_is_expected(world: World, method: str, path: str, query: dict[str, str], requests: int, units: int) -> None:
    visit = seen(world, method, f"{GOOGLE}/{path}", query)
    assert (visit.requests, visit.units) == (requests, units)


def test_microsoft_has_several_calls_for_a_send_and_one_for_a_list_of_messages(world: World) -> None:
    assert [seen(world, *request).requests for request in (("POST", f"{MICROSOFT}/messages/send"), ("GET", f"{MICROSOFT}/messages"))] == [4, 1]
    assert seen(world, "GET", f"{MICROSOFT}/messages").units == 0


def test_a_form_and_a_mail_are_recognised(world: World) -> None:
    form = seen(world, "POST", f"{GOOGLE}/messages/send", Content_Type="multipart/form-data; boundary=x")
    assert (form.multipart, form.sends) == (True, True)
    assert seen(world, "POST", "/send", Authorization="Bearer t").sends
    assert not seen(world, "GET", f"{GOOGLE}/messages").sends


def test_a_grant_that_does_not_exist_has_no_provider(world: World) -> None:
    visit = seen(world, "GET", "/v3/grants/missing-1/messages")
    assert (visit.subject, visit.provider, visit.requests) == ("missing-1", "", 0)
