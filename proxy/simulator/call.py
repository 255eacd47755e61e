"""One request as the endpoints see it, and what they have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from proxy.simulator.replies import Json, Reply, json_reply, v2_error, v3_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.simulator.cues import Cues
    from proxy.simulator.request_body import Body
    from proxy.simulator.store import Mailbox, World


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was read and may be answered.

    Attributes:
        method: In capitals.
        path: Raw, without query.
        ids: The variable parts of the path, decoded.
        query: Query parameters, decoded; of repeated ones the first.
        headers: By name, in any case; of repeated ones the first.
        body: What was sent.
        cues: How to answer.
        request_id: Ours, for v3 answers.
        arrival: Its number in the record.
        world: All state.
    """

    method: str
    path: str
    ids: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Body = field(repr=False)
    cues: Cues
    request_id: str
    arrival: int
    world: World = field(repr=False)


Endpoint = Callable[[Call], Reply]


class Route(NamedTuple):
    """Where an endpoint is found; GET serves HEAD too."""

    method: str
    path: str
    endpoint: Endpoint


def v3_data(call: Call, data: object, *headers: tuple[str, str], status: int = 200, next_cursor: str | None = None) -> Reply:
    """The answer of v3 to a call that went well."""
    body: Json = {"request_id": call.request_id, "data": data}
    if next_cursor:
        body["next_cursor"] = next_cursor
    return json_reply(body, status, headers)


def v3_done(call: Call, *headers: tuple[str, str]) -> Reply:
    """The answer of v3 when there is nothing to tell."""
    return json_reply({"request_id": call.request_id}, headers=headers)


def v3_invalid(call: Call, message: str) -> Reply:
    """The answer of v3 to a request that makes no sense."""
    return v3_error(call.request_id, 400, "invalid_request_error", message)


def v3_missing(call: Call, what: str) -> Reply:
    """The answer of v3 when an object does not exist."""
    return v3_error(call.request_id, 404, "not_found_error", f"{what} not found")


def v2_invalid(message: str) -> Reply:
    """The answer of v2 to a request that makes no sense."""
    return v2_error(400, "invalid_request_error", message)


def v2_missing(what: str) -> Reply:
    """The answer of v2 when an object does not exist."""
    return v2_error(404, "invalid_request_error", f"Couldn't find {what}")


def for_grant(endpoint: Callable[[Call, Mailbox], Reply]) -> Endpoint:
    """Look up the mailbox that the path names; 404 where there is none."""

    def found(call: Call) -> Reply:
        mailbox = call.world.mailbox(call.ids["grant"])
        return endpoint(call, mailbox) if mailbox else v3_error(call.request_id, 404, "grant.not_found", "Grant not found")

    return found
