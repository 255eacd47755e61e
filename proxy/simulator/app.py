"""The simulator as an aiohttp application: where which request goes, and what is told about those that came."""

from __future__ import annotations

import time
from dataclasses import replace
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
from proxy.simulator.answering import WORLD, handle
from proxy.simulator.call import Call, Endpoint, Route
from proxy.simulator.listing import whole_number
from proxy.simulator.replies import Reply, error, json_reply
from proxy.simulator.scenario import Scenario, read_scenario
from proxy.simulator.store import World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

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


def create_app(file: Path | None = None, *, limits: bool = False, speed: float | None = None) -> web.Application:
    """The simulator, to be run with SERVER_OPTIONS.

    Args:
        file: A scenario.
        limits: Keep the limits, also where the scenario says nothing of them.
        speed: Of the clock of long limits and windows, in place of the scenario's.

    Raises:
        ScenarioError: The file cannot be used.
    """
    scenario = read_scenario(file) if file else Scenario([])
    settings = scenario.limits
    scenario.limits = replace(settings, enforced=limits or settings.enforced, speed=settings.speed if speed is None else speed)
    app = web.Application()
    app[WORLD] = World(scenario)
    app.router.add_get("/__simulator/arrivals", _show_arrivals)
    app.router.add_delete("/__simulator/arrivals", _clear_arrivals)
    app.router.add_get("/__simulator/deliveries", _show_deliveries)
    app.router.add_delete("/__simulator/deliveries", _clear_deliveries)
    app.router.add_get("/__simulator/limits", _show_limits)
    app.router.add_delete("/__simulator/limits", _clear_limits)
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
    async def answer(request: web.Request) -> web.StreamResponse:
        return await handle(request, endpoint)

    return answer


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


async def _show_limits(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    return _json_response({**world.gate.report(time.monotonic()), "duplicates": world.deliveries.report()["duplicates"]})


async def _clear_limits(request: web.Request) -> web.Response:
    request.app[WORLD].gate.clear()
    return web.Response(status=204)


def _json_response(value: object) -> web.Response:
    reply = json_reply(value)
    return web.Response(headers=dict(reply.headers), body=reply.body)
