"""The v3 endpoints that list, find, create, update and delete objects, for every kind of object alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.simulator.call import Call, Endpoint, Route, v3_data, v3_done, v3_invalid, v3_missing
from proxy.simulator.listing import matching, v3_page
from proxy.simulator.metering import Meter
from proxy.simulator.replies import v3_error
from proxy.simulator.v3_objects import COMPLETIONS

if TYPE_CHECKING:
    from proxy.simulator.replies import Headers, Json, Reply
    from proxy.simulator.store import Collection

READING = ("list", "find")
WRITING = ("create", "update", "delete")


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object.

    Attributes:
        path: Path of the list; `{grant}` stands for the grant, without it the objects belong to the application.
        collection: Name of the collection in the store.
        kind: Value of `object`; empty where the objects have none.
        actions: What can be done.
    """

    path: str
    collection: str
    kind: str
    actions: tuple[str, ...]


RESOURCES = (
    Resource("/v3/grants/{grant}/contacts/groups", "contact_groups", "contact_group", ("list",)),
    Resource("/v3/grants/{grant}/events/import", "events", "event", ("list",)),
    Resource("/v3/grants/{grant}/messages", "messages", "message", (*READING, "update", "delete")),
    Resource("/v3/grants/{grant}/threads", "threads", "thread", (*READING, "update", "delete")),
    Resource("/v3/grants/{grant}/drafts", "drafts", "draft", (*READING, "delete")),
    Resource("/v3/grants/{grant}/events", "events", "event", (*READING, *WRITING)),
    Resource("/v3/grants/{grant}/calendars", "calendars", "calendar", (*READING, *WRITING)),
    Resource("/v3/grants/{grant}/contacts", "contacts", "contact", (*READING, *WRITING)),
    Resource("/v3/grants/{grant}/folders", "folders", "folder", (*READING, *WRITING)),
    Resource("/v3/grants/{grant}/attachments", "attachments", "", ("find",)),
    Resource("/v3/webhooks", "webhooks", "", (*READING, *WRITING)),
    Resource("/v3/applications/redirect-uris", "redirect_uris", "", (*READING, *WRITING)),
)


_NO_METER = Meter("")


@dataclass(frozen=True, slots=True)
class _Held:
    """Where the objects of one call are; the grant is empty for those of the application."""

    resource: Resource
    objects: Collection
    meter: Meter = _NO_METER
    grant: str = ""

    def cost(self, action: str, objects: int = 1) -> Headers:
        return self.meter.cost(self.resource.collection, action, objects)


def _on(resource: Resource, call: Call) -> _Held | None:
    if "grant" not in call.ids:
        return _Held(resource, call.world.application[resource.collection])
    mailbox = call.world.mailbox(call.ids["grant"])
    if mailbox is None:
        return None
    return _Held(resource, mailbox.collections[resource.collection], mailbox.meter, mailbox.grant["id"])


def _list(held: _Held, call: Call) -> Reply:
    page = v3_page(matching(held.objects, call.query), call.query)
    if isinstance(page, str):
        return v3_invalid(call, page)
    objects, next_cursor = page
    return v3_data(call, [_shown(item, call) for item in objects], *held.cost("list", len(objects)), next_cursor=next_cursor)


def _shown(item: Json, call: Call) -> Json:
    """An object with the fields that the query chooses: `fields=include_headers`, `select=a,b`."""
    if call.query.get("fields") == "include_headers" and item.get("object") == "message":
        item = {**item, "headers": [{"name": "Message-ID", "value": f"<{item['id']}@example.com>"}]}
    wanted = call.query.get("select")
    return {key: value for key, value in item.items() if key in wanted.split(",")} if wanted else item


def _find(held: _Held, call: Call) -> Reply:
    item = held.objects.find(call.ids["id"])
    return v3_data(call, _shown(item, call), *held.cost("find")) if item else v3_missing(call, held.resource.collection)


def _create(held: _Held, call: Call) -> Reply:
    fields = call.body.json_object()
    if fields is None:
        return v3_invalid(call, "The request body must be a JSON object")
    identity = _identity(held, call)
    item: Json = {**identity, **COMPLETIONS[held.resource.collection](call, fields), **identity}
    held.objects.add(item)
    return v3_data(call, item, *held.cost("create"))


def _identity(held: _Held, call: Call) -> Json:
    kind = held.resource.kind
    identity: Json = {"id": call.world.fresh_id(kind or held.resource.collection)}
    if held.grant:
        identity["grant_id"] = held.grant
    return {**identity, "object": kind} if kind else identity


def _update(held: _Held, call: Call) -> Reply:
    item, fields = held.objects.find(call.ids["id"]), call.body.json_object()
    if item is None:
        return v3_missing(call, held.resource.collection)
    if fields is None:
        return v3_invalid(call, "The request body must be a JSON object")
    fixed: Json = {key: item[key] for key in ("id", "grant_id", "object") if key in item}
    complete = COMPLETIONS.get(held.resource.collection)
    item |= {**(complete(call, {**item, **fields}) if complete else fields), **fixed}
    return v3_data(call, item, *held.cost("update"))


def _delete(held: _Held, call: Call) -> Reply:
    if held.objects.remove(call.ids["id"]) is None:
        return v3_missing(call, held.resource.collection)
    if held.resource.collection == "webhooks":
        return v3_data(call, {"status": "success"})
    return v3_done(call, *held.cost("delete"))


_ACTIONS = {
    "list": (("GET",), "", _list),
    "find": (("GET",), "/{id}", _find),
    "create": (("POST",), "", _create),
    "update": (("PUT", "PATCH"), "/{id}", _update),
    "delete": (("DELETE",), "/{id}", _delete),
}


def _endpoint(resource: Resource, action: str) -> Endpoint:
    act = _ACTIONS[action][2]

    def answer(call: Call) -> Reply:
        held = _on(resource, call)
        return act(held, call) if held else v3_error(call.request_id, 404, "grant.not_found", "Grant not found")

    return answer


ROUTES = tuple(
    Route(method, resource.path + _ACTIONS[action][1], _endpoint(resource, action))
    for resource in RESOURCES
    for action in resource.actions
    for method in _ACTIONS[action][0]
)
