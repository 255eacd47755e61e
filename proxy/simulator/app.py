"""The simulator as an aiohttp application: the way of a request, from its record to its answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web

from proxy.simulator import (
    v2_account,
    v2_calendar,
    v2_deltas,
    v2_files,
    v2_mail,
    v2_resources,
    v3_application,
    v3_calendar,
    v3_compose,
    v3_files,
    v3_mail,
    v3_resources,
)
from proxy.simulator.call import Call, Endpoint, Route
from proxy.simulator.corpus import recorded
from proxy.simulator.credentials import refusal
from proxy.simulator.cues import HEADER, CueMistake, Cues, read_header
from proxy.simulator.listing import whole_number
from proxy.simulator.replies import Headers, Reply, error, is_v3, json_reply, made_up
from proxy.simulator.request_body import Body, read_body
from proxy.simulator.scenario import read_scenario
from proxy.simulator.store import World
from proxy.simulator.transmission import cuts, transmit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from proxy.simulator.arrivals import Arrival

WORLD = web.AppKey("world", World)
_ROUTES: tuple[Route, ...] = (
    *v3_mail.ROUTES,
    *v3_compose.ROUTES,
    *v3_files.ROUTES,
    *v3_calendar.ROUTES,
    *v3_application.ROUTES,
    *v3_resources.ROUTES,
    *v2_mail.ROUTES,
    *v2_files.ROUTES,
    *v2_calendar.ROUTES,
    *v2_deltas.ROUTES,
    *v2_account.ROUTES,
    *v2_resources.ROUTES,
)
"""The first that fits decides: the families of fixed names come before those that take any id."""

SERVER_OPTIONS: dict[str, Any] = {
    "auto_decompress": False,  # bodies are recorded as sent
    "handler_cancellation": True,  # a client that leaves ends its answer, which is recorded
    "max_line_size": 131_072,  # what a proxy lets through must not be refused here
    "max_field_size": 131_072,
    "max_headers": 1_000,
}
"""Arguments for aiohttp's server, without which the record is not exact."""


def create_app(scenario: Path | None = None) -> web.Application:
    """The simulator, to be run with SERVER_OPTIONS; raises ScenarioError for a scenario file that cannot be used."""
    app = web.Application()
    app[WORLD] = World(read_scenario(scenario) if scenario else None)
    app.router.add_get("/__simulator/arrivals", _show_arrivals)
    app.router.add_delete("/__simulator/arrivals", _clear_arrivals)
    app.router.add_get("/__simulator/deliveries", _show_deliveries)
    app.router.add_delete("/__simulator/deliveries", _clear_deliveries)
    for route in _ROUTES:
        _add(app, route)
    _add(app, Route("*", "/{anything:.*}", _unknown_path))
    return app


def _add(app: web.Application, route: Route) -> None:
    methods = ("GET", "HEAD") if route.method == "GET" else (route.method,)
    for method in methods:
        app.router.add_route(method, route.path, _served(route.endpoint), expect_handler=_no_interim_answer_yet)


async def _no_interim_answer_yet(_request: web.Request) -> None:
    """100 (Continue) comes when the body is read: an early answer does without."""


def _served(endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        arrival = request.app[WORLD].arrivals.note(request)
        try:
            return await _answer(request, endpoint, arrival)
        except asyncio.CancelledError:
            arrival.outcome = arrival.outcome or "client_left"
            raise
        except ConnectionError:
            arrival.outcome = arrival.outcome or "client_left"
            return web.Response()  # goes nowhere: aiohttp drops what it cannot write

    return handle


async def _answer(request: web.Request, endpoint: Endpoint, arrival: Arrival) -> web.StreamResponse:
    world = request.app[WORLD]
    path = arrival.target.partition("?")[0]
    request_id = world.fresh_request_id()
    cues = _cues(request, world, path)
    if isinstance(cues, CueMistake):
        arrival.status, arrival.outcome = 400, "answered"
        return await transmit(request, error(path, request_id, 400, cues.text), Cues())
    body = Body() if cues.early else await _body(request, arrival, path, request_id)
    if isinstance(body, Reply):
        reply = body
    else:
        call = Call(request.method, path, request.match_info, request.query, request.headers, body, cues, request_id, arrival.number, world)
        reply = _reply(endpoint, call)
    arrival.status = reply.status
    response = await transmit(request, reply, cues)
    arrival.outcome = "cut" if cuts(cues) else "answered"
    return response


def _cues(request: web.Request, world: World, path: str) -> Cues | CueMistake:
    given = request.headers.getall(HEADER, [])
    return read_header("; ".join(given)) if given else world.scenario.cues_for(request.method, path)


async def _body(request: web.Request, arrival: Arrival, path: str, request_id: str) -> Body | Reply:
    return await read_body(request, arrival) or error(path, request_id, 413, "The request body is too large")


def _reply(endpoint: Endpoint, call: Call) -> Reply:
    cues = call.cues
    if cues.corpus:
        return recorded(cues.corpus)
    if cues.status is not None:
        reply = made_up(call.path, call.request_id, cues.status, html=cues.html, body_bytes=cues.body_bytes)
    elif cues.early:
        reply = error(call.path, call.request_id, 413, "Refused before the body was read")
    else:
        reply = refusal(call) or endpoint(call)
    return reply.with_headers(*_usual_headers(call))


def _usual_headers(call: Call) -> Headers:
    """What Nylas' edge adds to every answer."""
    if is_v3(call.path):
        return (("x-request-id", call.request_id), ("x-fastly-id", f"flow-{call.request_id}"), ("x-nylas-api-version", "v3"))
    return (("x-fastly-id", f"flow-{call.request_id}"), ("nylas-api-version", "2.5"))


def _unknown_path(call: Call) -> Reply:
    return error(call.path, call.request_id, 404, "The requested resource was not found")


async def _show_arrivals(request: web.Request) -> web.Response:
    since = whole_number(request.query.get("since", ""), 0)
    if since is None:
        return web.Response(status=400, text="since must be the number of an arrival\n")
    return _json_response(request.app[WORLD].arrivals.since(since))


async def _clear_arrivals(request: web.Request) -> web.Response:
    request.app[WORLD].arrivals.clear()
    return web.Response(status=204)


async def _show_deliveries(request: web.Request) -> web.Response:
    return _json_response(request.app[WORLD].deliveries.report())


async def _clear_deliveries(request: web.Request) -> web.Response:
    request.app[WORLD].deliveries.clear()
    return web.Response(status=204)


def _json_response(value: object) -> web.Response:
    reply = json_reply(value)
    return web.Response(headers=dict(reply.headers), body=reply.body)
