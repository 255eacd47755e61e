"""What limits want to know about a request: whose it is, what it is counted with, what it is expected to cost at the provider.

Judged by the path alone, not by the catalogue of the proxy. A grant is known by the id of its mailbox, however the path names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from proxy.simulator.credentials import v2_token
from proxy.simulator.listing import V3_LIMIT, V3_MAX_LIMIT, whole_number
from proxy.simulator.replies import is_v3

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.simulator.store import Mailbox, World

_FAMILIES_OF_GRANTS = {
    **dict.fromkeys(("messages", "threads", "drafts", "folders", "attachments", "attachment-uploads"), "messages"),
    **dict.fromkeys(("calendars", "events", "resources"), "calendar"),
    "contacts": "contacts",
}
_FAMILIES_OF_APPLICATIONS = {
    "applications": "applications",
    "connect": "authentication",
    "connectors": "connectors",
    "credentials": "connectors",
    "grants": "grants",
    "webhooks": "webhooks",
}
_SINGLE_ENDPOINTS = {"providers/detect": "providers_detect", "workspaces/auto-group": "auto_group"}
_KEPT_BY_NYLAS = frozenset({"schedules", "attachment-uploads"})
_APPLICATION_PATHS_OF_V2 = frozenset({"a", "oauth", "connect", "component"})
_V2_PROVIDERS = {"gmail": "google"}
_ACTIONS = {"POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Visit:
    """One request as limits see it.

    Attributes:
        api: `v3` or `v2`.
        family: What it is counted with; in v2 the endpoint; empty for what no limit is known for.
        subject: Id of the grant, or in v2 the access token; empty for requests of the application.
        provider: Who hosts the mailbox; empty where none is concerned.
        multipart: The body is a form.
        sends: A mail leaves.
        requests: Calls that it is expected to cost at the provider.
        units: Gmail units that it is expected to cost.
    """

    api: str
    family: str
    subject: str = ""
    provider: str = ""
    multipart: bool = False
    sends: bool = False
    requests: int = 0
    units: int = 0


def visit_of(method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], world: World) -> Visit:
    """Look at a request whose head was read."""
    segments = path.split("/")[1:]
    if not is_v3(path):
        return _v2_visit(method, segments, headers, world)
    words = segments[1:]
    if words[0] != "grants" or len(words) < 3:  # noqa: PLR2004  /v3/grants/ID is a request of the application, too
        return Visit("v3", _SINGLE_ENDPOINTS.get("/".join(words[:2]), _FAMILIES_OF_APPLICATIONS.get(words[0], "")))
    grant = unquote(words[1])
    multipart = headers.get("Content-Type", "").startswith("multipart/")
    return _grant_visit(method, words[2:], query, grant, world.mailbox(grant), multipart=multipart)


def _grant_visit(method: str, words: list[str], query: Mapping[str, str], grant: str, mailbox: Mailbox | None, *, multipart: bool) -> Visit:
    sends = method == "POST" and (words == ["messages", "send"] or (words[0] == "drafts" and len(words) == 2))  # noqa: PLR2004  drafts/ID
    family = "send" if sends else "smart_compose" if words[-1] == "smart-compose" else _FAMILIES_OF_GRANTS.get(words[0], "")
    if mailbox is None:
        return Visit("v3", family, grant, multipart=multipart)
    subject: str = mailbox.grant["id"]
    if not family or _KEPT_BY_NYLAS.intersection(words) or words == ["messages", "smart-compose"]:
        return Visit("v3", family, subject, mailbox.provider, multipart=multipart)
    action = "send" if sends else _action(method, words)
    objects = _listed(words[0], query, mailbox) if action == "list" else 1
    meter = mailbox.meter
    requests, units = meter.requests(words[0], action, objects), meter.units(words[0], action, objects) or 0
    return Visit("v3", family, subject, mailbox.provider, multipart=multipart, sends=sends, requests=requests, units=units)


def _action(method: str, words: list[str]) -> str:
    if words[-1] == "download":
        return "download"
    return _ACTIONS.get(method) or ("list" if len(words) == 1 else "find")


def _listed(name: str, query: Mapping[str, str], mailbox: Mailbox) -> int:
    """How many objects a list may bring: as many as asked for, and not more than there are."""
    limit = whole_number(query.get("limit", ""), V3_LIMIT)
    there = mailbox.collections.get(name)
    return min(V3_MAX_LIMIT if limit is None else limit, len(there) if there is not None else 1)


def _v2_visit(method: str, segments: list[str], headers: Mapping[str, str], world: World) -> Visit:
    endpoint = _v2_endpoint(segments)
    if segments[0] in _APPLICATION_PATHS_OF_V2:
        return Visit("v2", endpoint)
    named = str(next(iter(world.account["accounts"]), {}).get("provider", ""))
    sends = method == "POST" and endpoint == "send"
    return Visit("v2", endpoint, v2_token(headers), _V2_PROVIDERS.get(named, named), sends=sends, requests=1)


def _v2_endpoint(segments: list[str]) -> str:
    """What v2 counts together: the first word of a path, of the application's paths the one after its id, of deltas those that last."""
    if segments[0] == "a":
        return "/".join(("a", *segments[2:3]))
    if segments[0] in {"delta", "v2"}:
        return "/".join(segments[:2])
    return segments[0]
