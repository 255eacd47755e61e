"""The way of a request: recorded, judged by its head, read, answered, sent.

Limits are judged at the arrival of the head, before the body is read, and come before all cues: who is refused gets a plain refusal.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aiohttp import web

from proxy.simulator.call import Call, Endpoint
from proxy.simulator.corpus import recorded
from proxy.simulator.credentials import refusal
from proxy.simulator.cues import GOOD_BEHAVIOUR, HEADER, CueMistake, Cues, read_header
from proxy.simulator.idempotency import KeyUse, key_use
from proxy.simulator.refusals import MICROSOFT_BACKOFF_S, exchange_refusal, refusal_for
from proxy.simulator.replies import Headers, Reply, error, is_v3, made_up
from proxy.simulator.request_body import Body, read_body
from proxy.simulator.store import World
from proxy.simulator.tickets import Ticket
from proxy.simulator.transmission import cuts, transmit
from proxy.simulator.visits import Visit, visit_of

if TYPE_CHECKING:
    from proxy.simulator.arrivals import Arrival

WORLD = web.AppKey("world", World)


@dataclass(frozen=True, slots=True)
class _Head:
    """A request whose head was read and judged.

    Attributes:
        request: As aiohttp has it.
        arrival: Its record.
        path: Raw, without query.
        request_id: Ours.
        visit: As limits see it; None: without credentials, so that nobody is asked.
        ticket: What the limits decided.
        cues: How to answer.
        key: Its use of an idempotency key.
    """

    request: web.Request
    arrival: Arrival
    path: str
    request_id: str
    visit: Visit | None
    ticket: Ticket
    cues: Cues
    key: KeyUse | None

    @property
    def world(self) -> World:
        """All state."""
        return self.request.app[WORLD]

    @property
    def payload(self) -> str:
        """What an idempotency key stands for."""
        return self.arrival.body_sha256 or ""


async def handle(request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
    """Answer a request, and record how that went."""
    arrival = request.app[WORLD].arrivals.note(request)
    try:
        return await _answer(request, endpoint, arrival)
    except asyncio.CancelledError:
        arrival.outcome = arrival.outcome or "client_left"
        raise
    except ConnectionError:
        arrival.outcome = arrival.outcome or "client_left"
        return web.Response()  # goes nowhere: aiohttp drops what it cannot write


async def _answer(request: web.Request, endpoint: Endpoint, arrival: Arrival) -> web.StreamResponse:
    world = request.app[WORLD]
    path = arrival.target.partition("?")[0]
    request_id = world.fresh_request_id()
    given = request.headers.getall(HEADER, None)
    cues = read_header("; ".join(given)) if given else None
    if isinstance(cues, CueMistake):
        return await _sent(request, arrival, error(path, request_id, 400, cues.text), GOOD_BEHAVIOUR)
    head = _judged(request, arrival, path, request_id, cues)
    try:
        return await _answer_judged(head, endpoint)
    finally:
        world.gate.leave(head.ticket)


def _judged(request: web.Request, arrival: Arrival, path: str, request_id: str, given: Cues | None) -> _Head:
    world, now_s = request.app[WORLD], arrival.arrived_s
    visit, key, ticket = None, None, Ticket()
    if refusal(path, request.headers, request_id) is None:
        visit = visit_of(request.method, path, request.query, request.headers, world)
        key = key_use(request.method, path, request.headers, visit.subject)
        replayed = key is not None and world.answers.knows(key, now_s)
        ticket = world.gate.judge(visit, now_s, arrival.number, replayed=replayed)
    cues = GOOD_BEHAVIOUR
    if ticket.passes:
        cues = given or world.scenario.cues_for(request.method, path)
    return _Head(request, arrival, path, request_id, visit, ticket, replace(cues, queued=True) if ticket.queued else cues, key)


async def _answer_judged(head: _Head, endpoint: Endpoint) -> web.StreamResponse:
    body = Body() if head.cues.early else await read_body(head.request, head.arrival)
    reply = error(head.path, head.request_id, 413, "The request body is too large") if body is None else _reply(head, endpoint, body)
    head.world.gate.settle(head.ticket, reply.headers)
    response = await _sent(head.request, head.arrival, reply, head.cues)
    window = head.ticket.window
    if window is not None and window.told_s is None and not cuts(head.cues):
        window.told_s = time.monotonic()
    return response


async def _sent(request: web.Request, arrival: Arrival, reply: Reply, cues: Cues) -> web.StreamResponse:
    arrival.status = reply.status
    response = await transmit(request, reply, cues)
    arrival.outcome = "cut" if cuts(cues) else "answered"
    return response


def _reply(head: _Head, endpoint: Endpoint, body: Body) -> Reply:
    """What to answer: from memory where an idempotency key says so, and kept there for the next use of the key."""
    answers, key, now_s = head.world.answers, head.key, time.monotonic()
    if key is None or head.cues.early:
        return _fresh_reply(head, endpoint, body)[0]
    if head.ticket.passes:
        complaint = answers.complaint(key, head.payload, head.request_id, now_s)
        if complaint is not None:
            return complaint.with_headers(*_usual_headers(head))
        replay = answers.replay(key, now_s)
        if replay is not None:
            return replay
    shown, kept = _fresh_reply(head, endpoint, body)
    if kept is not None:
        answers.keep(key, head.payload, kept, now_s=now_s, takes_s=head.cues.delay_s)
    return shown


def _fresh_reply(head: _Head, endpoint: Endpoint, body: Body) -> tuple[Reply, Reply | None]:
    """What the client is shown, and what Nylas itself answered; None: the request did not reach it, or a page of its gateway says so."""
    cues = head.cues
    throttled = _throttled(head)
    if throttled is not None:
        return throttled, throttled
    made = _made_up(head)
    if made is not None and not cues.done:
        return made, None if cues.html or cues.early else made
    reply = refusal(head.path, head.request.headers, head.request_id) or endpoint(_call(head, body))
    done = reply.with_headers(*_usual_headers(head))
    return made or done, done if cues.html or made is None else made


def _call(head: _Head, body: Body) -> Call:
    request = head.request
    ids, number = request.match_info, head.arrival.number
    return Call(request.method, head.path, ids, request.query, request.headers, body, head.cues, head.request_id, number, head.world)


def _throttled(head: _Head) -> Reply | None:
    """The refusal of a limit, or of the Exchange window that the request met or opens on cue."""
    visit, ticket, gate = head.visit, head.ticket, head.world.gate
    now_s, cues = time.monotonic(), head.cues
    if cues.throttle_s is not None:
        if visit is None or not visit.subject:
            return error(head.path, head.request_id, 400, "cue 'throttle_s' needs a request for a grant, with credentials")
        gate.throttle(ticket, visit.subject, now_s, cues.throttle_s, names_wait=cues.retry_after)
    if visit is None or (cues.throttle_s is not None and (cues.status or cues.corpus)):
        return None
    if ticket.window is not None:
        return exchange_refusal(ticket.window, visit, head.request_id, now_s).with_headers(*_usual_headers(head))
    if ticket.refused is None:
        return None
    backoff_s = gate.settings.sped(MICROSOFT_BACKOFF_S)
    reply = refusal_for(ticket.refused, visit, head.request_id, backoff_s=backoff_s, wall_s=time.time())
    return reply.with_headers(*_usual_headers(head))


def _made_up(head: _Head) -> Reply | None:
    """The answer that cues describe, if they do."""
    cues = head.cues
    if cues.corpus:
        return recorded(cues.corpus)
    if cues.status is not None:
        reply = made_up(head.path, head.request_id, cues.status, html=cues.html, body_bytes=cues.body_bytes)
        return reply.with_headers(*_usual_headers(head))
    if cues.early:
        return error(head.path, head.request_id, 413, "Refused before the body was read").with_headers(*_usual_headers(head))
    return None


def _usual_headers(head: _Head) -> Headers:
    """What Nylas' edge adds to every answer."""
    flow = ("x-fastly-id", f"flow-{head.request_id}")
    if is_v3(head.path):
        return (("x-request-id", head.request_id), flow, ("x-nylas-api-version", "v3"))
    return (flow, ("nylas-api-version", "2.5"))
