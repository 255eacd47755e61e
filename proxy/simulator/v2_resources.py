"""The v2 endpoints that list, find, create, update and delete objects, for every kind of object alike.

v2 answers with bare objects and bare arrays; changes go to the delta log.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from proxy.simulator.call import Call, Endpoint, Route, v2_invalid, v2_missing
from proxy.simulator.listing import matching, v2_page
from proxy.simulator.replies import Reply, json_reply
from proxy.simulator.v2_objects import COMPLETIONS, expanded

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.simulator.replies import Json
    from proxy.simulator.store import Collection

ACCOUNT_ID = "account-1"


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object: the path of its list, its collection, the value of `object`, what can be done."""

    path: str
    collection: str
    kind: str
    actions: tuple[str, ...]


_ALL = ("list", "find", "create", "update", "delete")
RESOURCES = (
    Resource("/contacts/groups", "contact_groups", "contact_group", ("list",)),
    Resource("/messages", "messages", "message", ("list", "update", "delete")),
    Resource("/threads", "threads", "thread", ("list", "find", "update")),
    Resource("/drafts", "drafts", "draft", _ALL),
    Resource("/events", "events", "event", _ALL),
    Resource("/calendars", "calendars", "calendar", _ALL),
    Resource("/contacts", "contacts", "contact", _ALL),
    Resource("/folders", "folders", "folder", _ALL),
    Resource("/labels", "labels", "label", _ALL),
    Resource("/files", "files", "file", ("list", "find", "delete")),
    Resource("/a/{client}/accounts", "accounts", "account", ("list", "find", "delete")),
    Resource("/a/{client}/webhooks", "v2_webhooks", "", _ALL),
)


def _objects(resource: Resource, call: Call) -> Collection:
    of_application = resource.collection in call.world.application
    return (call.world.application if of_application else call.world.account)[resource.collection]


def _log(resource: Resource, call: Call, event: str, item: Json) -> None:
    """Tell the delta log of a change; objects of the application are no part of it."""
    if resource.kind:
        call.world.deltas.note(event, resource.kind, item)


def _list(resource: Resource, call: Call) -> Reply:
    found = matching(_objects(resource, call), call.query)
    if call.query.get("view") == "count":
        return json_reply({"count": len(found)})
    page = v2_page(found, call.query)
    if isinstance(page, str):
        return v2_invalid(page)
    return json_reply([item["id"] for item in page] if call.query.get("view") == "ids" else page)


def _find(resource: Resource, call: Call) -> Reply:
    item = _objects(resource, call).find(call.ids["id"])
    return json_reply(item) if item else v2_missing(resource.kind)


def _create(resource: Resource, call: Call) -> Reply:
    fields = call.body.json_object()
    if fields is None:
        return v2_invalid("The request body must be a JSON object")
    identity: Json = {"id": call.world.fresh_id(resource.kind or "webhook")}
    if resource.kind:
        identity |= {"account_id": ACCOUNT_ID, "object": resource.kind}
    item = {**identity, **COMPLETIONS[resource.collection](call, fields), **identity}
    _objects(resource, call).add(item)
    _log(resource, call, "create", item)
    return json_reply(item)


def _update(resource: Resource, call: Call) -> Reply:
    item = _objects(resource, call).find(call.ids["id"])
    if item is None:
        return v2_missing(resource.kind)
    fields = call.body.json_object()
    if fields is None:
        return v2_invalid("Empty request body" if not call.body.content else "The request body must be a JSON object")
    fixed: Json = {key: item[key] for key in ("id", "account_id", "object") if key in item}
    item |= {**expanded(call.world, fields), **fixed}
    if "version" in item:
        item["version"] = int(item["version"]) + 1 if str(item["version"]).isdecimal() else 1
    _log(resource, call, "modify", item)
    return json_reply(item)


def _delete(resource: Resource, call: Call) -> Reply:
    item = _objects(resource, call).remove(call.ids["id"])
    if item is None:
        return v2_missing(resource.kind)
    _log(resource, call, "delete", item)
    return json_reply({"job_status_id": call.world.fresh_id("job")})


_ACTIONS: dict[str, tuple[str, str, Callable[[Resource, Call], Reply]]] = {
    "list": ("GET", "", _list),
    "find": ("GET", "/{id}", _find),
    "create": ("POST", "", _create),
    "update": ("PUT", "/{id}", _update),
    "delete": ("DELETE", "/{id}", _delete),
}


def _route(resource: Resource, action: str) -> Route:
    method, suffix, act = _ACTIONS[action]
    endpoint: Endpoint = partial(act, resource)
    return Route(method, resource.path + suffix, endpoint)


ROUTES = tuple(_route(resource, action) for resource in RESOURCES for action in resource.actions)
